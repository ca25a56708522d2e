"""Which observations are worth an exemplar: a few, spread over fast and slow, the rare slow one among them."""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final

#: Seconds between two exemplars of one bucket: a scrape shows the last one anyway.
APART: Final = 1.0


class Exemplars:
    """Chooses at most one observation a second in each bucket. ``buckets``: upper bounds, in the unit observed."""

    def __init__(self, buckets: Sequence[float], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets = tuple(buckets)
        self._clock = clock
        self._next = [float("-inf")] * (len(self._buckets) + 1)

    def wants(self, amount: float) -> bool:
        """Whether the observation of *amount* is to be an example of its bucket."""
        bucket, now = bisect_left(self._buckets, amount), self._clock()
        if now < self._next[bucket]:
            return False
        self._next[bucket] = now + APART
        return True
