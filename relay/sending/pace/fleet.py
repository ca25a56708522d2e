"""The pace as many relays share it: what a lane and the delegates' limits ask of whatever they share it through."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

from relay.sending.keys import Unusable
from relay.sending.pace.line import Waiting
from relay.sending.pace.quota import SendQuota
from relay.sending.pace.shares import Share, Shares
from relay.sending.pace.speed import Speed

#: Asks SES for the quota of an account and region.
AskQuota: TypeAlias = Callable[[str, str], Awaitable[SendQuota | Unusable]]


class Supply(Protocol):
    """
    Turns that all relays share, for one lane of this one.

    While it is not there the lane goes by its own :class:`relay.sending.pace.speed.Speed`, which the supply bounds to
    this relay's part.
    """

    @property
    def is_there(self) -> bool:
        """Whether turns come from here."""

    @property
    def rate(self) -> float:
        """How fast all relays together may go, in recipients a second."""

    @property
    def elsewhere(self) -> int:
        """Recipients that SES took from other relays since :meth:`learned`."""

    def attend(self, waiting: Waiting, serve: Callable[[], None]) -> None:
        """Look at who is *waiting*, and call *serve* whenever there may be more, or less, than :meth:`wait` said."""

    def wait(self, recipients: int) -> float:
        """Seconds until a message of so many may go, infinite for when *serve* is called."""

    def take(self, recipients: int) -> None:
        """Let a message of so many go."""

    def went(self, delegate: str, recipients: int) -> None:
        """Hear whose message went."""

    def accepted(self, recipients: int) -> None:
        """Hear that SES took a message."""

    def throttled(self) -> None:
        """Hear that SES had enough."""

    def learned(self, rate: float) -> None:
        """Hear what SES told."""

    async def close(self) -> None:
        """Give back what is not used."""


class Fleet(Protocol):
    """All relays that share a pace."""

    def supply(self, account: Callable[[], str], region: str, speed: Speed) -> Supply:
        """Return the turns of an account, by the name that it has now, and region; *speed* is the lane's own."""

    def quota(self, ask: AskQuota, named: Callable[[str], str]) -> AskQuota:
        """Return *ask*, made for all: one relay asks SES and the others hear; *named* is what accounts are called."""

    def shares(self, shares: Mapping[str, Share]) -> Shares:
        """Return the delegates' limits, counted over all relays."""
