"""One attempt: the message is read from the spool, judged again as if it came now, and sent; what came of it."""

import asyncio
from collections.abc import Callable
from typing import Final, assert_never

from relay.courier import schedule as schedules
from relay.courier.books import Books, is_same_attempt
from relay.courier.reports import Report, Result, quarantined
from relay.courier.schedule import Schedule
from relay.observe.events import Incident, Observer
from relay.sending.answers import MAYBE_SENT, TRY_LATER
from relay.sending.gates import Gates
from relay.sending.outcomes import Ambiguous, Deferred, Outcome, Refused, Sent
from relay.sending.ports import NOT_MADE, NotNow, Pace, Sender, Turn
from relay.sending.troubles import Lane, details_of
from relay.spool.entries import Entry
from relay.spool.ports import Damaged, Spool
from relay.walk import Prepared, Walk
from relay.words.endings import Outcome as Ended
from relay.words.endings import Reason
from relay.words.transactions import Ending
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass, replace

#: Seconds that a message waits for its turn while it holds a slot; if it takes longer it goes back to the spool.
PATIENCE: Final = 5.0

STOPPED: Final = Ambiguous("Stopped", "the relay stopped before SES answered", MAYBE_SENT, Reason.SES_UNAVAILABLE)
LEFT_OFF: Final = NotNow(0.0, TRY_LATER, Reason.SHUTTING_DOWN)
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

    async def make(self, entry: Entry, turn: Turn, raw: bytes | None = None) -> Report:
        """
        Try *entry*, which is *sending* by now, admitted at the gates of *turn*, which was taken. *raw*: its message as
        it was just committed, where that is in memory still.

        Cancelled before the call it raises; cancelled during the call it reports that SES may have the message.
        """
        try:
            prepared = await self._prepare(entry, raw)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours, and time may mend it
            self._observe(Incident(entry.id, entry.session.id, error))
            prepared = self._later(entry, Reason.INTERNAL, "an incident inside the relay; the log has it")
        if isinstance(prepared, Report):
            self.leave(turn)
            return prepared
        lane, batches = prepared.lane, entry.batches
        is_taken = lane is turn.lane or lane == turn.lane
        if is_taken and len(batches) == 1 and batches[0].is_open:
            return await self._send_whole(entry, prepared, turn)
        if not open_batches(entry):
            self.leave(turn)
            return self.end(entry, None)
        if not is_taken:
            self.leave(turn)
            entry = replace(entry, details={**entry.details, **details_of(lane)})
            if not self._door.gates.admit(lane):
                return self._elsewhere(entry, lane)
        return await self._send(entry, prepared, is_taken=is_taken)

    def leave(self, turn: Turn) -> None:
        """Give back what was taken for a call that is not made."""
        self._door.gates.leave(turn.lane)
        self._door.pace.told(turn, NOT_MADE)

    # Judging

    async def _prepare(self, entry: Entry, kept: bytes | None) -> Prepared | Report:
        """Judge the message as if it came now: the whole, and where there are several batches, each open one."""
        raw: bytes | Damaged | Unavailable | None = kept
        if raw is None:
            raw = await self._spool.body(entry)
        if isinstance(raw, Damaged):
            return quarantined(entry, raw.why)
        if isinstance(raw, Unavailable):
            return self._later(entry, Reason.INTERNAL, raw.why)
        prepared = await self._walk.prepare(
            entry.session,
            entry.envelope,
            raw,
            entry.accepted_at,
            is_checked=kept is not None,  # by the first walk, or it would not have been kept
            maybe_sent=entry.maybe > 0,
            batches=tuple(batch.recipients for batch in entry.batches if batch.is_open) if entry.is_divided else None,
        )
        return self._not_permitted(entry, prepared) if isinstance(prepared, Ending) else prepared

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
        told = replace(entry, reason=gates.reason(lane))
        waits = schedules.put_off_by(told, self._schedule, self._chances.now(), max(gates.wait(lane), 1.0))
        return Report(Result.DEFERRED, waits, f"waits for {lane.account} in {lane.region}")

    # Sending

    async def _send_whole(self, entry: Entry, prepared: Prepared, turn: Turn) -> Report:
        """Send a message of one batch, whose turn was taken: nearly every message is one."""
        started, recipients = self._walk.clocks.monotonic(), entry.batches[0].recipients
        whole = prepared if recipients == prepared.mail.destinations else prepared.to(recipients)
        outcome = await self._call(whole, turn, entry)
        seconds = self._walk.clocks.monotonic() - started
        if isinstance(outcome, Sent):  # its entry goes; no other is made of it
            return Report(Result.SENT, entry, ses_ids=(outcome.message_id,), seconds=seconds)
        return replace(self.after_call(entry, outcome), seconds=seconds)

    async def _send(self, entry: Entry, prepared: Prepared, *, is_taken: bool) -> Report:
        """
        Send what is open, one call a batch; the first that has to wait lets the others wait.

        *is_taken*: the first call's turn was taken already.
        """
        started, ses_ids = self._walk.clocks.monotonic(), []
        trouble: Deferred | Ambiguous | NotNow | None = None
        places = open_batches(entry)
        for place in places:
            recipients = entry.batches[place].recipients
            part = prepared if recipients == prepared.mail.destinations else prepared.to(recipients)
            turn = Turn(part.lane, entry.delegate, len(part.mail.destinations))
            not_now = None if place == places[0] and is_taken else await self._take(turn, is_first=place == places[0])
            outcome = not_now or await self._call(part, turn, entry)
            if isinstance(outcome, Deferred | Ambiguous | NotNow):
                trouble = outcome
                break
            if isinstance(outcome, Sent):
                ses_ids.append(outcome.message_id)
            entry = _with_fate(entry, place, outcome)
            if place != places[-1]:
                entry, trouble = await self._remember(entry)
            if trouble is not None:
                break
        seconds = self._walk.clocks.monotonic() - started
        report = self._waits(entry, trouble) if isinstance(trouble, NotNow) else self.end(entry, trouble)
        return replace(report, ses_ids=tuple(ses_ids), seconds=seconds)

    async def _take(self, turn: Turn, *, is_first: bool) -> NotNow | None:
        """
        Take a turn; for the first call its gates have been passed already. Cancelled between calls nothing is raised:
        what became of the earlier ones is to be written.
        """
        gates = self._door.gates
        if not is_first and not gates.admit(turn.lane):
            return NotNow(max(gates.wait(turn.lane), 1.0), TRY_LATER, gates.reason(turn.lane))
        try:
            not_now = await self._door.pace.take(turn, patience=PATIENCE)
        except asyncio.CancelledError:
            if is_first:
                raise
            _go_on()
            not_now = LEFT_OFF
        if not_now is not None:
            gates.leave(turn.lane)
        return not_now

    async def _call(self, prepared: Prepared, turn: Turn, entry: Entry) -> Outcome:
        try:
            outcome = await self._door.sender.send(prepared.mail, prepared.permit.region)
        except asyncio.CancelledError:
            _go_on()
            outcome = STOPPED
        except Exception as error:  # noqa: BLE001 - nobody knows how far it came
            self._observe(Incident(entry.id, entry.session.id, error))
            outcome = BROKEN
        self._door.gates.told(prepared.lane, outcome)
        self._door.pace.told(turn, outcome)
        if not isinstance(outcome, Sent):
            self._walk.compare(outcome, prepared)
        return outcome

    async def _remember(self, entry: Entry) -> tuple[Entry, NotNow | None]:
        """
        Write down a batch's fate before the next is sent: nobody gets it twice, and no cancellation takes it back.

        Returns:
            The entry as it is written, and why there is no next one now.
        """
        writing = asyncio.ensure_future(self._books.write(entry))
        left_off: NotNow | None = None
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            _go_on()
            left_off = LEFT_OFF
        written = await writing
        if written is None or not is_same_attempt(entry, written):  # or two relays would send what is left of it
            return entry, LEFT_OFF
        return written, left_off

    def end(self, entry: Entry, trouble: Deferred | Ambiguous | None) -> Report:
        """Report on *entry* by the fates of its batches, and by the *trouble* that the open ones met."""
        if trouble is not None:
            return self._after(entry, trouble)
        refused = [batch.refused for batch in entry.batches if batch.refused is not None]
        if not refused:
            return Report(Result.SENT, entry)
        told = replace(entry, last=refused[0], reason=Reason.SES_REFUSED)
        return Report(Result.REFUSED, schedules.failed(told, self._schedule, self._chances.now()), refused[0])

    def after_call(self, entry: Entry, outcome: Outcome) -> Report:
        """Report on a message of one batch by what came of a call that somebody else made."""
        if isinstance(outcome, Deferred | Ambiguous):
            return self._after(entry, outcome)
        report = self.end(_with_fate(entry, 0, outcome), None)
        return replace(report, ses_ids=(outcome.message_id,)) if isinstance(outcome, Sent) else report

    def _waits(self, entry: Entry, not_now: NotNow) -> Report:
        """What waits for its turn has not failed: its pauses do not grow."""
        told = replace(entry, reason=not_now.reason, last="waits for its turn")
        waits = schedules.put_off_by(told, self._schedule, self._chances.now(), max(not_now.seconds, 1.0))
        return self._unless_too_old(Result.DEFERRED, waits)

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


def _go_on() -> None:
    """Take back the cancellation of this task: what has begun is brought to its end first."""
    if (task := asyncio.current_task()) is not None:
        task.uncancel()


def open_batches(entry: Entry, *, is_begun: bool = True) -> list[int]:
    """
    Return the places of the batches that are to be sent now, in their order.

    Each attempt begins with another one: a batch that fails again and again does not keep the others back for ever.
    """
    if len(entry.batches) == 1:
        return [0] if entry.batches[0].is_open else []
    places = [place for place, batch in enumerate(entry.batches) if batch.is_open]
    turned = (entry.attempts - is_begun) % len(places) if places else 0
    return places[turned:] + places[:turned]


def _with_fate(entry: Entry, place: int, outcome: Sent | Refused) -> Entry:
    """Return *entry* with what became of a batch; what gets on is not what relays die of."""
    batches = list(entry.batches)
    match outcome:
        case Sent(message_id):
            batches[place] = replace(batches[place], ses_id=message_id)
            return replace(entry, batches=tuple(batches), crashes=0)
        case Refused():
            batches[place] = replace(batches[place], refused=str(outcome.reply))
            return replace(entry, batches=tuple(batches), crashes=0, reason=outcome.reason)
        case _ as unreachable:
            assert_never(unreachable)
