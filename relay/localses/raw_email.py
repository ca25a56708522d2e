"""SendRawEmail: the parameters of a request, checked as SES checks them."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.localses.addresses import one_address
from relay.localses.message import authors_of, check_message, recipients_of
from relay.localses.query import read_list, read_structures
from relay.localses.refusals import Refused, invalid

MOST_RECIPIENTS: Final = 50

_IDENTITY_ARN = re.compile(r"arn:aws[a-z-]*:ses:(?:[a-z0-9-]+|\*):[A-Za-z0-9]+:identity/[!-~]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_BLANKS: Final = str.maketrans("", "", " \t\r\n")


@dataclass(frozen=True, slots=True)
class RawEmail:
    """
    One accepted request: what was asked, as it was spelt; None where a parameter is absent.

    ``destinations`` are those of the request, or, where it named none, the addresses of To, Cc and Bcc.
    """

    source: str | None
    source_arn: str | None
    from_arn: str | None
    return_path_arn: str | None
    destinations: tuple[str, ...]
    configuration_set: str | None
    tags: dict[str, str]
    raw: bytes


def read_raw_email(parameters: Mapping[str, str]) -> RawEmail:
    """
    Read and check the parameters of SendRawEmail (SES API Reference, "SendRawEmail").

    Raises:
        Refused: ValidationError, MalformedInput or InvalidParameterValue, in SES's words where they are known.
    """
    raw = _raw(parameters)
    source = parameters.get("Source")
    if source is not None:
        one_address(source)
    destinations = read_list(parameters, "Destinations")
    _check_count(destinations)
    for destination in destinations:
        one_address(destination)
    arns = {name: _arn(parameters, name) for name in ("SourceArn", "FromArn", "ReturnPathArn")}
    configuration_set = _configuration_set(parameters)
    tags = _tags(parameters)
    fields = check_message(raw)
    if not authors_of(fields) and source is None:
        raise invalid("Missing required header 'From'.")
    if not destinations:
        destinations = recipients_of(fields)
        _check_count(destinations)
    if not destinations:
        raise invalid("Missing required header 'To'.")
    return RawEmail(
        source=source,
        source_arn=arns["SourceArn"],
        from_arn=arns["FromArn"],
        return_path_arn=arns["ReturnPathArn"],
        destinations=tuple(destinations),
        configuration_set=configuration_set,
        tags=tags,
        raw=raw,
    )


def _raw(parameters: Mapping[str, str]) -> bytes:
    text = parameters.get("RawMessage.Data")
    if text is None:
        member = "rawMessage.data" if any(name.startswith("RawMessage") for name in parameters) else "rawMessage"
        raise Refused(
            "ValidationError",
            f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
            "Member must not be null",
        )
    try:
        raw = base64.b64decode(text.translate(_BLANKS), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("MalformedInput", "RawMessage.Data is not base64.") from None
    if not raw:
        raise invalid("The raw message is empty.")
    return raw


def _check_count(destinations: list[str]) -> None:
    if len(destinations) > MOST_RECIPIENTS:
        raise invalid(f"Recipient count exceeds {MOST_RECIPIENTS}.")


def _arn(parameters: Mapping[str, str], name: str) -> str | None:
    arn = parameters.get(name)
    if arn is not None and not _IDENTITY_ARN.fullmatch(arn):
        raise invalid(f"{name} is not the ARN of an SES identity.")
    return arn


def _configuration_set(parameters: Mapping[str, str]) -> str | None:
    name = parameters.get("ConfigurationSetName")
    if name is not None and (not _NAME.fullmatch(name) or len(name) > 64):
        raise invalid(
            f"Invalid configuration set name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, "
            "64 at most."
        )
    return name


def _tags(parameters: Mapping[str, str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for number, tag in enumerate(read_structures(parameters, "Tags", {"Name", "Value"}), start=1):
        for member in ("Name", "Value"):
            if member not in tag:
                raise Refused(
                    "ValidationError",
                    f"1 validation error detected: Value null at 'tags.{number}.member.{member.lower()}' failed to "
                    "satisfy constraint: Member must not be null",
                )
            _check_tag(member.lower(), tag[member])
        if tag["Name"] in tags:
            raise invalid(f"Duplicate tag name <{tag['Name']}>.")
        tags[tag["Name"]] = tag["Value"]
    return tags


def _check_tag(member: str, text: str) -> None:
    if not _NAME.fullmatch(text) or len(text) > 256:
        raise invalid(
            f"Invalid tag {member} <{text}>: only alphanumeric ASCII characters, '_', and '-' are allowed, 256 at most."
        )
