"""How often SES may be asked, in one account and region: a budget that shrinks while SES throttles. Pure."""

import math
from typing import Final

from relay.words.values import dataclass

#: Calls that may be made one soon after the other, when none were made for a while.
BURST: Final = 3.0
#: A budget never falls below this part of itself, or nothing would tell that SES listens again.
LEAST: Final = 1 / 64
#: What each answered call gives back of the whole after SES throttled.
REGAIN: Final = 1 / 16

_ALMOST_ONE: Final = 1.0 - 1e-9


@dataclass(slots=True)
class Bucket:
    """Turns that come back with time, ``burst`` at most. Times are monotonic seconds."""

    burst: float
    turns: float
    at: float = 0.0

    def fill(self, now: float, rate: float) -> float:
        """Return the turns there are at *now*, *rate* a second having come back."""
        self.turns = min(self.burst, self.turns + max(0.0, now - self.at) * rate)
        self.at = now
        return self.turns

    def has(self, now: float, rate: float) -> bool:
        """Whether there is a turn."""
        return self.fill(now, rate) >= _ALMOST_ONE

    def spend(self) -> None:
        """Take a turn."""
        self.turns = max(0.0, self.turns - 1)


class Budget:
    """
    ``rate`` calls a second in the long run, :data:`BURST` after a pause, and never two within half the time of one.

    SES throttling halves it, each answer gives a sixteenth of the whole back: of many that share the one call a second
    that SES takes none starves.
    """

    def __init__(self, rate: float, now: float) -> None:
        self.whole = rate
        self.rate = rate
        self._bucket = Bucket(BURST, BURST, now)
        self._last = -math.inf
        self._paused_until = -math.inf

    def ready_at(self, now: float) -> float:
        """Return when the next call may be made: *now* or later."""
        turns = self._bucket.fill(now, self.rate)
        filled = now if turns >= _ALMOST_ONE else now + (1 - turns) / self.rate
        return max(now, filled, self._last + 0.5 / self.rate, self._paused_until)

    def is_paused(self, now: float) -> bool:
        """Whether nothing is asked because SES did not answer."""
        return now < self._paused_until

    def spend(self, now: float) -> None:
        """Make a call."""
        self._bucket.fill(now, self.rate)
        self._bucket.spend()
        self._last = now

    def answered(self) -> None:
        """SES answered: what throttling took comes back, little by little."""
        self.rate = min(self.whole, self.rate + self.whole * REGAIN)

    def throttled(self) -> None:
        """SES had too many calls: ask half as often from now on."""
        self.rate = max(self.whole * LEAST, self.rate / 2)
        self._bucket.turns = 0.0

    def pause(self, now: float, seconds: float) -> None:
        """Make no call for *seconds*."""
        self._paused_until = now + seconds
