"""
One message at rest, and what may become of it.

An entry holds the message as it was accepted, not as it will be sent: every attempt reads, judges and rewrites it
again, so that a policy withdrawn after 250 still counts.
"""

from dataclasses import field
from enum import StrEnum

from relay.words.endings import Reason
from relay.words.transactions import Envelope, Session
from relay.words.values import dataclass


class State(StrEnum):
    """Where an entry stands; the table in docs/reliability.md says what exists on disk and what a crash does."""

    DUE = "due"  # to be sent at due_at, or later
    SENDING = "sending"  # an attempt was registered and has not been settled
    HELD = "held"  # waits for a person, or for trouble of the account to end
    FAILED = "failed"  # never to be sent; kept for its notification, then for people, until due_at
    QUARANTINED = "quarantined"  # damaged, foreign, or alone in flight in too many crashes: never sent by itself


class Kind(StrEnum):
    """Whose message it is."""

    MESSAGE = "message"
    NOTIFICATION = "notification"  # a DSN of ours: about it no DSN is ever written


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Recipients that go to SES in one call (50 at most), and SES's message id once it took them.

    ``refused``: SES's or the judge's final no to this batch, in words; it is not sent again.
    """

    recipients: tuple[str, ...]
    ses_id: str | None = None
    refused: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has yet to be sent."""
        return self.ses_id is None and self.refused is None


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One accepted message. Times are seconds since the epoch.

    ``id`` is the queue id, the envelope's id; ``size`` counts the body's octets. ``attempts`` were registered before
    they were made; ``crashes`` of them were found unsettled by a later start, alone in flight; after ``maybe`` of them
    SES may have the message. ``batches`` is in the order of the envelope's recipients. ``reason`` and ``last`` tell of
    the last failure, in the words of metrics and of people; ``version`` grows with every change of the entry.
    """

    id: str
    session: Session
    envelope: Envelope
    accepted_at: float
    size: int
    batches: tuple[Batch, ...]
    kind: Kind = Kind.MESSAGE
    state: State = State.DUE
    due_at: float = 0.0
    attempts: int = 0
    crashes: int = 0
    maybe: int = 0
    reason: Reason = Reason.NONE
    last: str = ""
    details: dict[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def delegate(self) -> str:
        """Whose mail it is."""
        return self.session.delegate

    @property
    def is_divided(self) -> bool:
        """Whether it goes to SES in several calls."""
        return len(self.batches) > 1
