"""How old the policies are and which cannot be read: gauges that are worked out at the scrape, not kept up to date."""

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
        self._sources: dict[str, PoliciesRefreshed] = {}
        # Replaced whole on every event: a scrape reads them in another thread.
        self._read_at: Mapping[str, float] = {}
        self._unread: Mapping[str, int] = {}

    def refreshed(self, event: PoliciesRefreshed) -> None:
        """Take over what a source says; a source that failed keeps what it said before, and that grows older."""
        if event.result == "failed":
            return
        self._sources[event.source] = event
        said = self._sources.values()
        self._read_at = {arn: at for each in said for arn, at in sorted(each.read_at.items())}
        self._unread = {arn: count for each in said for arn, count in each.problems.items() if count}
        self._names.list_all(self._read_at)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the gauges without asking the clock (called at registration)."""
        yield _family(self._age)
        yield _family(self._problems)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield both gauges as they are now."""
        read_at, unread, now = self._read_at, self._unread, self._clock()
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
