"""SendEmail of v2, with raw content: the JSON of a request, checked as SES checks it."""

from collections.abc import Mapping
from typing import Any

from relay.localses.message import LONGEST_ENCODED, check_length
from relay.localses.raw_email import RawEmail, checked, decoded, read_tags
from relay.localses.refusals import invalid
from relay.localses.rest import list_in, object_in, text_in, text_of


def read_outbound_email(asked: Mapping[str, Any]) -> RawEmail:
    """
    Read and check the request (SES API v2 Reference, "SendEmail").

    FromEmailAddressIdentityArn takes the place of both X-SES-SOURCE-ARN and X-SES-FROM-ARN, so it is told as both.

    Raises:
        Refused: With the codes of the Query API, which :mod:`relay.localses.app` puts into those of v2.
    """
    content = object_in(asked.get("Content"), "Content")
    if "Raw" not in content:
        raise invalid("This embedded SES takes Content.Raw only.")
    data = text_in(object_in(content["Raw"], "Content.Raw"), "Data")
    if data is None:
        raise invalid("Content.Raw.Data is missing.")
    check_length(len(data), LONGEST_ENCODED)
    to = object_in(asked.get("Destination", {}), "Destination")
    from_arn = text_in(asked, "FromEmailAddressIdentityArn")
    return checked(
        RawEmail(
            source=text_in(asked, "FeedbackForwardingEmailAddress") or text_in(asked, "FromEmailAddress"),
            source_arn=from_arn,
            from_arn=from_arn,
            return_path_arn=text_in(asked, "FeedbackForwardingEmailAddressIdentityArn"),
            destinations=tuple(
                text_of(address, name)
                for name in ("ToAddresses", "CcAddresses", "BccAddresses")
                for address in list_in(to, name)
            ),
            configuration_set=text_in(asked, "ConfigurationSetName"),
            tags=read_tags([_tag(tag) for tag in list_in(asked, "EmailTags")]),
            raw=decoded(data, "Content.Raw.Data"),
        )
    )


def _tag(tag: Any) -> dict[str, str]:
    return {name: text_of(value, name) for name, value in object_in(tag, "a tag").items()}
