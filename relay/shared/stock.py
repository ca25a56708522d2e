"""What a relay was granted and has not used: let out evenly where there is too little for all, at once where not."""

import math
from dataclasses import dataclass, field
from typing import Final

from relay.sending.pace.bucket import Bucket

#: How long a grant may be used: who was stopped meanwhile begins anew.
VALID_SECONDS: Final = 1.0
#: How much faster than granted it is let out, to make up for late answers, and what may go at once, in seconds.
EAGER: Final = 1.5
AT_ONCE_SECONDS: Final = 0.05
_NEARLY: Final = 1e-6


@dataclass(slots=True)
class Stock:
    """
    Recipients that may go. Times are monotonic seconds.

    ``rate``: this relay's part, in recipients a second; ``is_scarce``: whether all relays together want more.
    """

    amount: float = 0.0
    rate: float = 0.0
    is_scarce: bool = False
    _granted_at: float = -math.inf
    _let_out: Bucket = field(default_factory=lambda: Bucket(1.0, 0.0))

    def grant(self, amount: float, rate: float, now: float, *, is_scarce: bool) -> None:
        """Add what was granted for a question that was asked at *now*."""
        self.expire(now)
        self.amount += amount
        self.rate, self.is_scarce, self._granted_at = rate, is_scarce, now

    def give_back(self, keep: float, now: float) -> float:
        """Return what is more than *keep*; it is no longer here."""
        self.expire(now)
        back = max(0.0, self.amount - keep)
        self.amount -= back
        return back

    def wait(self, recipients: int, now: float) -> float:
        """Seconds until a message of so many may go; infinite if there are not so many."""
        self.expire(now)
        if self.amount + _NEARLY < recipients:
            return math.inf
        if not self.is_scarce or self.rate <= 0:
            return 0.0
        rate = self.rate * EAGER
        self._let_out.fill(rate, max(1.0, rate * AT_ONCE_SECONDS), now)
        return self._let_out.wait(rate)

    def take(self, recipients: int) -> None:
        """Let a message go."""
        self.amount -= recipients
        if self.is_scarce:
            self._let_out.take(recipients)

    def expire(self, now: float) -> None:
        """Forget what was granted too long ago."""
        if now - self._granted_at > VALID_SECONDS:
            self.amount = 0.0
