"""Which delegates are observed: a gauge that is worked out at the scrape, so that it ends when observing ends."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from relay.observe.events import DelegatesObserved
from relay.observe.table import Row


class ObservedDelegates(Collector):
    """
    Remembers until when each delegate is observed; tells 1 or 0 of each when Prometheus asks.

    ``label`` makes a name a label; ``clock`` tells wall-clock seconds since the epoch.
    """

    def __init__(self, row: Row, label: Callable[[str], str], *, clock: Callable[[], float]) -> None:
        self._row = row
        self._names: tuple[str, ...] = ()
        self._label = label
        self._clock = clock
        # Replaced whole on every event: a scrape reads it in another thread.
        self._until: Mapping[str, float] = {}

    def admit(self, names: Iterable[str]) -> None:
        """Show *names*, too, from now on."""
        self._names = tuple(dict.fromkeys((*self._names, *names)))

    def told(self, event: DelegatesObserved) -> None:
        """Take over who is observed."""
        self._until = event.until

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the gauge without asking the clock (called at registration)."""
        yield GaugeMetricFamily(self._row.name, self._row.help, labels=self._row.labels)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauge as it is now."""
        until, now = self._until, self._clock()
        observed = {self._label(name) for name, end in until.items() if now < end}
        family = GaugeMetricFamily(self._row.name, self._row.help, labels=self._row.labels)
        for label in dict.fromkeys((*self._names, *sorted(observed))):
            family.add_metric((label,), float(label in observed))
        yield family
