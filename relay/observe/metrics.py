"""Events become Prometheus metrics: each once, under labels that only the configuration can widen."""

import platform
import time
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from relay import __version__
from relay.observe import events, labels
from relay.observe.exemplars import Exemplars
from relay.observe.freshness import PolicyFreshness
from relay.observe.labels import Children, FirstNames, Heard, IdentityNames, among
from relay.observe.observed import ObservedDelegates
from relay.observe.spooled import SpoolContents
from relay.observe.table import ROWS
from relay.words.delegates import NOTIFICATIONS
from relay.words.endings import Outcome, Reason

_OPENMETRICS: Final = "application/openmetrics-text"
_ROW: Final = {row.name: row for row in ROWS}
#: What graphs and alerts of each delegate stand on.
_LOOKED_FOR: Final = (
    (Outcome.ACCEPTED, Reason.NONE),
    (Outcome.REJECTED, Reason.POLICY_DENIED),
    (Outcome.REJECTED, Reason.POLICY_NOT_ALLOWED),
    (Outcome.DEFERRED, Reason.POLICY_UNDECIDED),
)
#: Of what ended so, the log line is seldom looked for.
_WELL: Final = frozenset({Outcome.ACCEPTED, Outcome.QUEUED, Outcome.ABORTED})

# A "_created" series for each counter and histogram doubles the page, and Prometheus does not want it in this format.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it untyped


class Metrics:
    """
    An observer that counts. Call it with events; give :meth:`render` to the admin endpoint.

    ``delegates`` and ``listeners`` are the names of the configuration: any other becomes ``other``. ``clock`` is the
    wall clock, in seconds since the epoch. An identity has a label of its own once a ``PoliciesRefreshed`` has listed
    it: observe the policy sources from their first reading on. ``identities`` are listed whatever the sources say.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        delegates: Iterable[str],
        listeners: Iterable[str],
        max_identities: int = 1000,
        identities: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        known_delegates, known_listeners = list(delegates), list(listeners)
        self._delegates = set(known_delegates)
        self._delegate = among((*known_delegates, labels.NOBODY))
        self._listener = among(known_listeners)
        self._identities = IdentityNames(max_identities, identities)
        self._identity = self._identities.label
        self._region = FirstNames(labels.MOST_REGIONS).label
        self._account = FirstNames(labels.MOST_ACCOUNTS).label
        self._operation = FirstNames(labels.MOST_OPERATIONS).label
        self._command, self._mechanism = among(labels.COMMANDS), among(labels.MECHANISMS)
        self._code = {code: str(code) for code in labels.CODES}
        self._auth_result, self._ses_result = among(labels.AUTH_RESULTS), among(labels.SES_RESULTS)
        self._role, self._verdict, self._mode = among(labels.ROLES), among(labels.VERDICTS), among(labels.MODES)
        self._kind, self._refresh = among(labels.DISAGREEMENTS), among(labels.REFRESHES)
        self._repair = among(labels.REPAIRS)
        self._domain = among(labels.RECIPIENT_DOMAINS)
        self._change = among(labels.POLICY_CHANGES)
        self._queue, self._letter = among(labels.QUEUES), among(labels.LETTERS)
        self._check, self._feedback_kind = among(labels.CHECKS), among(labels.FEEDBACK)
        self._delivery = among(labels.DELIVERIES)
        self._use = among(labels.USES)
        self._observed = ObservedDelegates(_ROW["ses_relay_observing"], self._label_of, clock=clock)
        self._register(clock)
        self._begin_at_nought(known_delegates, known_listeners)
        self._count: dict[type, Callable[[Any], None]] = {
            events.SessionOpened: self._session_opened,
            events.SessionClosed: self._session_closed,
            events.Replied: self._replied,
            events.CertificateShown: self._certificate_shown,
            events.AuthTried: self._auth_tried,
            events.MessageReceived: self._message_received,
            events.MessageEnded: self._message_ended,
            events.Judged: self._judged,
            events.JudgementTimed: self._judgement_timed,
            events.MessageRepaired: self._message_repaired,
            events.RecipientDomainChecked: self._recipient_domain_checked,
            events.SesCalled: self._ses_called,
            events.SesDisagreed: self._ses_disagreed,
            events.PoliciesRefreshed: self._policies_refreshed,
            events.PoliciesForgotten: self._policies_forgotten,
            events.PolicyChanged: self._policy_changed,
            events.RevocationStated: self._revocation_stated,
            events.StalenessBounded: self._staleness_bounded,
            events.ReadinessSeen: self._readiness_seen,
            events.FeedbackHeard: self._feedback_heard,
            events.StandingChanged: self._standing_changed,
            events.QueueRead: self._queue_read,
            events.NoticeWritten: self._notice_written,
            events.DelegatesObserved: self._observed.told,
            events.Delivered: self._delivered,
            events.AttemptsFound: self._attempts_found,
            events.SpoolCounted: self._spool.counted,
            events.SendingPaced: self._sending_paced,
            events.SharedFound: self._shared_found,
            events.SharedLost: self._shared_lost,
            events.WorkersCounted: self._workers_counted,
            events.JournalDropped: self._journal_dropped,
            events.LoopLagged: self._loop_lagged,
            events.Incident: self._incident,
        }

    def __call__(self, event: events.Event) -> None:
        """Count *event*; notes have no metric of their own."""
        count = self._count.get(type(event))
        if count is not None:
            count(event)

    def ear(self, kind: type) -> Callable[[Any], None] | None:
        """Return what counts events of *kind*."""
        return self._count.get(kind)

    def admit(self, delegates: Iterable[str]) -> None:
        """Give *delegates* labels of their own from now on; those that had one keep it, their series stay."""
        new = [name for name in delegates if name not in self._delegates]
        self._delegates.update(new)
        self._delegate = among((*self._delegates, labels.NOBODY))
        self._begin_at_nought(new, ())

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """
        Return the page and its content type: OpenMetrics where *accept* asks for it, else the text format 0.0.4.

        Safe in a thread of its own; takes about 10 us a series.
        """
        # The library's own choice stumbles over versions that are none, and repeats the client's words in its answer.
        if _OPENMETRICS in accept:
            page: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]  # the library's
            return page, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def _register(self, clock: Callable[[], float]) -> None:
        self._received = Children(self._counter("ses_relay_messages_received_total").labels)
        self._messages = Children(self._counter("ses_relay_messages_total").labels)
        self._recipients = Children(self._counter("ses_relay_recipients_total").labels)
        self._decisions = Heard(self._counter("ses_relay_decisions_total").labels, self._question)
        self.registry.register(self._observed)
        self._feedback = Children(self._counter("ses_relay_feedback_total").labels)
        self._standing = Children(self._gauge("ses_relay_delegate_standing").labels)
        self._polls = Children(self._counter("ses_relay_queue_polls_total").labels)
        self._letters = Children(self._counter("ses_relay_queue_messages_total").labels)
        self._repairs = Children(self._counter("ses_relay_repairs_total").labels)
        self._recipient_domains = Children(self._counter("ses_relay_recipient_domains_total").labels)
        self._decision_seconds = self._histogram("ses_relay_decision_seconds")
        self._decision_exemplars = Exemplars(_ROW["ses_relay_decision_seconds"].buckets)
        self._message_bytes = self._histogram("ses_relay_message_bytes")
        self._transaction_seconds = self._histogram("ses_relay_transaction_seconds")
        self._transaction_exemplars = Exemplars(_ROW["ses_relay_transaction_seconds"].buckets)
        self._ses_requests = Heard(self._counter("ses_relay_ses_requests_total").labels, self._call)
        self._ses_seconds = Heard(self._histogram("ses_relay_ses_request_seconds").labels, self._call)
        self._disagreements = Children(self._counter("ses_relay_ses_disagreements_total").labels)
        self._freshness = PolicyFreshness(
            _ROW["ses_relay_policy_age_seconds"], _ROW["ses_relay_policy_problems"], self._identities, clock=clock
        )
        self.registry.register(self._freshness)
        self._max_stale = self._gauge("ses_relay_policy_max_stale_seconds")
        self._refreshes = Children(self._counter("ses_relay_policy_refreshes_total").labels)
        revocation = self._gauge("ses_relay_policy_revocation_seconds")
        self._revocation = revocation, Children(revocation.labels)
        self._policy_changes = Children(self._counter("ses_relay_policy_changes_total").labels)
        self._auth = Children(self._counter("ses_relay_auth_total").labels)
        self._sessions = Children(self._gauge("ses_relay_sessions").labels)
        self._certificates = Children(self._gauge("ses_relay_tls_certificate_expires_seconds").labels)
        self._replies = Heard(self._counter("ses_relay_smtp_replies_total").labels, self._reply)
        self._spool = SpoolContents(
            _ROW["ses_relay_spool_messages"], _ROW["ses_relay_spool_oldest_seconds"], clock=clock
        )
        self.registry.register(self._spool)
        self._deliveries = Children(self._counter("ses_relay_deliveries_total").labels)
        self._possible_duplicates = self._counter("ses_relay_possible_duplicates_total")
        names = ("ses_relay_send_rate_limit", "ses_relay_quota_remaining", "ses_relay_quota_recipients")
        self._paced = tuple((gauge, Children(gauge.labels)) for gauge in map(self._gauge, names))
        self._shared = Children(self._gauge("ses_relay_shared_up").labels)
        self._notices = Children(self._counter("ses_relay_notices_total").labels)
        self._incidents = self._counter("ses_relay_incidents_total")
        self._ready = self._gauge("ses_relay_ready")
        self._trouble = Children(self._gauge("ses_relay_trouble").labels)
        self._workers = self._gauge("ses_relay_workers")
        self._workers.set(1)
        self._worker_deaths = self._counter("ses_relay_worker_deaths_total")
        self._dropped = self._counter("ses_relay_journal_dropped_total")
        self._loop_lag = self._histogram("ses_relay_loop_lag_seconds")
        self._gauge("ses_relay_build_info").labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str) -> Counter:
        return Counter(name, _ROW[name].help, _ROW[name].labels, registry=self.registry)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(name, _ROW[name].help, _ROW[name].labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        row = _ROW[name]
        return Histogram(name, row.help, row.labels, registry=self.registry, buckets=row.buckets)

    def _begin_at_nought(self, delegates: Iterable[str], listeners: Iterable[str]) -> None:
        """Show the few series that alerts stand on before they first count: rate() does not see a first appearance."""
        for listener in listeners:
            self._received[listener,].inc(0)
            self._sessions[listener,].set(0)
        self._begin_delegates(tuple(delegates))
        for result in sorted(labels.REFRESHES):
            self._refreshes[result,].inc(0)
        for kind in sorted(labels.POLICY_CHANGES):
            self._policy_changes[kind,].inc(0)
        for result in sorted(labels.DELIVERIES):
            self._deliveries[result,].inc(0)
        for result in sorted(labels.RECIPIENT_DOMAINS):
            self._recipient_domains[result,].inc(0)
        for result in sorted(labels.NOTICES):
            self._notices[result,].inc(0)
        for queue, result in product(labels.QUEUES, labels.POLLS):
            self._polls[queue, result].inc(0)
        for queue, result in product(labels.QUEUES, labels.LETTERS):
            self._letters[queue, result].inc(0)

    def _begin_delegates(self, delegates: tuple[str, ...]) -> None:
        self._observed.admit(delegates)
        for delegate in delegates:
            for outcome, reason in _LOOKED_FOR:
                self._messages[delegate, outcome.value, reason.value].inc(0)
            self._standing[delegate,].inc(0)
            for kind in ("send", "bounce", "complaint"):
                self._feedback[delegate, kind].inc(0)

    def _label_of(self, delegate: str) -> str:
        return self._delegate(delegate)

    def _session_opened(self, event: events.SessionOpened) -> None:
        self._sessions[self._listener(event.listener),].inc()

    def _session_closed(self, event: events.SessionClosed) -> None:
        self._sessions[self._listener(event.listener),].dec()

    def _replied(self, event: events.Replied) -> None:
        self._replies[event.command, event.code].inc(event.times)

    def _reply(self, command: str, code: int) -> tuple[str, ...]:
        return self._command(command), self._code.get(code, labels.OTHER)

    def _certificate_shown(self, event: events.CertificateShown) -> None:
        for listener in event.listeners:
            self._certificates[self._listener(listener),].set(event.expires_at)

    def _auth_tried(self, event: events.AuthTried) -> None:
        self._auth[self._mechanism(event.mechanism), self._auth_result(event.result)].inc()

    def _message_received(self, event: events.MessageReceived) -> None:
        self._received[self._listener(event.listener),].inc()

    def _message_ended(self, event: events.MessageEnded) -> None:
        delegate, outcome = self._delegate(event.delegate), event.outcome.value
        decision = event.record.get("id", "")
        exemplar = None if event.outcome in _WELL else _exemplar(decision)
        self._messages[delegate, outcome, event.reason.value].inc(exemplar=exemplar)
        self._recipients[delegate, outcome].inc(max(0, event.recipients))
        is_example = self._transaction_exemplars.wants(event.seconds)
        self._transaction_seconds.observe(event.seconds, _exemplar(decision) if is_example else None)
        if event.size is not None:
            self._message_bytes.observe(event.size)

    def _judged(self, event: events.Judged) -> None:
        self._decisions[event.delegate, event.identity, event.role, event.verdict, event.mode].inc()

    def _question(self, delegate: str, identity: str, role: str, verdict: str, mode: str) -> tuple[str, ...]:
        words = self._role(role), self._verdict(verdict), self._mode(mode)
        return self._delegate(delegate), self._identity(identity), *words

    def _judgement_timed(self, event: events.JudgementTimed) -> None:
        is_example = self._decision_exemplars.wants(event.seconds)
        self._decision_seconds.observe(event.seconds, _exemplar(event.decision) if is_example else None)

    def _message_repaired(self, event: events.MessageRepaired) -> None:
        for kind in event.kinds:
            self._repairs[self._delegate(event.delegate), self._repair(kind)].inc()

    def _recipient_domain_checked(self, event: events.RecipientDomainChecked) -> None:
        self._recipient_domains[self._domain(event.result),].inc()

    def _ses_called(self, event: events.SesCalled) -> None:
        which = event.region, event.operation, event.result
        self._ses_requests[which].inc()
        self._ses_seconds[which].observe(event.seconds)
        if event.result == "ambiguous":
            self._possible_duplicates.inc()

    def _call(self, region: str, operation: str, result: str) -> tuple[str, ...]:
        return self._region(region), self._operation(operation), self._ses_result(result)

    def _ses_disagreed(self, event: events.SesDisagreed) -> None:
        self._disagreements[self._identity(event.identity), self._kind(event.kind)].inc()

    def _policies_refreshed(self, event: events.PoliciesRefreshed) -> None:
        self._refreshes[self._refresh(event.result),].inc()
        self._freshness.refreshed(event)

    def _policies_forgotten(self, event: events.PoliciesForgotten) -> None:
        self._freshness.forgotten(event.source)
        _forget((self._revocation,), self._account(event.account), self._region(event.region))

    def _policy_changed(self, event: events.PolicyChanged) -> None:
        for kind in event.kinds:
            self._policy_changes[self._change(kind),].inc()

    def _revocation_stated(self, event: events.RevocationStated) -> None:
        self._revocation[1][self._account(event.account), self._region(event.region)].set(event.seconds)

    def _delivered(self, event: events.Delivered) -> None:
        self._deliveries[self._delivery(event.result),].inc()
        if event.delegate == NOTIFICATIONS:
            self._notices[event.result if event.result in labels.NOTICES else "failed",].inc()

    def _notice_written(self, event: events.NoticeWritten) -> None:
        self._notices[event.result if event.result in labels.NOTICES else "failed",].inc()

    def _feedback_heard(self, event: events.FeedbackHeard) -> None:
        self._feedback[self._delegate(event.delegate), self._feedback_kind(event.kind)].inc(max(0, event.number))

    def _standing_changed(self, event: events.StandingChanged) -> None:
        if self._delegate(event.delegate) == event.delegate:
            self._standing[event.delegate,].set(event.standing)

    def _queue_read(self, event: events.QueueRead) -> None:
        if event.result in labels.POLLS:
            self._polls[self._queue(event.queue), event.result].inc()
        else:
            self._letters[self._queue(event.queue), self._letter(event.result)].inc(max(0, event.number))

    def _attempts_found(self, event: events.AttemptsFound) -> None:
        self._possible_duplicates.inc(len(event.queue_ids))

    def _sending_paced(self, event: events.SendingPaced) -> None:
        where = self._account(event.account), self._region(event.region)
        if event.account != labels.UNKNOWN:
            _forget(self._paced, labels.UNKNOWN, where[1])  # it has a name by now: two series of it would be added up
        for (_, children), value in zip(self._paced, (event.rate, event.remaining, event.quota), strict=True):
            if value is not None:
                children[where].set(value)

    def _shared_found(self, event: events.SharedFound) -> None:
        self._shared[self._use(event.use),].set(1)

    def _shared_lost(self, event: events.SharedLost) -> None:
        self._shared[self._use(event.use),].set(0)

    def _staleness_bounded(self, event: events.StalenessBounded) -> None:
        self._max_stale.set(event.seconds)

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


def _exemplar(decision: str) -> dict[str, str] | None:
    return {"decision": decision} if decision else None


def _forget(gauges: Iterable[tuple[Gauge, Children[Gauge]]], *where: str) -> None:
    for gauge, children in gauges:
        if children.pop(where, None) is not None:
            gauge.remove(*where)
