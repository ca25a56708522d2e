"""Lists a page at a time: a token says after which name the next page begins."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from relay.localses.constraints import whole_number
from relay.localses.refusals import invalid
from relay.localses.rest import Asked

_PAGE: Final = 100


def page_of(names: Sequence[str], size: int, token: str | None) -> tuple[Sequence[str], str | None]:
    """
    Return *size* of the sorted *names* from where *token* says, and the token of the next page.

    Raises:
        Refused: InvalidParameterValue for a token that is none of ours.
    """
    rest = [name for name in names if name > _last(token)] if token else list(names)
    page = rest[:size]
    return page, _token(page[-1]) if len(rest) > size else None


def asked_page(asked: Asked) -> tuple[int, str | None]:
    """
    Return size and token of the page that a request of v2 asks for, in its query or in its body.

    Raises:
        Refused: ValidationError, MalformedInput, or InvalidParameterValue for a filter.
    """
    size = asked.queried("PageSize") if asked.body.get("PageSize") is None else str(asked.body["PageSize"])
    if asked.body.get("Filter"):
        raise invalid("This embedded SES lists without a filter.")
    token = asked.queried("NextToken") or asked.text("NextToken")
    return whole_number("PageSize", size or "0", 0, 1000) or _PAGE, token


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode("ascii")


def _last(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid("The NextToken is not one that was given out.") from None
