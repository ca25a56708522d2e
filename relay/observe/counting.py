"""
What every message counts: plain numbers, made into the library's families when Prometheus asks.

The library's own counters take a lock and five calls for each count, a tenth of what a message costs. These are counted
by the loop's thread alone. A scrape, in a thread of its own, copies what it reads in single steps of the interpreter.
"""

import time
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from typing import Final, Generic, TypeAlias, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from relay.observe.labels import Children
from relay.observe.table import Row

_Child = TypeVar("_Child")
_Family = TypeVar("_Family", bound=Metric)
_Bucket: TypeAlias = tuple[str, float] | tuple[str, float, Exemplar]

#: Seconds between two examples of one bucket: a scrape shows the last one anyway.
APART: Final = 1.0


class Count:
    """One series of a counter or gauge: who counts adds to ``value``. ``exemplar``: of the last that had one."""

    __slots__ = ("exemplar", "value")

    def __init__(self) -> None:
        self.value = 0
        self.exemplar: Exemplar | None = None


class Spread:
    """One series of a histogram; ``bounds``: the upper ones of its buckets, in the unit observed."""

    __slots__ = ("_bounds", "_clock", "_due", "_exemplars", "_in_each", "_sum")

    def __init__(self, bounds: tuple[float, ...], *, clock: Callable[[], float] = time.monotonic) -> None:
        buckets = len(bounds) + 1  # the last has no end
        self._bounds = bounds
        self._clock = clock
        self._due = [float("-inf")] * buckets
        self._in_each = [0] * buckets
        self._exemplars: list[Exemplar | None] = [None] * buckets
        self._sum = 0.0

    def observe(self, amount: float, decision: str = "") -> None:
        """
        Count *amount*; what it is of, *decision*, may become the example of its bucket.

        At most one a second does: a few, spread over fast and slow, the rare slow one among them.
        """
        bucket = bisect_left(self._bounds, amount)
        self._in_each[bucket] += 1
        self._sum += amount
        if decision and (now := self._clock()) >= self._due[bucket]:
            self._due[bucket] = now + APART
            self._exemplars[bucket] = exemplar_of(decision, amount)

    def told(self) -> tuple[list[_Bucket], float]:
        """Return the buckets, each by its bound with all that is below it, and the sum."""
        ends = map(floatToGoString, (*self._bounds, float("inf")))
        told = zip(ends, accumulate(self._in_each.copy()), self._exemplars, strict=True)
        return [(end, count) if example is None else (end, count, example) for end, count, example in told], self._sum


class _Plain(Collector, Generic[_Child, _Family]):
    """A metric; its ``series`` by the values of their labels."""

    def __init__(self, row: Row, bind: Callable[[], _Child], family: Callable[..., _Family]) -> None:
        self.series: Children[_Child] = Children(lambda *_: bind())
        self._empty = partial(family, row.name, row.help, labels=row.labels)

    def describe(self) -> Iterator[_Family]:
        """Name the metric (called at registration)."""
        yield self._empty()

    def collect(self) -> Iterator[_Family]:
        """Yield the metric as it is now."""
        family = self._empty()
        for values, one in self.series.copy().items():
            self._add(family, values, one)
        yield family

    @abstractmethod
    def _add(self, family: _Family, values: tuple[str, ...], one: _Child) -> None:
        """Add one series to *family*."""


class Counts(_Plain[Count, CounterMetricFamily]):
    """A counter."""

    def __init__(self, row: Row) -> None:
        super().__init__(row, Count, CounterMetricFamily)

    def _add(self, family: CounterMetricFamily, values: tuple[str, ...], one: Count) -> None:
        family.add_metric(values, one.value, exemplar=one.exemplar)


class Levels(_Plain[Count, GaugeMetricFamily]):
    """A gauge that goes up and down with what happens."""

    def __init__(self, row: Row) -> None:
        super().__init__(row, Count, GaugeMetricFamily)

    def _add(self, family: GaugeMetricFamily, values: tuple[str, ...], one: Count) -> None:
        family.add_metric(values, one.value)


class Spreads(_Plain[Spread, HistogramMetricFamily]):
    """A histogram."""

    def __init__(self, row: Row) -> None:
        super().__init__(row, partial(Spread, row.buckets), HistogramMetricFamily)

    def _add(self, family: HistogramMetricFamily, values: tuple[str, ...], one: Spread) -> None:
        family.add_metric(values, *one.told())


def exemplar_of(decision: str, amount: float = 1) -> Exemplar:
    """Return what leads from an observation to its decision."""
    return Exemplar({"decision": decision}, amount, time.time())
