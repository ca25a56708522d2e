"""The delegates' own limits, counted over all relays."""

from collections.abc import Callable, Mapping
from typing import Final

from relay.sending.pace.lanes import PacedLane
from relay.sending.pace.shares import Share, Shares, slower, throttled
from relay.sending.pace.speed import Speed
from relay.sending.ports import NotNow, Restraint
from relay.shared.days import SharedDays
from relay.shared.supply import LaneSupply
from relay.words.endings import Reason

_UNLIMITED: Final = Share()
_UNRESTRAINED: Final = Restraint()


class SharedShares(Shares):
    """
    A relay's view of limits that hold for all of them together.

    Args:
        shares: The limits, by delegate.
        days: Where recipients of 24 hours are counted.
        limit: Makes the turns of a delegate whose rate is limited.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        shares: Mapping[str, Share],
        days: SharedDays,
        limit: Callable[[str, Speed], LaneSupply],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(shares)
        self._shared_days = days
        self._limit = limit
        self._clock = clock
        self._lanes: dict[str, PacedLane] = {}
        days.limits = lambda: {name: each.daily for name, each in self.shares.items() if each.daily is not None}

    async def turn(self, delegate: str, recipients: int, now: float, *, patience: float) -> NotNow | None:
        """Wait until a message may go, at most *patience* seconds, and count it."""
        share = self.shares.get(delegate, _UNLIMITED)
        restraint = self.restraint(delegate) or _UNRESTRAINED
        if restraint.barred is not None:
            return restraint.barred
        if share.daily is not None:
            seconds = await self._shared_days.take(delegate, recipients, share.daily)
            if seconds > 0:
                text = f"Throttling failure: delegate {delegate} may send to {share.daily} recipients in 24 hours"
                return NotNow(seconds, throttled(text), Reason.QUOTA)
        rate = slower(share.rate, restraint.rate)
        if rate is None:
            return None
        not_now: NotNow | None = None
        went = False
        try:
            not_now = await self._lane(delegate, rate).take(delegate, recipients, patience - (self._clock() - now))
            went = not_now is None
        finally:
            if not went:
                self.give_back(delegate, recipients, now)
        if not_now is None:
            return None
        why = f" ({restraint.why})" if restraint.rate == rate else ""
        text = f"Throttling failure: delegate {delegate} may send to {rate:.3g} recipients a second{why}"
        return NotNow(not_now.seconds, throttled(text), Reason.RATE)

    def give_back(self, delegate: str, recipients: int, now: float) -> None:  # noqa: ARG002 - its own clock
        """SES did not take the message: it does not count for the day. That it was tried still counts for the rate."""
        if self.shares.get(delegate, _UNLIMITED).daily is not None:
            self._shared_days.give_back(delegate, recipients)

    def sent_today(self, delegate: str, now: float) -> int | None:  # noqa: ARG002 - its own clock
        """How many recipients of the last 24 hours count, at all relays; None for a delegate without a daily limit."""
        return self._shared_days.counted(delegate)

    async def close(self) -> None:
        """Give back what is not used."""
        for lane in self._lanes.values():
            if lane.supply is not None:
                await lane.supply.close()

    def _lane(self, delegate: str, rate: float) -> PacedLane:
        lane = self._lanes.get(delegate)
        if lane is None:
            speed = Speed(wanted=rate)
            lane = self._lanes[delegate] = PacedLane(self._clock, speed, self._limit(delegate, speed))
        lane.speed.wanted = rate
        return lane
