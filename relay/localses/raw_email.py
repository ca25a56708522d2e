"""SendRawEmail: the parameters of a request, checked as SES checks them."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from relay.localses.addresses import one_address
from relay.localses.message import authors_of, check_length, check_message, recipients_of
from relay.localses.query import read_list, read_structures
from relay.localses.refusals import Refused, invalid
from relay.words.values import dataclass

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
    check_length(len(raw))
    return checked(
        RawEmail(
            source=parameters.get("Source"),
            source_arn=parameters.get("SourceArn"),
            from_arn=parameters.get("FromArn"),
            return_path_arn=parameters.get("ReturnPathArn"),
            destinations=tuple(read_list(parameters, "Destinations")),
            configuration_set=parameters.get("ConfigurationSetName"),
            tags=read_tags(read_structures(parameters, "Tags", {"Name", "Value"})),
            raw=raw,
        )
    )


def checked(asked: RawEmail) -> RawEmail:
    """
    Check what both APIs check, and find the recipients where none were named.

    Raises:
        Refused: InvalidParameterValue, in SES's words where they are known.
    """
    if asked.source is not None:
        one_address(asked.source)
    _check_count(asked.destinations)
    for destination in asked.destinations:
        one_address(destination)
    for name, arn in (
        ("SourceArn", asked.source_arn),
        ("FromArn", asked.from_arn),
        ("ReturnPathArn", asked.return_path_arn),
    ):
        _check_arn(name, arn)
    check_configuration_set(asked.configuration_set)
    fields = check_message(asked.raw)
    if not authors_of(fields) and asked.source is None:
        raise invalid("Missing required header 'From'.")
    if asked.destinations:
        return asked
    named = recipients_of(fields)
    _check_count(named)
    if not named:
        raise invalid("Missing required header 'To'.")
    return replace(asked, destinations=tuple(named))


def _raw(parameters: Mapping[str, str]) -> bytes:
    text = parameters.get("RawMessage.Data")
    if text is None:
        member = "rawMessage.data" if any(name.startswith("RawMessage") for name in parameters) else "rawMessage"
        raise Refused(
            "ValidationError",
            f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
            "Member must not be null",
        )
    return decoded(text, "RawMessage.Data")


def decoded(text: str, name: str) -> bytes:
    """
    Decode a message; blanks and line ends between its letters are nothing.

    Raises:
        Refused: MalformedInput or InvalidParameterValue.
    """
    try:
        raw = base64.b64decode(text.translate(_BLANKS), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("MalformedInput", f"{name} is not base64.") from None
    if not raw:
        raise invalid("The raw message is empty.")
    return raw


def _check_count(destinations: Sequence[str]) -> None:
    if len(destinations) > MOST_RECIPIENTS:
        raise invalid(f"Recipient count exceeds {MOST_RECIPIENTS}.")


def _check_arn(name: str, arn: str | None) -> None:
    if arn is not None and not _IDENTITY_ARN.fullmatch(arn):
        raise invalid(f"{name} is not the ARN of an SES identity.")


def check_configuration_set(name: str | None) -> None:
    """
    Check the name of a configuration set, if there is one.

    Raises:
        Refused: InvalidParameterValue.
    """
    if name is not None and (not _NAME.fullmatch(name) or len(name) > 64):
        raise invalid(
            f"Invalid configuration set name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, "
            "64 at most."
        )


def read_tags(structures: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """
    Read name and value of each tag.

    Raises:
        Refused: ValidationError or InvalidParameterValue.
    """
    tags: dict[str, str] = {}
    for number, tag in enumerate(structures, start=1):
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
