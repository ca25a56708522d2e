"""The back door as reception and courier see it."""

from typing import Final, Protocol

from relay.sending.answers import TRY_LATER
from relay.sending.outcomes import Deferred, Mail, Outcome
from relay.sending.troubles import Lane
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import dataclass


class Sender(Protocol):
    """Hands one message to SES, at most once a call."""

    async def send(self, mail: Mail, region: str) -> Outcome:
        """
        Send *mail* through SES in *region* and tell what came of it.

        Every failure of the world is an Outcome; nothing is repeated behind the caller's back. After a cancellation SES
        may or may not have the message.
        """


@dataclass(frozen=True, slots=True)
class Turn:
    """What wants to go: so many ``recipients`` of a delegate's message, on a lane."""

    lane: Lane
    delegate: str
    recipients: int


@dataclass(frozen=True, slots=True)
class NotNow:
    """No turn within the patience; nothing was taken. ``seconds``: when to ask again; the rest is for the client."""

    seconds: float
    reply: Reply
    reason: Reason


@dataclass(frozen=True, slots=True)
class Restraint:
    """
    What its standing costs a delegate: a pace of ``rate`` recipients a second, or every turn, ``barred``.

    ``why``: a sentence.
    """

    rate: float | None = None
    barred: NotNow | None = None
    why: str = ""


class Gatekeeper(Protocol):
    """What is known of SES's troubles. Who was admitted owes ``told``, or ``leave`` when no call was made."""

    def admit(self, lane: Lane) -> bool:
        """Whether a message may be tried on *lane* now."""

    def leave(self, lane: Lane) -> None:
        """Nothing was tried after all."""

    def told(self, lane: Lane, outcome: Outcome) -> None:
        """Learn from what came of a call."""

    def reason(self, lane: Lane) -> Reason:
        """Why *lane* is shut, as it is counted."""


#: What a pace is told of a turn that was taken for nothing.
NOT_MADE: Final = Deferred("NotMade", "no call was made", TRY_LATER, Reason.NONE)


class Pace(Protocol):
    """
    How fast mail may go: the account's rate and quota, the delegates' shares of it.

    Whoever has taken a turn tells what came of it, ``NOT_MADE`` if there was no call.
    """

    async def take(self, turn: Turn, *, patience: float) -> NotNow | None:
        """Wait for a turn, at most *patience* seconds. None: send now."""

    def told(self, turn: Turn, outcome: Outcome) -> None:
        """Hear what came of a call: throttled means slower."""


class AtOnce:
    """No pace: everything goes at once, and SES itself throttles."""

    async def take(self, turn: Turn, *, patience: float) -> NotNow | None:  # noqa: ARG002 - nobody waits here
        """Send now."""
        return None

    def told(self, turn: Turn, outcome: Outcome) -> None:
        """Learn nothing."""
