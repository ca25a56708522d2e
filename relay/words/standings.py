"""How a delegate stands with the mail it sends: what its bounces and complaints have brought it to."""

from enum import IntEnum
from typing import Final

from relay.words.values import dataclass


class Standing(IntEnum):
    """From good to worst; the number is what the metric shows."""

    GOOD = 0
    WARNED = 1  # people are told
    SLOWED = 2  # its mail goes at a slower pace
    SUSPENDED = 3  # its mail is refused for now, with 454

    @property
    def word(self) -> str:
        """The name as logs and reports have it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Rates, as parts of one, from which a delegate is warned, slowed or suspended; None: never."""

    warn: float | None = None
    slow: float | None = None
    suspend: float | None = None

    def reached(self, rate: float) -> Standing:
        """Return the worst standing that *rate* is enough for."""
        for standing, from_rate in (
            (Standing.SUSPENDED, self.suspend),
            (Standing.SLOWED, self.slow),
            (Standing.WARNED, self.warn),
        ):
            if from_rate is not None and rate >= from_rate:
                return standing
        return Standing.GOOD

    def of(self, standing: Standing) -> float | None:
        """Return the rate from which it is *standing*."""
        return {Standing.WARNED: self.warn, Standing.SLOWED: self.slow, Standing.SUSPENDED: self.suspend}.get(standing)


#: Nothing comes of any rate.
NEVER: Final = Thresholds()
