"""The delegates' own limits: recipients a second, and recipients in 24 hours."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from relay.sending.pace.bucket import Bucket
from relay.sending.pace.day import Day
from relay.sending.ports import NotNow, Restraint
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """What one delegate may send, in recipients; None is no limit."""

    rate: float | None = None
    daily: int | None = None


class Shares:
    """
    Counts every delegate against its share. ``shares`` may be replaced at any time; what was counted stays.

    ``restraint`` tells what a delegate's bounces and complaints cost it, None for nothing; asked at every message.
    Counted here, by this relay, since its start: SES knows nothing of delegates.
    """

    def __init__(self, shares: Mapping[str, Share]) -> None:
        self.shares = shares
        self.restraint: Callable[[str], Restraint | None] = lambda _: None
        self._buckets: dict[str, Bucket] = {}
        self._days: dict[str, Day] = {}

    def take(self, delegate: str, recipients: int, now: float, *, patience: float) -> float | NotNow:
        """
        Count a message, and return after how many seconds it may go; NotNow, and nothing counted, if those are more
        than *patience*.
        """
        share = self.shares.get(delegate, _UNLIMITED)
        restraint = self.restraint(delegate) or _UNRESTRAINED
        if restraint.barred is not None:
            return restraint.barred
        day = None if share.daily is None else self._days.setdefault(delegate, Day())
        if day is not None and share.daily is not None and day.count(now) + recipients > share.daily:
            text = f"Throttling failure: delegate {delegate} may send to {share.daily} recipients in 24 hours"
            return NotNow(day.seconds_until(recipients, share.daily, now), throttled(text), Reason.QUOTA)
        seconds = 0.0
        rate = slower(share.rate, restraint.rate)
        if rate is not None:
            bucket = self._bucket(delegate, rate, now)
            seconds = bucket.wait(rate)
            if seconds > patience:
                why = f" ({restraint.why})" if restraint.rate == rate else ""
                text = f"Throttling failure: delegate {delegate} may send to {rate:.3g} recipients a second{why}"
                return NotNow(seconds, throttled(text), Reason.RATE)
            bucket.take(recipients)
        if day is not None:
            day.add(recipients, now)
        return seconds

    async def turn(self, delegate: str, recipients: int, now: float, *, patience: float) -> NotNow | None:
        """Wait until a message may go, at most *patience* seconds, and count it."""
        seconds = self.take(delegate, recipients, now, patience=patience)
        if isinstance(seconds, NotNow):
            return seconds
        if seconds > 0:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                self.give_back(delegate, recipients, now)
                raise
        return None

    def bind(self, delegate: str) -> bool:
        """Whether there is anything that binds a delegate now."""
        share = self.shares.get(delegate, _UNLIMITED)
        return share.rate is not None or share.daily is not None or self.restraint(delegate) is not None

    def give_back(self, delegate: str, recipients: int, now: float) -> None:
        """SES did not take the message: it does not count for the day. That it was tried still counts for the rate."""
        if delegate in self._days:
            self._days[delegate].add(-recipients, now)

    def sent_today(self, delegate: str, now: float) -> int | None:
        """How many recipients of the last 24 hours count; None for a delegate without a daily limit."""
        return self._days[delegate].count(now) if delegate in self._days else None

    async def close(self) -> None:
        """Let go: nothing is held here."""

    def _bucket(self, delegate: str, rate: float, now: float) -> Bucket:
        most = max(1.0, rate)
        bucket = self._buckets.setdefault(delegate, Bucket(most, now))
        bucket.fill(rate, most, now)
        return bucket


def slower(one: float | None, other: float | None) -> float | None:
    """Return the smaller of two rates, None being none."""
    return min((rate for rate in (one, other) if rate is not None), default=None)


def throttled(text: str) -> Reply:
    """Return what a client is told that has to wait."""
    return Reply(454, (4, 7, 0), text)


_UNLIMITED: Final = Share()
_UNRESTRAINED: Final = Restraint()
