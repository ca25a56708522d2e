"""What clients do at the street door, and how their messages end."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, Final

from relay.observe import events, labels
from relay.observe.exemplars import Exemplars
from relay.observe.labels import Heard, Names, among
from relay.observe.series import ROW, Series, exemplar_of
from relay.words.endings import Outcome, Reason

#: What graphs and alerts of each delegate stand on.
_LOOKED_FOR: Final = (
    (Outcome.ACCEPTED, Reason.NONE),
    (Outcome.REJECTED, Reason.POLICY_DENIED),
    (Outcome.REJECTED, Reason.POLICY_NOT_ALLOWED),
    (Outcome.DEFERRED, Reason.POLICY_UNDECIDED),
)
#: Of what ended so, the log line is seldom looked for.
_WELL: Final = frozenset({Outcome.ACCEPTED, Outcome.QUEUED, Outcome.ABORTED})


class MailMetrics:
    """Counts sessions, replies and messages; ``listeners`` are shown before they first count."""

    def __init__(self, series: Series, names: Names, listeners: Iterable[str]) -> None:
        self._delegate, self._listener = names.delegates.label, names.listener
        self._command, self._mechanism = among(labels.COMMANDS), among(labels.MECHANISMS)
        self._auth_result, self._repair = among(labels.AUTH_RESULTS), among(labels.REPAIRS)
        self._domain = among(labels.RECIPIENT_DOMAINS)
        self._code = {code: str(code) for code in labels.CODES}
        at_listeners = [(listener,) for listener in listeners]
        self._received = series.counters("ses_relay_messages_received_total", at_listeners)
        self._messages = series.counters("ses_relay_messages_total")
        self._recipients = series.counters("ses_relay_recipients_total")
        self._repairs = series.counters("ses_relay_repairs_total")
        found = [(result,) for result in sorted(labels.RECIPIENT_DOMAINS)]
        self._recipient_domains = series.counters("ses_relay_recipient_domains_total", found)
        self._message_bytes = series.histogram("ses_relay_message_bytes")
        self._transaction_seconds = series.histogram("ses_relay_transaction_seconds")
        self._transaction_exemplars = Exemplars(ROW["ses_relay_transaction_seconds"].buckets)
        self._auth = series.counters("ses_relay_auth_total")
        self._sessions = series.gauges("ses_relay_sessions")
        for listener in at_listeners:
            self._sessions[listener].set(0)
        self._replies = Heard(series.counter("ses_relay_smtp_replies_total").labels, self._reply)

    def counts(self) -> dict[type, Callable[[Any], None]]:
        """Return what counts events of each kind."""
        return {
            events.SessionOpened: self._session_opened,
            events.SessionClosed: self._session_closed,
            events.Replied: self._replied,
            events.AuthTried: self._auth_tried,
            events.MessageReceived: self._message_received,
            events.MessageEnded: self._message_ended,
            events.MessageRepaired: self._message_repaired,
            events.RecipientDomainChecked: self._recipient_domain_checked,
        }

    def admit(self, delegates: Iterable[str]) -> None:
        """Show what graphs and alerts of *delegates* stand on."""
        for delegate, (outcome, reason) in product(delegates, _LOOKED_FOR):
            self._messages[delegate, outcome.value, reason.value].inc(0)

    def _session_opened(self, event: events.SessionOpened) -> None:
        self._sessions[self._listener(event.listener),].inc()

    def _session_closed(self, event: events.SessionClosed) -> None:
        self._sessions[self._listener(event.listener),].dec()

    def _replied(self, event: events.Replied) -> None:
        self._replies[event.command, event.code].inc(event.times)

    def _reply(self, command: str, code: int) -> tuple[str, ...]:
        return self._command(command), self._code.get(code, labels.OTHER)

    def _auth_tried(self, event: events.AuthTried) -> None:
        self._auth[self._mechanism(event.mechanism), self._auth_result(event.result)].inc()

    def _message_received(self, event: events.MessageReceived) -> None:
        self._received[self._listener(event.listener),].inc()

    def _message_ended(self, event: events.MessageEnded) -> None:
        delegate, outcome = self._delegate(event.delegate), event.outcome.value
        decision = event.record.get("id", "")
        exemplar = None if event.outcome in _WELL else exemplar_of(decision)
        self._messages[delegate, outcome, event.reason.value].inc(exemplar=exemplar)
        self._recipients[delegate, outcome].inc(max(0, event.recipients))
        is_example = self._transaction_exemplars.wants(event.seconds)
        self._transaction_seconds.observe(event.seconds, exemplar_of(decision) if is_example else None)
        if event.size is not None:
            self._message_bytes.observe(event.size)

    def _message_repaired(self, event: events.MessageRepaired) -> None:
        for kind in event.kinds:
            self._repairs[self._delegate(event.delegate), self._repair(kind)].inc()

    def _recipient_domain_checked(self, event: events.RecipientDomainChecked) -> None:
        self._recipient_domains[self._domain(event.result),].inc()
