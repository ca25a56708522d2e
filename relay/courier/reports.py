"""What came of an attempt, as it is counted and logged."""

from enum import StrEnum
from typing import Any

from relay.observe.events import Delivered
from relay.observe.stamps import rounded
from relay.spool.entries import Entry, State
from relay.words.endings import Reason
from relay.words.values import dataclass, replace


class Result(StrEnum):
    """How an attempt ended, or why a message was given up without one."""

    SENT = "sent"
    DEFERRED = "deferred"  # surely not accepted: it is tried again
    AMBIGUOUS = "ambiguous"  # SES may have it: it is tried again, later and marked
    REFUSED = "refused"  # SES's final no
    WITHDRAWN = "withdrawn"  # the policies, or our own rules, no longer permit it
    EXPIRED = "expired"  # it failed once more, and it is too old
    QUARANTINED = "quarantined"  # damaged on disk, or taken to be what the relay died of


@dataclass(frozen=True, slots=True)
class Report:
    """
    An attempt that is over. ``entry``: the message as it is to be written, or was, when it is *quarantined*; when
    *sent* it is to be forgotten. ``why``: what SES or the judge said; empty when nothing went wrong.
    """

    result: Result
    entry: Entry
    why: str = ""
    ses_ids: tuple[str, ...] = ()
    seconds: float = 0.0

    def event(self, now: float) -> Delivered:
        """Tell of it; *now* in seconds since the epoch."""
        return Delivered(self.entry.session.delegate, str(self.result), self._record(now))

    def _record(self, now: float) -> dict[str, Any]:
        entry = self.entry
        record: dict[str, Any] = {
            "queue_id": entry.id,
            "kind": str(entry.kind),
            "attempt": entry.attempts,
            "recipients": sum([len(batch.recipients) for batch in entry.batches]),
            "maybe_duplicate": entry.maybe > 0,
            "age": rounded(max(0.0, now - entry.accepted_at), 1e3),
            "seconds": rounded(self.seconds, 1e6),
        }
        if self.ses_ids:
            record["ses_ids"] = list(self.ses_ids)
        if self.why:
            record["why"] = self.why
        if self.result is not Result.SENT:
            record["reason"] = entry.reason.value
            record["state"] = entry.state.value
        if entry.state is State.DUE and self.result is not Result.SENT:
            record["next_in"] = round(max(0.0, entry.due_at - now), 3)
        return record


def quarantined(entry: Entry, why: str) -> Report:
    """Report an entry that the spool, or one crash too many, took out of the way."""
    return Report(Result.QUARANTINED, replace(entry, state=State.QUARANTINED, reason=Reason.INTERNAL, last=why), why)
