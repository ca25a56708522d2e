"""How every delegate stands, kept in the ledger, and what that costs it on the way of its mail."""

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from relay.feedback.ledger import Ledger
from relay.feedback.standing import Record, Tally, Tolerance, judged, resumed, tally_of
from relay.observe.events import StandingChanged
from relay.sending.ports import NotNow, Restraint
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.standings import Standing

#: Seconds after which mail that waits in the spool asks again: an operator may have resumed its delegate.
ASKS_AGAIN: Final = 300.0


class Standings:
    """
    The standings of the delegates in *tolerances*; what is not there is not judged.

    :meth:`look` and :meth:`resume` may be called in any thread, :meth:`restraint` costs next to nothing.
    """

    def __init__(self, ledger: Ledger, tolerances: Mapping[str, Tolerance]) -> None:
        self.tolerances = tolerances
        self._ledger = ledger
        self._records = ledger.records()
        self._looking = threading.Lock()

    def as_kept(self, delegates: Iterable[str]) -> list[StandingChanged]:
        """Tell how *delegates* stood when the ledger was written."""
        return [_changed(name, self.record(name), is_news=False) for name in delegates]

    def record(self, delegate: str) -> Record:
        """Return how *delegate* stands."""
        return self._records.get(delegate, _NEW)

    def tally(self, delegate: str, now: float) -> Tally:
        """Return what *delegate* is judged by."""
        tolerance = self.tolerances.get(delegate, _NOTHING)
        since = max(now - tolerance.window, self.record(delegate).judged_from)
        return tally_of(self._ledger.sums(since, delegate=delegate).get(delegate, {}))

    def look(self, delegates: Iterable[str], now: float) -> list[StandingChanged]:
        """Judge *delegates*, and all who do not stand well; return what changed. What is told is kept already."""
        with self._looking:
            troubled = {name for name, record in self._records.items() if record.standing}
            changed = {}
            for name in sorted(troubled.union(delegates) & self.tolerances.keys()):
                before = self.record(name)
                after = judged(before, self.tally(name, now), self.tolerances[name], now)
                if after is not before:
                    changed[name] = after
            return self._take_over(changed)

    def resume(self, delegates: Iterable[str], now: float) -> list[StandingChanged]:
        """Forgive *delegates* what their mail did before *now*."""
        with self._looking:
            return self._take_over({name: resumed(now) for name in delegates if name in self.tolerances})

    def restraint(self, delegate: str, now: float) -> Restraint | None:
        """Return what its standing costs a delegate; None for nothing."""
        record = self._records.get(delegate)
        if record is None or record.standing < Standing.SLOWED or delegate not in self.tolerances:
            return None
        if record.standing is Standing.SUSPENDED and record.until is not None and now < record.until:
            return Restraint(barred=_barred(delegate, record, record.until - now), why=record.why)
        return Restraint(self.tolerances[delegate].slow_rate, why=record.why)

    def restrained(self) -> list[str]:
        """Name who does not stand well enough to go on as before."""
        return [name for name, record in self._records.items() if record.standing >= Standing.SLOWED]

    def _take_over(self, changed: Mapping[str, Record]) -> list[StandingChanged]:
        if changed:
            self._ledger.keep(changed)
            self._records = {**self._records, **changed}
        return [_changed(name, record) for name, record in changed.items()]


def _barred(delegate: str, record: Record, seconds: float) -> NotNow:
    text = f"Delegate {delegate} is suspended until {instant(record.until or 0.0)}: {record.why}"
    return NotNow(min(seconds, ASKS_AGAIN), Reply(454, (4, 7, 1), text), Reason.RATE)


def instant(seconds: float) -> str:
    """Write a time for people and machines."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _changed(name: str, record: Record, *, is_news: bool = True) -> StandingChanged:
    return StandingChanged(name, record.standing, record.until, record.why, is_news)


_NEW: Final = Record()
_NOTHING: Final = Tolerance()
