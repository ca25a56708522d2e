"""
What becomes of an accepted message: nothing is delivered, and the mailbox simulator's addresses answer as documented.

SES Developer Guide, "Sending test emails in Amazon SES with the simulator".
"""

import base64
from collections.abc import Iterator, Sequence
from typing import Final

from relay.localses.addresses import one_address
from relay.localses.events import Event, bounce, complaint, delivery, event
from relay.localses.store import Message

DOMAIN: Final = "simulator.amazonses.com"

_BOUNCES: Final = "bounce"
_SUPPRESSED: Final = "suppressionlist"
_COMPLAINS: Final = "complaint"
_AWAY: Final = "ooto"
_MAILBOXES: Final = frozenset({"success", _BOUNCES, _SUPPRESSED, _COMPLAINS, _AWAY})

#: The antivirus industry's test file: its name, and the beginning of the whole in base64; neither is the file itself.
_TEST_VIRUS: Final = (
    b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!",
    base64.b64encode(b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR"),  # 33 octets: what follows changes nothing
)


def is_simulated(address: str) -> bool:
    """Whether it is a mailbox of the simulator, labels aside (``bounce+label1@``): free of the daily quota."""
    return _mailbox(address) in _MAILBOXES


def counted(destinations: Sequence[str]) -> int:
    """Return how many of the recipients count towards the daily quota."""
    return sum(not is_simulated(one_address(each)) for each in destinations)


def what_becomes_of(message: Message, now: float) -> Iterator[Event]:
    """
    Yield the events of an accepted message in order.

    One with the test virus is rejected and goes nowhere. Bounces of one kind come in one event.
    """
    if any(mark in message.raw for mark in _TEST_VIRUS):
        yield event("Reject", {"reason": "Bad content"}, now)
        return
    yield event("Send", {}, now)
    by_mailbox: dict[str, list[str]] = {}
    for address in map(one_address, message.destinations):
        by_mailbox.setdefault(_mailbox(address), []).append(address)
    bounced = by_mailbox.pop(_BOUNCES, [])
    suppressed = by_mailbox.pop(_SUPPRESSED, [])
    if delivered := [address for addresses in by_mailbox.values() for address in addresses]:
        yield delivery(delivered, message.received_at, now)
    if bounced:
        yield bounce(bounced, now)
    if suppressed:
        yield bounce(suppressed, now, "Permanent", "Suppressed")
    if away := by_mailbox.get(_AWAY):
        yield bounce(away, now, "Transient", "General")
    if complaining := by_mailbox.get(_COMPLAINS):
        yield complaint(complaining, now)


def _mailbox(address: str) -> str:
    """The simulator's mailbox of an address; of any other address, nothing."""
    local, _, domain = address.rpartition("@")
    name = local.partition("+")[0].lower()
    return name if domain.lower() == DOMAIN and name in _MAILBOXES else ""
