"""What waits in the spool: gauges, the age worked out at the scrape so that it grows between two counts."""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from relay.observe.events import SpoolCounted
from relay.observe.labels import STATES
from relay.observe.table import Row

_NOTHING = SpoolCounted({}, 0, None)


class SpoolContents(Collector):
    """Remembers the last count. ``clock`` tells wall-clock seconds since the epoch."""

    def __init__(self, messages: Row, oldest: Row, *, clock: Callable[[], float]) -> None:
        self._messages = messages
        self._oldest = oldest
        self._clock = clock
        # Replaced whole on every event: a scrape reads it in another thread.
        self._count = _NOTHING

    def counted(self, event: SpoolCounted) -> None:
        """Take over a count."""
        self._count = event

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the gauges without asking the clock (called at registration)."""
        yield GaugeMetricFamily(self._messages.name, self._messages.help, labels=self._messages.labels)
        yield GaugeMetricFamily(self._oldest.name, self._oldest.help)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield both gauges as they are now."""
        count = self._count
        messages = GaugeMetricFamily(self._messages.name, self._messages.help, labels=self._messages.labels)
        for state in STATES:
            messages.add_metric((state,), count.messages.get(state, 0))
        yield messages
        age = 0.0 if count.oldest is None else max(0.0, self._clock() - count.oldest)
        yield GaugeMetricFamily(self._oldest.name, self._oldest.help, value=age)
