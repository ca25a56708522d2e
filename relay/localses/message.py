"""The message itself as SES looks at it: header fields, those that may occur once, and the length of lines."""

import re
from collections.abc import Sequence
from typing import Final

from relay.localses.addresses import addresses_in
from relay.localses.refusals import invalid
from relay.words.values import dataclass

LONGEST_MESSAGE: Final = 10_485_760
"""Octets of a v1 message (SES Developer Guide, "Service quotas in Amazon SES")."""

LONGEST_ENCODED: Final = 40 * 1024 * 1024
"""Octets of a v2 message in base64 (the same page)."""

LONGEST_LINE: Final = 998
"""Octets of a line without its end (SendRawEmail: 1000 with it)."""

ONCE: Final = (
    "Accept-Language acceptLanguage Archived-At Auto-Submitted Bounces-to Comments Content-Alternative Content-Base "
    "Content-Class Content-Description Content-Disposition Content-Duration Content-ID Content-Language Content-Length "
    "Content-Location Content-MD5 Content-Transfer-Encoding Content-Type Date Delivered-To "
    "Disposition-Notification-Options Disposition-Notification-To DKIM-Signature DomainKey-Signature Errors-To From "
    "Importance In-Reply-To Keywords List-Archive List-Help List-Id List-Owner List-Post List-Subscribe "
    "List-Unsubscribe List-Unsubscribe-Post Message-Context Message-ID MIME-Version Organization Original-From "
    "Original-Message-ID Original-Recipient Original-Subject Precedence Priority References Reply-To Return-Path "
    "Return-Receipt-To Sender Solicitation Sensitivity Subject Thread-Index Thread-Topic User-Agent VBR-Info"
)
"""Fields that may occur once (SES Developer Guide, "Amazon SES header fields")."""

_ONCE: Final = {name.lower(): name for name in ONCE.split()}
_LINE_END = re.compile(r"\r\n|\n|\r")
_END_OF_HEADER = re.compile(rb"(?:\A|\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")


@dataclass(frozen=True, slots=True)
class Field:
    """One header field, unfolded; the name as spelt, without the blanks before its colon."""

    name: str
    value: str


def check_message(raw: bytes) -> list[Field]:
    """
    Check header fields and lines of *raw*; return its header fields.

    Raises:
        Refused: InvalidParameterValue with what is wrong.
    """
    fields = read_fields(raw)
    _check_names(fields)
    _check_lines(raw)
    return fields


def check_length(octets: int, longest: int = LONGEST_MESSAGE) -> None:
    """
    Check how many *octets* a message has.

    Raises:
        Refused: InvalidParameterValue.
    """
    if octets > longest:
        raise invalid(f"Message length is more than {longest} bytes long: '{octets}'.")


def read_fields(raw: bytes) -> list[Field]:
    """
    Read the header: up to the first empty line, whichever of CRLF, LF and CR ends the lines.

    A line without a colon is no field and is passed over, as JavaMail does.
    """
    end = _END_OF_HEADER.search(raw)
    text = (raw[: end.start()] if end else raw).decode("utf-8", "replace")
    unfolded: list[str] = []
    for line in _LINE_END.split(text):
        if line[:1] in {" ", "\t"} and unfolded:
            unfolded[-1] += line
        elif line:
            unfolded.append(line)
    parts = [line.partition(":") for line in unfolded]
    return [Field(name.rstrip(), value.strip()) for name, colon, value in parts if colon]


def values_of(fields: Sequence[Field], name: str) -> list[str]:
    """Return the values of every field called *name*, in order."""
    return [field.value for field in fields if field.name.lower() == name.lower()]


def authors_of(fields: Sequence[Field]) -> list[str]:
    """
    Return the bare addresses of the From field, none where there is none.

    Raises:
        Refused: InvalidParameterValue with what is wrong in it.
    """
    return [address for value in values_of(fields, "From") for address in addresses_in(value)]


def recipients_of(fields: Sequence[Field]) -> list[str]:
    """
    Return the bare addresses of To, Cc and Bcc, which SES mails when a request names no destinations.

    Raises:
        Refused: InvalidParameterValue with what is wrong in them.
    """
    return [a for name in ("To", "Cc", "Bcc") for value in values_of(fields, name) for a in addresses_in(value)]


def _check_names(fields: Sequence[Field]) -> None:
    seen: set[str] = set()
    for field in fields:
        name = field.name.lower()
        if not name:
            raise invalid("Empty header names are illegal.")
        if name in _ONCE and name in seen:
            raise invalid(f"Duplicate header '{_ONCE[name]}'.")
        seen.add(name)


def _check_lines(raw: bytes) -> None:
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if len(line) > LONGEST_LINE and any(len(part) > LONGEST_LINE for part in line.split(b"\r")):
            raise invalid(f"Line {number} is longer than {LONGEST_LINE + 2} bytes, line end included.")
