"""What clients do at the street door, and how their messages end."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, Final

from relay.observe import events, labels
from relay.observe.counting import Count, exemplar_of
from relay.observe.labels import Heard, Names, among
from relay.observe.series import Series
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
        received = series.counts("ses_relay_messages_received_total", at_listeners)
        self._received = Heard(received.__getitem__, self._at)
        self._messages = series.counts("ses_relay_messages_total")
        self._recipients = series.counts("ses_relay_recipients_total")
        self._ends = Heard(self._end, self._ended)
        self._repairs = series.counters("ses_relay_repairs_total")
        found = [(result,) for result in sorted(labels.RECIPIENT_DOMAINS)]
        self._recipient_domains = series.counters("ses_relay_recipient_domains_total", found)
        self._message_bytes = series.spread("ses_relay_message_bytes")
        self._transaction_seconds = series.spread("ses_relay_transaction_seconds")
        self._auth = Heard(series.counts("ses_relay_auth_total").__getitem__, self._tried)
        sessions = series.levels("ses_relay_sessions", at_listeners)
        self._sessions = Heard(sessions.__getitem__, self._at)
        self._replies = Heard(series.counts("ses_relay_smtp_replies_total").__getitem__, self._reply)

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
            self._messages.show((delegate, outcome.value, reason.value))

    def _session_opened(self, event: events.SessionOpened) -> None:
        self._sessions[event.listener,].value += 1

    def _session_closed(self, event: events.SessionClosed) -> None:
        self._sessions[event.listener,].value -= 1

    def _at(self, listener: str) -> tuple[str, ...]:
        return (self._listener(listener),)

    def _replied(self, event: events.Replied) -> None:
        self._replies[event.command, event.code].value += event.times

    def _reply(self, command: str, code: int) -> tuple[str, ...]:
        return self._command(command), self._code.get(code, labels.OTHER)

    def _auth_tried(self, event: events.AuthTried) -> None:
        self._auth[event.mechanism, event.result].value += 1

    def _tried(self, mechanism: str, result: str) -> tuple[str, ...]:
        return self._mechanism(mechanism), self._auth_result(result)

    def _message_received(self, event: events.MessageReceived) -> None:
        self._received[event.listener,].value += event.times

    def _message_ended(self, event: events.MessageEnded) -> None:
        messages, recipients = self._ends[event.delegate, event.outcome, event.reason]
        messages.value += 1
        recipients.value += max(0, event.recipients)
        decision = event.record.get("id", "")
        if decision and event.outcome not in _WELL:
            messages.exemplar = exemplar_of(decision)
        self._transaction_seconds.observe(event.seconds, decision)
        if event.size is not None:
            self._message_bytes.observe(event.size)

    def _ended(self, delegate: str, outcome: Outcome, reason: Reason) -> tuple[str, ...]:
        return self._delegate(delegate), outcome.value, reason.value

    def _end(self, values: tuple[str, ...]) -> tuple[Count, Count]:
        """Find what is counted of messages that ended so, and of their recipients."""
        return self._messages[values], self._recipients[values[:2]]

    def _message_repaired(self, event: events.MessageRepaired) -> None:
        for kind in event.kinds:
            self._repairs[self._delegate(event.delegate), self._repair(kind)].inc()

    def _recipient_domain_checked(self, event: events.RecipientDomainChecked) -> None:
        self._recipient_domains[self._domain(event.result),].inc()
