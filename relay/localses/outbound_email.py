"""SendEmail of v2, with raw or simple content: the JSON of a request, checked as SES checks it."""

from collections.abc import Mapping
from typing import Any

from relay.localses.message import LONGEST_ENCODED, check_length
from relay.localses.raw_email import RawEmail, checked, decoded, read_tags
from relay.localses.refusals import invalid
from relay.localses.rest import list_in, object_in, text_in, text_of
from relay.localses.simple_email import Content, Simple


def read_outbound_email(asked: Mapping[str, Any]) -> tuple[RawEmail, bool]:
    """
    Read and check the request (SES API v2 Reference, "SendEmail"); return it, and whether its content is raw.

    FromEmailAddressIdentityArn takes the place of both X-SES-SOURCE-ARN and X-SES-FROM-ARN, so it is told as both.

    Raises:
        Refused: With the codes of the Query API, which :mod:`relay.localses.rest` puts into those of v2.
    """
    content = object_in(asked.get("Content"), "Content")
    to = object_in(asked.get("Destination", {}), "Destination")
    is_raw = "Raw" in content
    if is_raw:
        raw = _raw(content)
    elif "Simple" in content:
        raw = _simple(asked, to, object_in(content["Simple"], "Content.Simple"))
    else:
        raise invalid("This embedded SES takes Content.Raw and Content.Simple.")
    from_arn = text_in(asked, "FromEmailAddressIdentityArn")
    email = RawEmail(
        source=text_in(asked, "FeedbackForwardingEmailAddress") or text_in(asked, "FromEmailAddress"),
        source_arn=from_arn,
        from_arn=from_arn,
        return_path_arn=text_in(asked, "FeedbackForwardingEmailAddressIdentityArn"),
        destinations=tuple(
            address for name in ("ToAddresses", "CcAddresses", "BccAddresses") for address in _addresses(to, name)
        ),
        configuration_set=text_in(asked, "ConfigurationSetName"),
        tags=read_tags([_tag(tag) for tag in list_in(asked, "EmailTags")]),
        raw=raw,
    )
    return checked(email), is_raw


def _raw(content: Mapping[str, Any]) -> bytes:
    data = text_in(object_in(content["Raw"], "Content.Raw"), "Data")
    if data is None:
        raise invalid("Content.Raw.Data is missing.")
    check_length(len(data), LONGEST_ENCODED)
    return decoded(data, "Content.Raw.Data")


def _simple(asked: Mapping[str, Any], to: Mapping[str, Any], simple: Mapping[str, Any]) -> bytes:
    author, subject = text_in(asked, "FromEmailAddress"), _content(simple, "Subject")
    if author is None or subject is None:
        raise invalid("Simple content wants FromEmailAddress and Subject.")
    if simple.get("Attachments"):
        raise invalid("This embedded SES takes attachments in raw content.")
    body = object_in(simple.get("Body"), "Content.Simple.Body")
    headers = [_tag(header) for header in list_in(simple, "Headers")]
    return Simple(
        author,
        _addresses(to, "ToAddresses"),
        _addresses(to, "CcAddresses"),
        _addresses(asked, "ReplyToAddresses"),
        subject,
        _content(body, "Text"),
        _content(body, "Html"),
        [(header.get("Name", ""), header.get("Value", "")) for header in headers],
    ).composed()


def _content(asked: Mapping[str, Any], name: str) -> Content | None:
    if asked.get(name) is None:
        return None
    content = object_in(asked[name], name)
    data = text_in(content, "Data")
    return None if data is None else Content(data, text_in(content, "Charset"))


def _addresses(asked: Mapping[str, Any], name: str) -> list[str]:
    return [text_of(address, name) for address in list_in(asked, name)]


def _tag(tag: Any) -> dict[str, str]:
    return {name: text_of(value, name) for name, value in object_in(tag, "a tag").items()}
