"""Recipients of the last 24 hours, as SES counts them: a rolling window, kept by the minute."""

from collections import deque
from dataclasses import field
from typing import Final

from relay.words.values import dataclass

DAY: Final = 86_400.0
MINUTE: Final = 60.0


@dataclass(slots=True)
class Day:
    """What was counted in the last 24 hours. Times are monotonic seconds."""

    total: int = 0
    _minutes: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, recipients: int, now: float) -> None:
        """Count *recipients*; a negative number takes back what was counted just now."""
        self.count(now)
        minute = now - now % MINUTE
        earlier = self._minutes.pop()[1] if self._minutes and self._minutes[-1][0] == minute else 0
        self._minutes.append((minute, earlier + recipients))
        self.total += recipients

    def count(self, now: float) -> int:
        """Return how many there were in the 24 hours before *now*."""
        while self._minutes and self._minutes[0][0] <= now - DAY:
            self.total -= self._minutes.popleft()[1]
        return self.total

    def seconds_until(self, room: int, most: int, now: float) -> float:
        """Seconds until *room* recipients fit under *most*, at the earliest."""
        over = self.count(now) + room - most
        for minute, recipients in self._minutes:
            over -= recipients
            if over <= 0:
                return max(0.0, minute + DAY - now)
        return DAY
