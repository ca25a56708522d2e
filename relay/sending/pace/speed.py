"""
How many recipients a second an account and region bear, found out from what SES says and does.

SES tells a rate (GetSendQuota) and throttles above one of its own that need not be the same. So a new relay, which may
have a crowd before it, begins slowly and goes faster with every tenth of a second that goes well, up to what SES told.
Throttled, the speed falls at once to what got through; then it rises quickly to shortly below where it was, slowly
from there, and faster again the longer all goes well.
"""

from collections import deque
from dataclasses import field
from typing import Final

from relay.words.values import dataclass

#: Recipients a second with which a relay begins, how many times as much as ever got through it tries, and the seconds
#: in which that is counted.
FIRST: Final = 100.0
MORE: Final = 2.0
COUNTED: Final = 0.1
#: Parts of the rate that SES told: its clock and ours tick at different moments.
HEADROOM: Final = 0.98
#: When SES throttles, what remains of the speed, or of what got through in the last second.
CUT: Final = 0.8
GOT_THROUGH: Final = 0.95
#: Where quick recovery ends, as a part of the speed that was too much; and both growths, in parts a second.
NEARLY: Final = 0.95
QUICKLY: Final = 0.10
SLOWLY: Final = 0.01
#: After so many seconds without throttling the slow growth has doubled the speed, after twice as many sixteenfold: what
#: little got through at an idle moment may say nothing of what SES bears.
CALM: Final = 20.0
#: Throttled calls of one moment are one message from SES.
ONE_MOMENT: Final = 0.5
#: Recipients a second below which nothing falls, and what is tried where nobody told a rate.
LEAST: Final = 0.5
UNTOLD: Final = 1e6
WINDOW: Final = 1.0


@dataclass(slots=True)
class Speed:
    """
    The speed of one account and region, in recipients a second. Times are monotonic seconds.

    ``told``: the rate that SES told, None before it did. ``wanted``: the operator's bound, None for none.
    ``part``: the bound while others share the account and cannot be asked, None for none.
    """

    wanted: float | None = None
    told: float | None = None
    part: float | None = None
    _throttled_at: float | None = None
    _cut_to: float = UNTOLD
    _too_much: float = UNTOLD
    _through: deque[tuple[float, int]] = field(default_factory=deque)
    _through_now: int = 0
    _most_through: float = 0.0
    _counted_from: float = float("-inf")
    _counted: int = 0

    @property
    def limit(self) -> float:
        """The most that may be: what SES told, less some headroom, and never more than the operator wants."""
        told, wanted, part = self.told, self.wanted, self.part
        most = UNTOLD if told is None else min(UNTOLD, max(LEAST, told * HEADROOM))
        if wanted is not None and wanted < most:
            most = wanted
        return most if part is None or part > most else part

    @property
    def is_known(self) -> bool:
        """Whether anybody told a rate: SES by word or by throttling, or the operator."""
        return not (self.told is None and self.wanted is None and self._throttled_at is None)

    def now(self, now: float) -> float:
        """Return the speed at *now*."""
        if self._throttled_at is None:
            return self.limit
        waited = max(0.0, now - self._throttled_at)
        nearly = max(self._cut_to, self._too_much * NEARLY)
        quick = (nearly - self._cut_to) / (self._too_much * QUICKLY)
        if waited < quick:
            return min(self.limit, self._cut_to + self._too_much * QUICKLY * waited)
        calm = min(waited - quick, 10 * CALM)
        grown: float = nearly * (1 + SLOWLY) ** calm * 2 ** (calm / CALM) ** 2
        if grown >= self.limit:
            self._throttled_at = None
        return min(self.limit, grown)

    def tried(self, now: float) -> float:
        """
        Return how fast to go at *now*: what got through before and more, up to the speed.

        The operator's own number needs no proof.
        """
        speed = self.limit if self._throttled_at is None else self.now(now)
        return speed if self.wanted is not None else min(speed, self._proven)

    def accepted(self, recipients: int, now: float) -> None:
        """SES took a message."""
        self._forget(now)
        self._through_now += recipients
        if now - self._counted_from >= COUNTED:
            self._most_through = max(self._most_through, self._counted / COUNTED)
            self._counted_from, self._counted = now, 0
        self._counted += recipients
        if self._through and self._through[-1][0] == now:
            recipients += self._through.pop()[1]
        self._through.append((now, recipients))

    def throttled(self, now: float) -> bool:
        """SES had enough: slower. False when that was known already."""
        if self._throttled_at is not None and now - self._throttled_at < ONE_MOMENT:
            return False
        speed = self.now(now)
        self._forget(now)
        through = self._through_now / WINDOW
        self._too_much = min(speed, through) if through >= LEAST else speed * CUT
        self._cut_to = max(LEAST, min(speed * CUT, through * GOT_THROUGH if through >= LEAST else speed * CUT))
        self._too_much = max(self._too_much, self._cut_to)
        self._throttled_at = now
        return True

    @property
    def _proven(self) -> float:
        return max(FIRST, MORE * self._most_through)

    def _forget(self, now: float) -> None:
        while self._through and self._through[0][0] <= now - WINDOW:
            self._through_now -= self._through.popleft()[1]
