"""SendEmail of v2, with raw content: the JSON of a request, checked as SES checks it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from relay.localses.message import LONGEST_ENCODED, check_length
from relay.localses.raw_email import RawEmail, checked, decoded, read_tags
from relay.localses.refusals import Refused, invalid

#: Where a message comes in: method and path.
OUTBOUND_EMAILS: Final = ("POST", "/v2/email/outbound-emails")


def read_outbound_email(body: bytes) -> RawEmail:
    """
    Read and check the request (SES API v2 Reference, "SendEmail").

    FromEmailAddressIdentityArn takes the place of both X-SES-SOURCE-ARN and X-SES-FROM-ARN, so it is told as both.

    Raises:
        Refused: With the codes of the Query API, which :mod:`relay.localses.app` puts into those of v2.
    """
    asked = _object(_parsed(body), "the request")
    content = _object(asked.get("Content"), "Content")
    if "Raw" not in content:
        raise invalid("This embedded SES takes Content.Raw only.")
    data = _text(_object(content["Raw"], "Content.Raw"), "Data")
    if data is None:
        raise invalid("Content.Raw.Data is missing.")
    check_length(len(data), LONGEST_ENCODED)
    to = _object(asked.get("Destination", {}), "Destination")
    from_arn = _text(asked, "FromEmailAddressIdentityArn")
    return checked(
        RawEmail(
            source=_text(asked, "FeedbackForwardingEmailAddress") or _text(asked, "FromEmailAddress"),
            source_arn=from_arn,
            from_arn=from_arn,
            return_path_arn=_text(asked, "FeedbackForwardingEmailAddressIdentityArn"),
            destinations=tuple(
                _texts(address, name)
                for name in ("ToAddresses", "CcAddresses", "BccAddresses")
                for address in _list(to, name)
            ),
            configuration_set=_text(asked, "ConfigurationSetName"),
            tags=read_tags([_tag(tag) for tag in _list(asked, "EmailTags")]),
            raw=decoded(data, "Content.Raw.Data"),
        )
    )


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("SerializationException", "The body is no JSON.") from None


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused("SerializationException", f"{name} is no object.")
    return value


def _list(asked: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = asked.get(name)
    if value is not None and not isinstance(value, list):
        raise Refused("SerializationException", f"{name} is no list.")
    return value or ()


def _text(asked: Mapping[str, Any], name: str) -> str | None:
    value = asked.get(name)
    return None if value is None else _texts(value, name)


def _texts(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise Refused("SerializationException", f"{name} holds what is no text.")
    return value


def _tag(tag: Any) -> dict[str, str]:
    return {name: _texts(value, name) for name, value in _object(tag, "a tag").items()}
