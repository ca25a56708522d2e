"""
A message as a request, in pieces: nothing large is copied twice or encoded in one breath.

SendRawEmail goes by the AWS Query protocol, in the same bytes that botocore's ``QuerySerializer`` and ``urlencode``
give, at a tenth of their price: of base64's alphabet only ``+ / =`` need escaping (RFC 3986 section 2.3). SendEmail
goes as JSON, where nothing of it needs to (SES API Reference, "SendRawEmail"; SES API v2 Reference, "SendEmail").
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from pybase64 import b64encode

from relay.sending.outcomes import Mail
from relay.words.apis import Api

FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
JSON: Final = "application/json"
#: Where each call goes, below the endpoint, and as what.
PATHS: Final = {Api.RAW: "", Api.V2: "/v2/email/outbound-emails"}
CONTENT_TYPES: Final = {Api.RAW: FORM, Api.V2: JSON}

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.@-]*", re.ASCII)

#: Octets of the message in one piece: a multiple of three, so that base64 pads only at the end. Encoding and hashing
#: one holds the event loop for some 0.1 ms.
RAW_OCTETS_OF_PIECE: Final = 48 * 1024


def body(mail: Mail) -> bytes:
    """Return the whole request body."""
    return b"".join(pieces(mail))


class Pieces:
    """The pieces of a request body, made anew at each walk over them."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    def __iter__(self) -> Iterator[bytes]:
        return pieces(self._mail)


def is_small(mail: Mail) -> bool:
    """Whether *mail* makes one piece."""
    return len(mail.head) + len(mail.raw) <= RAW_OCTETS_OF_PIECE


def piece_of(mail: Mail) -> bytes:
    """Return the request body of a message that :func:`is_small`."""
    raw = b"".join((mail.head, mail.raw))
    if mail.api is Api.RAW:
        return _parameters(mail) + _escaped(raw)
    before, after = _around(mail)
    return before + b64encode(raw) + after


def pieces(mail: Mail) -> Iterator[bytes]:
    """Yield the request body in order."""
    if is_small(mail):
        yield piece_of(mail)
        return
    is_form = mail.api is Api.RAW
    before, after = (_parameters(mail), b"") if is_form else _around(mail)
    encode: Callable[[bytes | memoryview], bytes] = _escaped if is_form else b64encode
    head, raw = mail.head, memoryview(mail.raw)
    start = max(RAW_OCTETS_OF_PIECE - len(head), -len(head) % 3)
    end = start + max(0, len(raw) - start - 1) // RAW_OCTETS_OF_PIECE * RAW_OCTETS_OF_PIECE
    yield before + encode(b"".join((head, raw[:start])))
    for at in range(start, end, RAW_OCTETS_OF_PIECE):
        yield encode(raw[at : at + RAW_OCTETS_OF_PIECE])
    yield encode(raw[end:]) + after


def _escaped(raw: bytes | memoryview) -> bytes:
    return b64encode(raw).replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")


def _quoted_address(address: str) -> str:
    """Most have one character to escape."""
    return address.replace("@", "%40") if _PLAIN.fullmatch(address) else quote_plus(address)


_quoted_source = lru_cache(maxsize=1024)(_quoted_address)


def _parameters(mail: Mail) -> bytes:
    """Return what stands before the message in SendRawEmail's form."""
    members = [f"&Destinations.member.{n}={_quoted_address(to)}" for n, to in enumerate(mail.destinations, 1)]
    others = _others(mail.from_arn, mail.source_arn, mail.return_path_arn, mail.tags, mail.configuration_set)
    source = _quoted_source(mail.source)
    return f"Action=SendRawEmail&Version=2010-12-01&Source={source}{''.join(members)}{others}".encode("ascii")


@lru_cache(maxsize=1024)
def _others(
    from_arn: str,
    source_arn: str,
    return_path_arn: str,
    tags: tuple[tuple[str, str], ...],
    configuration_set: str | None,
) -> str:
    """Write what mail of one sender has in common."""
    fields = {"FromArn": from_arn, "SourceArn": source_arn, "ReturnPathArn": return_path_arn}
    for n, (name, value) in enumerate(tags, 1):
        fields |= {f"Tags.member.{n}.Name": name, f"Tags.member.{n}.Value": value}
    if configuration_set is not None:
        fields["ConfigurationSetName"] = configuration_set
    return f"&{urlencode(fields)}&RawMessage.Data="


def _around(mail: Mail) -> tuple[bytes, bytes]:
    """
    Return what stands before and behind the message in SendEmail's JSON.

    Without FromEmailAddress: it would take the place of the From field.
    """
    said: dict[str, Any] = {
        "FromEmailAddressIdentityArn": mail.from_arn,
        "Destination": {"ToAddresses": mail.destinations},
        "FeedbackForwardingEmailAddress": mail.source,
        "FeedbackForwardingEmailAddressIdentityArn": mail.return_path_arn,
    }
    if mail.tags:
        said["EmailTags"] = [{"Name": name, "Value": value} for name, value in mail.tags]
    if mail.configuration_set is not None:
        said["ConfigurationSetName"] = mail.configuration_set
    if mail.tenant is not None:
        said["TenantName"] = mail.tenant
    said["Content"] = {"Raw": {"Data": ""}}
    text = json.dumps(said).encode("ascii")
    return text[:-4], text[-4:]
