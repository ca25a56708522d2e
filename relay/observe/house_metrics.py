"""How the relay itself is: ready or in trouble, with whom it shares, what it lost."""

import platform
from collections.abc import Callable
from typing import Any

from prometheus_client import ProcessCollector

from relay import __version__
from relay.observe import events, labels
from relay.observe.labels import Names, among
from relay.observe.series import Series


class HouseMetrics:
    """Tells how the process is."""

    def __init__(self, series: Series, names: Names) -> None:
        self._listener = names.listener
        self._check, self._use = among(labels.CHECKS), among(labels.USES)
        self._certificates = series.gauges("ses_relay_tls_certificate_expires_seconds")
        self._shared = series.gauges("ses_relay_shared_up")
        self._incidents = series.counter("ses_relay_incidents_total")
        self._ready = series.gauge("ses_relay_ready")
        self._trouble = series.gauges("ses_relay_trouble")
        self._workers = series.gauge("ses_relay_workers")
        self._workers.set(1)
        self._worker_deaths = series.counter("ses_relay_worker_deaths_total")
        self._dropped = series.counter("ses_relay_journal_dropped_total")
        self._loop_lag = series.spread("ses_relay_loop_lag_seconds")
        series.gauge("ses_relay_build_info").labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=series.registry)

    def counts(self) -> dict[type, Callable[[Any], None]]:
        """Return what counts events of each kind."""
        return {
            events.CertificateShown: self._certificate_shown,
            events.SharedFound: self._shared_found,
            events.SharedLost: self._shared_lost,
            events.ReadinessSeen: self._readiness_seen,
            events.WorkersCounted: self._workers_counted,
            events.JournalDropped: self._journal_dropped,
            events.LoopLagged: self._loop_lagged,
            events.Incident: self._incident,
        }

    def _certificate_shown(self, event: events.CertificateShown) -> None:
        for listener in event.listeners:
            self._certificates[self._listener(listener),].set(event.expires_at)

    def _shared_found(self, event: events.SharedFound) -> None:
        self._shared[self._use(event.use),].set(1)

    def _shared_lost(self, event: events.SharedLost) -> None:
        self._shared[self._use(event.use),].set(0)

    def _readiness_seen(self, event: events.ReadinessSeen) -> None:
        self._ready.set(event.is_ready)
        said = {self._check(name): is_troubled for name, is_troubled in event.troubled.items()}
        for (name,) in [known for known in self._trouble if known[0] not in said]:
            said[name] = False  # a check that was there before, such as that of a certificate
        for name, is_troubled in said.items():
            self._trouble[name,].set(is_troubled)

    def _incident(self, _event: events.Incident) -> None:
        self._incidents.inc()

    def _workers_counted(self, event: events.WorkersCounted) -> None:
        self._workers.set(event.running)
        self._worker_deaths.inc(event.died)

    def _journal_dropped(self, event: events.JournalDropped) -> None:
        self._dropped.inc(event.records)

    def _loop_lagged(self, event: events.LoopLagged) -> None:
        self._loop_lag.observe(event.seconds)
