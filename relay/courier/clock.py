"""A clock for stamps that does not jump."""

from collections.abc import Callable
from typing import Final

from relay.observe.events import Noted, Observer

#: Seconds by which the wall clock may be put right without a word; more is a jump.
SMALL: Final = 5.0


class Steady:
    """
    Tells the time in seconds since the epoch: the wall clock's at the start, carried on by the monotonic one.

    Where the wall clock jumps by a day or a year, messages grow no older by it and none is due earlier or later. Small
    corrections are followed, and so is everything until ``is_known`` says that the wall clock tells the time.
    """

    def __init__(
        self,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        observe: Observer,
        is_known: Callable[[], bool] = lambda: True,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._observe = observe
        self._is_known = is_known
        self._was_known = is_known()
        self._offset = wall() - monotonic()
        self._jump = 0.0

    def now(self) -> float:
        """Return the time."""
        steady = self._monotonic() + self._offset
        jump = self._wall() - steady
        if abs(jump) <= SMALL or not self._was_known:
            self._was_known = self._was_known or self._is_known()
            self._offset += jump
            self._jump = 0.0
            return steady + jump
        if abs(jump - self._jump) > SMALL:
            self._jump = jump
            self._observe(Noted("warning", "clock.jumped", {"seconds": round(jump)}))
        return steady
