"""One attempt: the message is read from the spool, judged again as if it came now, and sent; what came of it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, assert_never

from relay.courier import schedule as schedules
from relay.courier.books import Books
from relay.courier.reports import Report, Result, quarantined
from relay.courier.schedule import Schedule
from relay.observe.events import Incident, Observer
from relay.sending.answers import MAYBE_SENT, TRY_LATER
from relay.sending.gates import Gates
from relay.sending.outcomes import Ambiguous, Deferred, Outcome, Refused, Sent
from relay.sending.ports import NOT_MADE, NotNow, Pace, Sender, Turn
from relay.sending.troubles import Lane, details_of
from relay.spool.entries import Batch, Entry
from relay.spool.ports import Damaged, Spool
from relay.walk import Prepared, Walk
from relay.words.endings import Outcome as Ended
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending
from relay.words.unavailable import Unavailable

#: Seconds that a message waits for its turn while it holds a slot; if it takes longer it goes back to the spool.
PATIENCE: Final = 5.0

STOPPED: Final = Ambiguous("Stopped", "the relay stopped before SES answered", MAYBE_SENT, Reason.SES_UNAVAILABLE)
BROKEN: Final = Ambiguous("Internal", "the call broke off inside the relay", MAYBE_SENT, Reason.INTERNAL)


@dataclass(frozen=True, slots=True)
class Backdoor:
    """The way to SES: who calls, how fast, and whether it is worth trying."""

    sender: Sender
    gates: Gates
    pace: Pace


@dataclass(frozen=True, slots=True)
class Chances:
    """Time in seconds since the epoch, that does not jump; chance in [0, 1)."""

    now: Callable[[], float]
    draw: Callable[[], float]


class Attempts:
    """Makes attempts. Every end is a :class:`Report`; of what the entry says nothing but its state is written here."""

    def __init__(
        self, walk: Walk, door: Backdoor, spool: Spool, *, schedule: Schedule, chances: Chances, observe: Observer
    ) -> None:
        self._walk = walk
        self._door = door
        self._spool = spool
        self._books = Books(spool, observe)
        self._schedule = schedule
        self._chances = chances
        self._observe = observe

    async def make(self, entry: Entry, turn: Turn) -> Report:
        """
        Try *entry*, which is *sending* by now, admitted at the gates of *turn*, which was taken.

        Cancelled before the call it raises; cancelled during the call it reports that SES may have the message.
        """
        try:
            prepared = await self._prepare(entry)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours, and time may mend it
            self._observe(Incident(entry.id, entry.session.id, error))
            prepared = self._later(entry, Reason.INTERNAL, "an incident inside the relay; the log has it")
        if isinstance(prepared, Report):
            self.leave(turn)
            return prepared
        lane = prepared[0][1].lane
        if lane != turn.lane:
            self.leave(turn)
            if not self._door.gates.admit(lane):
                return self._elsewhere(entry, lane)
        return await self._send(entry, prepared, is_taken=lane == turn.lane)

    def leave(self, turn: Turn) -> None:
        """Give back what was taken for a call that is not made."""
        self._door.gates.leave(turn.lane)
        self._door.pace.told(turn, NOT_MADE)

    # Judging

    async def _prepare(self, entry: Entry) -> "list[tuple[int, Prepared]] | Report":
        """Judge the whole, and each batch where there are several; return what may go, by the batch's place."""
        raw = await self._spool.body(entry)
        if isinstance(raw, Damaged):
            return quarantined(entry, raw.why)
        if isinstance(raw, Unavailable):
            return self._later(entry, Reason.INTERNAL, raw.why)
        whole = await self._judge(entry, raw, None)
        if isinstance(whole, Ending):
            return self._not_permitted(entry, whole)
        if len(entry.batches) == 1:
            return [(0, whole)]
        parts = []
        for place, batch in enumerate(entry.batches):
            if batch.is_open:
                part = await self._judge(entry, raw, batch)
                if isinstance(part, Ending):
                    return self._not_permitted(entry, part)
                parts.append((place, part))
        return parts

    async def _judge(self, entry: Entry, raw: bytes, batch: Batch | None) -> Prepared | Ending:
        envelope, accepted = entry.envelope, datetime.fromtimestamp(entry.accepted_at, UTC)
        if batch is not None:
            chosen = frozenset(batch.recipients)
            paths = tuple(path for path in envelope.forward_paths if str(path) in chosen)
            envelope = replace(envelope, forward_paths=paths)
        return await self._walk.prepare(entry.session, envelope, raw, accepted, maybe_sent=entry.maybe > 0)

    def _not_permitted(self, entry: Entry, ending: Ending) -> Report:
        """What the policies allowed at 250 and do not allow now is never sent; what nobody can decide waits."""
        why = str(ending.reply)
        if ending.outcome is not Ended.REJECTED:
            return self._later(entry, ending.reason, why)
        told = replace(entry, reason=ending.reason, last=why)
        return Report(Result.WITHDRAWN, schedules.failed(told, self._schedule, self._chances.now()), why)

    def _elsewhere(self, entry: Entry, lane: Lane) -> Report:
        """The policies lead another way now than when the message was taken up, and that way is shut."""
        gates = self._door.gates
        told = replace(entry, reason=gates.reason(lane), details={**entry.details, **details_of(lane)})
        waits = schedules.put_off_by(told, self._schedule, self._chances.now(), max(gates.wait(lane), 1.0))
        return Report(Result.DEFERRED, waits, f"waits for {lane.account} in {lane.region}")

    # Sending

    async def _send(self, entry: Entry, parts: Sequence[tuple[int, Prepared]], *, is_taken: bool) -> Report:
        """
        Send what is open, one call a batch; the first that has to wait lets the others wait.

        *is_taken*: the first call's turn was taken already.
        """
        started, ses_ids = self._walk.clocks.monotonic(), []
        trouble: Deferred | Ambiguous | None = None
        for number, (place, prepared) in enumerate(parts):
            turn = Turn(prepared.lane, entry.delegate, len(entry.batches[place].recipients))
            is_taken = is_taken and number == 0
            outcome = await self._call(prepared, turn, entry, is_taken=is_taken)
            if isinstance(outcome, Deferred | Ambiguous):
                trouble = outcome
                break
            if isinstance(outcome, Sent):
                ses_ids.append(outcome.message_id)
            entry = await self._remember(entry, place, outcome, is_last=number == len(parts) - 1)
        seconds = self._walk.clocks.monotonic() - started
        report = self.end(entry, trouble)
        return replace(report, ses_ids=tuple(ses_ids), seconds=seconds)

    async def _call(self, prepared: Prepared, turn: Turn, entry: Entry, *, is_taken: bool) -> Outcome:
        if not is_taken:
            not_now = await self._door.pace.take(turn, patience=PATIENCE)
            if not_now is not None:
                self._door.gates.leave(turn.lane)
                return _waits(not_now)
        try:
            outcome = await self._door.sender.send(prepared.mail, prepared.permit.region)
        except asyncio.CancelledError:
            outcome = STOPPED
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        except Exception as error:  # noqa: BLE001 - nobody knows how far it came
            self._observe(Incident(entry.id, entry.session.id, error))
            outcome = BROKEN
        self._door.gates.told(prepared.lane, outcome)
        self._door.pace.told(turn, outcome)
        self._walk.compare(outcome, prepared)
        return outcome

    async def _remember(self, entry: Entry, place: int, outcome: Sent | Refused, *, is_last: bool) -> Entry:
        """Note a batch's fate, durably while others are still to go: nobody gets it twice."""
        noted = _with_fate(entry, place, outcome)
        return noted if is_last else await self._books.write(noted) or noted

    def end(self, entry: Entry, trouble: Deferred | Ambiguous | None) -> Report:
        """Report on *entry* by the fates of its batches, and by the *trouble* that the open ones met."""
        if trouble is not None:
            return self._after(entry, trouble)
        refused = [batch.refused for batch in entry.batches if batch.refused is not None]
        if not refused:
            return Report(Result.SENT, entry)
        told = replace(entry, last=refused[0])
        return Report(Result.REFUSED, schedules.failed(told, self._schedule, self._chances.now()), refused[0])

    def after_call(self, entry: Entry, outcome: Outcome) -> Report:
        """Report on a message of one batch by what came of a call that somebody else made."""
        if isinstance(outcome, Deferred | Ambiguous):
            return self._after(entry, outcome)
        report = self.end(_with_fate(entry, 0, outcome), None)
        return replace(report, ses_ids=(outcome.message_id,)) if isinstance(outcome, Sent) else report

    def _after(self, entry: Entry, trouble: Deferred | Ambiguous) -> Report:
        now, chance = self._chances.now(), self._chances.draw()
        result = Result.AMBIGUOUS if isinstance(trouble, Ambiguous) else Result.DEFERRED
        return self._unless_too_old(result, schedules.after(trouble, entry, self._schedule, now, chance))

    def _later(self, entry: Entry, reason: Reason, why: str) -> Report:
        return self._after(entry, Deferred("Waits", why, TRY_LATER, reason))

    def _unless_too_old(self, result: Result, entry: Entry) -> Report:
        now = self._chances.now()
        if not schedules.is_too_old(entry, self._schedule, now):
            return Report(result, entry, entry.last)
        return Report(Result.EXPIRED, schedules.failed(entry, self._schedule, now), entry.last)


def _with_fate(entry: Entry, place: int, outcome: Sent | Refused) -> Entry:
    batches = list(entry.batches)
    match outcome:
        case Sent(message_id):
            batches[place] = replace(batches[place], ses_id=message_id)
            return replace(entry, batches=tuple(batches))
        case Refused():
            batches[place] = replace(batches[place], refused=str(outcome.reply))
            return replace(entry, batches=tuple(batches), reason=outcome.reason)
        case _ as unreachable:
            assert_never(unreachable)


def _waits(not_now: NotNow) -> Deferred:
    return Deferred("NotNow", "waits for its turn", Reply(454, (4, 7, 0), "Throttling failure"), not_now.reason)
