"""The metrics of the table, made in one registry."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.registry import Collector

from relay.observe.counting import Count, Counts, Levels, Spread, Spreads
from relay.observe.labels import Children
from relay.observe.table import ROWS, Row

#: Every metric by name.
ROW: Final[dict[str, Row]] = {row.name: row for row in ROWS}


class Series:
    """Makes metrics by the names of the table; each is on the page of ``registry`` from then on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

    def counter(self, name: str) -> Counter:
        """Make a counter."""
        return Counter(name, ROW[name].help, ROW[name].labels, registry=self.registry)

    def counters(self, name: str, first: Iterable[tuple[str, ...]] = ()) -> Children[Counter]:
        """Make a counter with labels; *first* are shown before they count."""
        children = Children(self.counter(name).labels)
        children.show(*first)
        return children

    def counts(self, name: str, first: Iterable[tuple[str, ...]] = ()) -> Children[Count]:
        """Make a counter with labels for what every message counts, in the loop's thread alone; *first* as above."""
        counts = Counts(ROW[name])
        self.show(counts)
        counts.series.show(*first)
        return counts.series

    def gauge(self, name: str) -> Gauge:
        """Make a gauge."""
        return Gauge(name, ROW[name].help, ROW[name].labels, registry=self.registry)

    def gauges(self, name: str) -> Children[Gauge]:
        """Make a gauge with labels."""
        return Children(self.gauge(name).labels)

    def levels(self, name: str, first: Iterable[tuple[str, ...]]) -> Children[Count]:
        """Make a gauge with labels that goes up and down in the loop's thread alone; *first* as above."""
        levels = Levels(ROW[name])
        self.show(levels)
        levels.series.show(*first)
        return levels.series

    def places(self, name: str) -> "Places":
        """Make a gauge of places that may be forgotten."""
        return Places(self.gauge(name))

    def spreads(self, name: str) -> Children[Spread]:
        """Make a histogram for what every message observes, in the loop's thread alone."""
        spreads = Spreads(ROW[name])
        self.show(spreads)
        return spreads.series

    def spread(self, name: str) -> Spread:
        """Make one without labels."""
        return self.spreads(name)[()]

    def show(self, *collectors: Collector) -> None:
        """Show what is worked out at the scrape, too."""
        for each in collectors:
            self.registry.register(each)


class Places(Children[Gauge]):
    """The children of a gauge by account and region; a place that is no more leaves the page."""

    def __init__(self, gauge: Gauge) -> None:
        super().__init__(gauge.labels)
        self._gauge = gauge

    def forget(self, *place: str) -> None:
        """Show *place* no more."""
        if self.pop(place, None) is not None:
            self._gauge.remove(*place)
