"""
Times between relays whose clocks differ: all are told by the server's clock, and read back into one's own.

Nobody knows how long a question was on its way and how long the answer, so either way the whole of it makes an age
greater: it may be overestimated, never underestimated.
"""

import math
from typing import Final

from relay.identities.ses_answers import Clocks

#: How far the server's clock may go back before what it wrote is forgotten (policies_hold.lua).
STEP: Final = 0.25


class ServerClock:
    """The server's clock as far as it is known here. Its times are seconds since the epoch."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._least = self._most = math.nan

    def heard(self, told: float, asked_at: float) -> None:
        """Learn that the server's time was *told*, some time between *asked_at* (monotonic) and now."""
        self._least, self._most = told - self._clocks.monotonic(), told - asked_at

    def theirs(self, moment: float) -> float | None:
        """
        Return a moment of our past, in seconds since the epoch, by the server's clock: no later than it was.

        None for one that is yet to come here: nobody knows how old it is.
        """
        age = self._clocks.wall() - moment
        return None if age < 0 else self._clocks.monotonic() + self._least - age

    def ours(self, moment: float) -> float | None:
        """Return a moment of the server's past by our own clock: no later than it was; None for one yet to come."""
        age = self._clocks.monotonic() + self._most - moment
        return None if not 0 <= age < math.inf else self._clocks.wall() - age - STEP

    def monotonic(self, moment: float) -> float:
        """Return a moment by the server's clock in our monotonic seconds: no earlier than it was, and not to come."""
        return min(moment - self._least, self._clocks.monotonic())
