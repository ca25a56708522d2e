"""The Received field by which a message shows where it has been (RFC 5321 section 4.4)."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from relay.words.transactions import Envelope, Session

#: Stands after our name in our own fields, so that a neighbour with the same host name is not taken for us.
PRODUCT: Final = "ses-relay"

_NOT_A_NAME = re.compile(r"[^A-Za-z0-9.:_-]")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIELD: Final = "Received:"
_LONGEST_LINE: Final = 78
_LONGEST_NAME: Final = 255


def received_field(session: Session, hostname: str, envelope: Envelope, second: int) -> str:
    """
    Write our Received field, its final CRLF included, folded at 78 octets where its words allow.

    Whatever came from the client is reduced to the letters of host names. The recipient is named only when it is the
    only one: else each would learn of the others (RFC 5321 section 7.2).

    Args:
        hostname: Ours, as in the greeting.
        second: Since the epoch.
    """
    beginning, by = _way(session.helo, session.client, session.protocol, hostname)
    named = f"{by} id {_name(envelope.id)}"
    recipients = envelope.forward_paths
    clauses = (named, f"for <{recipients[0]!s}>;") if len(recipients) == 1 else (f"{named};",)
    return _folded(beginning, (*clauses, _date(second))) + "\r\n"


@lru_cache(maxsize=256)
def _way(helo: str, client: str, protocol: str, hostname: str) -> tuple[str, str]:
    """Write the beginning, and that of the clause behind it: a client's messages have them in common."""
    ways = f"from {_greeting(helo)} ({_literal(client)})", f"by {_name(hostname)} ({PRODUCT})"
    return _folded(_FIELD, ways), f"with {_name(protocol)}"


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return date_time(datetime.fromtimestamp(second, UTC))


def date_time(now: datetime) -> str:
    """Write *now* as RFC 5322 section 3.3 does, in English whatever the locale."""
    offset = "+0000" if now.tzinfo is UTC else f"{now:%z}"
    time = f"{now.hour:02}:{now.minute:02}:{now.second:02} {offset}"
    return f"{_DAYS[now.weekday()]}, {now.day} {_MONTHS[now.month - 1]} {now.year:04} {time}"


def _folded(text: str, clauses: Sequence[str]) -> str:
    """Go on with *clauses* behind *text*, on a new line where one has no room."""
    used = len(text) - (text.rfind("\n") + 1)
    for clause in clauses:
        used += 1 + len(clause)
        if used > _LONGEST_LINE and text != _FIELD:
            text = f"{text}\r\n {clause}"
            used = 1 + len(clause)
        else:
            text = f"{text} {clause}"
    return text


def _greeting(helo: str) -> str:
    name = _name(helo)
    return f"[{name}]" if helo.startswith("[") and helo.endswith("]") else name


def _name(text: str) -> str:
    if text.isalnum() and text.isascii() and len(text) <= _LONGEST_NAME:  # as our own ids are
        return text
    return _NOT_A_NAME.sub("", text.strip("[]"))[:_LONGEST_NAME] or "unknown"


def _literal(address: str) -> str:
    """Write the client's address as an address literal (RFC 5321 section 4.1.3)."""
    name = _name(address)
    return f"[IPv6:{name}]" if ":" in name and not name.lower().startswith("ipv6:") else f"[{name}]"
