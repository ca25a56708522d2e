"""How old the policies are and which cannot be read: gauges that are worked out at the scrape, not kept up to date."""

import threading
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from relay.observe.events import PoliciesRefreshed
from relay.observe.labels import IdentityNames
from relay.observe.table import Row


class PolicyFreshness(Collector):
    """Remembers what each policy source said last; tells age and problems of each identity when Prometheus asks."""

    def __init__(self, age: Row, problems: Row, names: IdentityNames, *, clock: Callable[[], float]) -> None:
        self._age, self._problems = age, problems
        self._names = names
        self._clock = clock
        # Replaced whole on every event: a scrape reads it in another thread.
        self._sources: Mapping[str, PoliciesRefreshed] = {}
        self._telling = threading.Lock()

    def refreshed(self, event: PoliciesRefreshed) -> None:
        """Take over what a source says; a source that failed keeps what it said before, and that grows older."""
        if event.result == "failed":
            return
        with self._telling:  # a source that is read for the first time may tell from a thread
            before = self._sources.get(event.source)
            self._sources = {**self._sources, event.source: event}
        if before is None or before.read_at.keys() != event.read_at.keys():
            self._names.list_all(arn for each in self._sources.values() for arn in each.read_at)

    def forgotten(self, source: str) -> None:
        """Forget what a source said that is read no more: it would grow older for ever."""
        with self._telling:
            self._sources = {name: said for name, said in self._sources.items() if name != source}

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the gauges without asking the clock (called at registration)."""
        yield _family(self._age)
        yield _family(self._problems)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield both gauges as they are now."""
        said, now = self._sources.values(), self._clock()
        read_at = {arn: at for each in said for arn, at in sorted(each.read_at.items())}
        unread = {arn: count for each in said for arn, count in each.problems.items() if count}
        ages: dict[str, float] = {}
        problems: dict[str, int] = {}
        for identity, name in self._names.spread(sorted(read_at, key=unread.__contains__, reverse=True)):
            problems[name] = problems.get(name, 0) + unread.get(identity, 0)
            ages[name] = max(ages.get(name, 0.0), now - read_at[identity])
        yield _family(self._age, ages)
        yield _family(self._problems, problems)


def _family(row: Row, values: Mapping[str, float] | None = None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(row.name, row.help, labels=row.labels)
    for name, value in (values or {}).items():
        family.add_metric((name,), value)
    return family
