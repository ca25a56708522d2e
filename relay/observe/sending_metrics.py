"""What SES is asked, how fast, and what becomes of mail there and in the spool."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from relay.observe import events, labels
from relay.observe.labels import FirstNames, Heard, Names, among
from relay.observe.series import ROW, Series
from relay.observe.spooled import SpoolContents
from relay.words.delegates import NOTIFICATIONS


class SendingMetrics:
    """Counts calls of SES, deliveries and feedback; ``clock``: wall-clock seconds since the epoch."""

    def __init__(self, series: Series, names: Names, *, clock: Callable[[], float]) -> None:
        self._delegate, self._identity = names.delegates.label, names.identities.label
        self._account, self._region = names.accounts.label, names.regions.label
        self._operation = FirstNames(labels.MOST_OPERATIONS).label
        self._ses_result, self._kind = among(labels.SES_RESULTS), among(labels.DISAGREEMENTS)
        self._delivery, self._feedback_kind = among(labels.DELIVERIES), among(labels.FEEDBACK)
        self._queue, self._letter = among(labels.QUEUES), among(labels.LETTERS)
        self._ses_requests = series.counts("ses_relay_ses_requests_total")
        self._ses_seconds = series.spreads("ses_relay_ses_request_seconds")
        self._calls = Heard(lambda values: (self._ses_requests[values], self._ses_seconds[values]), self._call)
        self._disagreements = series.counters("ses_relay_ses_disagreements_total")
        self._possible_duplicates = series.counter("ses_relay_possible_duplicates_total")
        paced = ("ses_relay_send_rate_limit", "ses_relay_quota_remaining", "ses_relay_quota_recipients")
        self._paced = tuple(series.places(name) for name in paced)
        oldest = ROW["ses_relay_spool_oldest_seconds"]
        self._spool = SpoolContents(ROW["ses_relay_spool_messages"], oldest, clock=clock)
        series.show(self._spool)
        ends = ((each,) for each in sorted(labels.DELIVERIES))
        self._deliveries = series.counts("ses_relay_deliveries_total", ends)
        self._notices = series.counters("ses_relay_notices_total", ((each,) for each in sorted(labels.NOTICES)))
        self._feedback = series.counters("ses_relay_feedback_total")
        self._standing = series.gauges("ses_relay_delegate_standing")
        self._polls = series.counters("ses_relay_queue_polls_total", product(labels.QUEUES, labels.POLLS))
        letters = product(labels.QUEUES, labels.LETTERS)
        self._letters = series.counters("ses_relay_queue_messages_total", letters)

    def counts(self) -> dict[type, Callable[[Any], None]]:
        """Return what counts events of each kind."""
        return {
            events.SesCalled: self._ses_called,
            events.SesDisagreed: self._ses_disagreed,
            events.SendingPaced: self._sending_paced,
            events.PaceForgotten: self._pace_forgotten,
            events.SpoolCounted: self._spool.counted,
            events.Delivered: self._delivered,
            events.AttemptsFound: self._attempts_found,
            events.NoticeWritten: self._notice_written,
            events.FeedbackHeard: self._feedback_heard,
            events.StandingChanged: self._standing_changed,
            events.QueueRead: self._queue_read,
        }

    def admit(self, delegates: Iterable[str]) -> None:
        """Show how *delegates* stand, and what their standing is made of."""
        for delegate in delegates:
            self._standing.show((delegate,))
            self._feedback.show(*((delegate, kind) for kind in ("send", "bounce", "complaint")))

    def _ses_called(self, event: events.SesCalled) -> None:
        requests, seconds = self._calls[event.region, event.operation, event.result]
        requests.value += 1
        seconds.observe(event.seconds)
        if event.result == "ambiguous":
            self._possible_duplicates.inc()

    def _call(self, region: str, operation: str, result: str) -> tuple[str, ...]:
        return self._region(region), self._operation(operation), self._ses_result(result)

    def _ses_disagreed(self, event: events.SesDisagreed) -> None:
        self._disagreements[self._identity(event.identity), self._kind(event.kind)].inc()

    def _sending_paced(self, event: events.SendingPaced) -> None:
        where = self._account(event.account), self._region(event.region)
        if event.account != labels.UNKNOWN:
            for gauge in self._paced:
                gauge.forget(labels.UNKNOWN, where[1])  # it has a name by now: two series of it would be added up
        for gauge, value in zip(self._paced, (event.rate, event.remaining, event.quota), strict=True):
            if value is not None:
                gauge[where].set(value)

    def _pace_forgotten(self, event: events.PaceForgotten) -> None:
        for gauge in self._paced:
            gauge.forget(self._account(event.account), self._region(event.region))

    def _delivered(self, event: events.Delivered) -> None:
        self._deliveries[self._delivery(event.result),].value += 1
        if event.delegate == NOTIFICATIONS:
            self._notices[event.result if event.result in labels.NOTICES else "failed",].inc()

    def _attempts_found(self, event: events.AttemptsFound) -> None:
        self._possible_duplicates.inc(len(event.queue_ids))

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
