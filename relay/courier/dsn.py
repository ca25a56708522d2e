"""
The delivery status notification that a message owes which failed after its client heard 250 (RFC 3464, RFC 6522).

Its author is the relay; it repeats the header of the message, never its body, and is marked so that no software
answers it (RFC 3834).
"""

import re
from datetime import datetime
from typing import Final

from relay.mail.received import date_time
from relay.words.addresses import Address
from relay.words.values import dataclass

#: Octets of the original header section that are repeated, cut at a line's end.
LONGEST_HEADER: Final = 16_384
#: Recipients that are named; a notification is for people.
MOST_RECIPIENTS: Final = 100
_LONGEST_LINE: Final = 900
_STATUS = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})\b", re.ASCII)
_MESSAGE_ID = re.compile(
    rb"^message-id:[ \t]*(?:\r\n[ \t]+)?(<[!-;=?-~]{1,250}>)[ \t]*\r$", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """
    What is told. ``recipients``: those that will not get the message, each with the reason in words. ``maybe_sent``:
    SES may have the message after all. ``message_id`` names the decision, as the client's reply and the log do.
    """

    message_id: str
    arrived_at: datetime
    recipients: tuple[tuple[str, str], ...]
    maybe_sent: bool
    raw: bytes


def notification(
    undelivered: Undelivered, *, name: str, author: Address, to: Address, hostname: str, now: datetime
) -> bytes:
    """
    Write the notification, ready for SES: CRLF, 7-bit but for what the original header holds.

    Args:
        name: What makes its Message-ID: no other notification has it.
        author: The configured sender of notifications.
        to: Where bounces of the message go.
        hostname: Ours, which reports.
        now: Timezone-aware.
    """
    boundary = f"=_{undelivered.message_id}"
    original = _MESSAGE_ID.search(_header_of(undelivered.raw) + b"\r\n")
    header = [
        f"From: Mail relay <{author}>",
        f"To: <{to}>",
        "Subject: Not delivered",
        f"Date: {date_time(now)}",
        f"Message-ID: <{name}.notification@{hostname}>",
        *([f"In-Reply-To: {original[1].decode('ascii')}"] if original else ()),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Transfer-Encoding: 8bit",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f' boundary="{boundary}"',
    ]
    parts = (
        ("text/plain; charset=us-ascii", _for_people(undelivered, hostname)),
        ("message/delivery-status", _for_machines(undelivered, hostname)),
    )
    lines = [*header, ""]
    for kind, text in parts:
        lines += [f"--{boundary}", f"Content-Type: {kind}", "", *text]
    lines += [f"--{boundary}", "Content-Type: text/rfc822-headers", "Content-Transfer-Encoding: 8bit", "", ""]
    return "\r\n".join(lines).encode("ascii") + _header_of(undelivered.raw) + f"\r\n--{boundary}--\r\n".encode()


def _for_people(undelivered: Undelivered, hostname: str) -> list[str]:
    told = [
        "This message was accepted and could not be delivered. It will not be tried again.",
        "",
        f"Relay:    {hostname}",
        f"Message:  {undelivered.message_id}",
        f"Accepted: {date_time(undelivered.arrived_at)}",
        "",
    ]
    if undelivered.maybe_sent:
        told += ["Amazon SES did not answer one attempt: some recipients may have the message after all.", ""]
    for recipient, why in undelivered.recipients[:MOST_RECIPIENTS]:
        told += [f"<{recipient}>", f"    {_line(why)}"]
    if len(undelivered.recipients) > MOST_RECIPIENTS:
        told.append(f"and {len(undelivered.recipients) - MOST_RECIPIENTS} more recipients")
    return [*told, "", "The operator of the relay can explain it by the number of the message.", ""]


def _for_machines(undelivered: Undelivered, hostname: str) -> list[str]:
    fields = [
        f"Reporting-MTA: dns; {hostname}",
        f"Original-Envelope-Id: {undelivered.message_id}",
        f"Arrival-Date: {date_time(undelivered.arrived_at)}",
        "",
    ]
    for recipient, why in undelivered.recipients[:MOST_RECIPIENTS]:
        fields += [
            f"Final-Recipient: rfc822; {recipient}",
            "Action: failed",
            f"Status: {_status(why)}",
            f"Diagnostic-Code: smtp; {_line(why)}",
            "",
        ]
    return fields


def _status(why: str) -> str:
    """The enhanced status code in *why*; what was temporary until time ran out is 4.4.7 (RFC 3463)."""
    found = _STATUS.search(why)
    return ".".join(found.groups()) if found else "4.4.7"


def _line(text: str) -> str:
    """One line of printable ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:_LONGEST_LINE]


def _header_of(raw: bytes) -> bytes:
    """The header section of the message, as a whole or cut at a line's end."""
    header = raw[: raw.find(b"\r\n\r\n") + 2] if b"\r\n\r\n" in raw else raw
    return header if len(header) <= LONGEST_HEADER else header[: header.rfind(b"\r\n", 0, LONGEST_HEADER) + 2]
