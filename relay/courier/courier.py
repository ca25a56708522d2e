"""
The courier: takes what is due from the spool, as much at once as SES bears, and settles what came of it.

Every attempt is registered on disk before it is made. What has begun is settled whatever happens; what the process dies
of is found *sending* by the next start.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

from relay.background import call_off
from relay.courier import schedule as schedules
from relay.courier.attempts import BROKEN, PATIENCE, STOPPED, Attempts, Backdoor, Chances, open_batches
from relay.courier.books import Books
from relay.courier.choice import choose, may_go
from relay.courier.ports import NoNotices, Notices
from relay.courier.reports import Report, Result
from relay.courier.schedule import Schedule
from relay.courier.settling import Settling
from relay.courier.slots import Bounds, Slots, UnderWay
from relay.courier.takeover import Takeover
from relay.observe.events import Incident, Noted, Observer
from relay.sending.outcomes import Ambiguous, Deferred, Outcome
from relay.sending.ports import NotNow, Turn
from relay.sending.troubles import Lane, lane_of
from relay.spool.details import ALONE
from relay.spool.entries import Entry
from relay.spool.ports import Full, Spool
from relay.words.endings import Reason
from relay.words.unavailable import Unavailable
from relay.words.values import replace

#: What comes of a commit.
_Answer: TypeAlias = asyncio.Future[Full | Unavailable | None]

#: Entries that are known to be due and wait for a slot: of all delegates, and of one.
MOST_WAITING: Final = 256
MOST_OF_ONE: Final = 32
#: Seconds after which those that wait for a slot are looked up again: others may have become due meanwhile.
LOOK_AGAIN: Final = 0.5
#: Seconds between two looks at an idle spool; new entries do not wait for it.
GLANCE: Final = 5.0
#: The least wait between two looks, in seconds.
MOMENT: Final = 0.01
#: A gate shut for so long lets nobody through who would be too old afterwards.
LONG_SHUT: Final = 900.0
#: Seconds for which nothing is begun after the disk would not take note of it.
DISK_RESTS: Final = 1.0
#: Seconds for writing down what was broken off at the end.
LAST_WORDS: Final = 5.0


class Courier:
    """
    The second walk; a :class:`relay.reception.Successor`.

    Args:
        spool: Where messages wait.
        attempts: Makes one attempt.
        door: Gates and pace; shared with reception.
        schedule: When again.
        chances: The time for stamps, and chance.
        monotonic: Seconds, for waits.
        observe: Hears of every attempt.
        notices: Hear of what failed for good.
        bounds: What may be under way at once.
    """

    def __init__(  # noqa: PLR0913 - each is a neighbour of its own, and all but two go by name
        self,
        spool: Spool,
        attempts: Attempts,
        *,
        door: Backdoor,
        schedule: Schedule,
        chances: Chances,
        monotonic: Callable[[], float],
        observe: Observer,
        notices: Notices | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._spool = spool
        self._attempts = attempts
        self._books = Books(spool, observe)
        self._door = door
        self._schedule = schedule
        self._chances = chances
        self._monotonic = monotonic
        self._observe = observe
        self._takeover = Takeover(spool, self._books, schedule=schedule, chances=chances, observe=observe)
        self._settling = Settling(self._books, notices or NoNotices(), now=chances.now, observe=observe)
        self._bounds = bounds or Bounds()
        self._woken = asyncio.Event()
        self._is_open = False
        self._waiting: dict[str, Entry] = {}
        self._is_behind = True  # more may be due than is known
        self._in_line = 0  # of ours, those that wait for their turn
        self._looked_at = float("-inf")
        self._took_over_at = float("-inf")
        self._slots = Slots()
        self._is_clearing = False
        self._alone_from = float("-inf")
        self._disk_rests_until = float("-inf")
        self._running: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        """
        Take over what an earlier process left, then begin.

        Raises:
            OSError: The spool does not answer.
        """
        self._took_over_at = self._monotonic()
        problem = await self._takeover.take_over()
        if problem is not None and not self._spool.is_shared:
            raise OSError(problem.why)
        self._is_open = True
        self._running = asyncio.create_task(self._run(), name="courier")

    def halt(self) -> None:
        """Take nothing more. What is under way goes on, and calls may still be handed over."""
        self._is_open = False
        if self._running is not None:
            self._running.cancel()

    async def stop(self, seconds: float) -> bool:
        """
        Halt, and let what is under way end, *seconds* at most.

        Returns:
            Whether all ended. If not, the rest was broken off: SES may have those messages, and the spool says so.
        """
        self._is_open = False
        await call_off(self._running)
        until, ended = self._monotonic() + seconds, set[asyncio.Future[Any]]()
        while steps := set(self._slots.steps) - ended:  # once more for attempts at what is kept meanwhile
            ended, broken_off = await asyncio.wait(steps, timeout=max(until - self._monotonic(), 0.0))
            for one in broken_off:
                one.cancel()
            if broken_off:
                await asyncio.wait(broken_off, timeout=LAST_WORDS)
                return False
        return True

    # What reception asks

    def look(self) -> None:
        """There is something new in the spool, or a person changed something there."""
        self._is_behind = True
        self._woken.set()

    def kept(self, entry: Entry) -> None:
        """There is a new entry in the spool, due now: it need not be looked for while all others are known."""
        if self._is_behind or len(self._waiting) >= MOST_OF_ONE:
            self.look()
        else:
            self._waiting[entry.id] = entry
            self._woken.set()

    def take_up(self, entry: Entry, raw: bytes) -> _Answer | None:
        """
        Commit an entry that is new and *sending*, and send it from memory once it is kept: its attempt is registered
        by the commit.

        Returns:
            What comes of the commit; None, and nothing is done, where it may not go at once, before all that waits.
        """
        lane = lane_of(entry.details)
        if not self._may_go_at_once(entry, lane):
            return None
        commit = asyncio.ensure_future(self._spool.commit(entry, raw))
        answer = self._loop.create_future()
        one = UnderWay(entry, lane, commit, is_ours=True)
        self._slots.add(one)
        commit.add_done_callback(partial(self._is_kept, one, raw, answer))
        return answer

    def after(self, outcome: Deferred | Ambiguous, entry: Entry) -> Entry:
        """Return *entry* as it waits after a first attempt, made by reception, that came to *outcome*."""
        return schedules.after(outcome, entry, self._schedule, self._chances.now(), self._chances.draw())

    def hand_over(self, entry: Entry, call: "asyncio.Task[Outcome]") -> None:
        """Take over an entry that is *sending* by a call of reception's."""
        task = asyncio.create_task(self._finish(entry, call), name=f"finish {entry.id}")
        self._slots.add(UnderWay(entry, lane_of(entry.details), task, is_ours=False))

    # The round

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._look_for_the_dead()
                await self._look_for_more()
                self._fill_slots()
                rest = await self._rest()
            except Exception as error:  # noqa: BLE001 - whatever it is, mail goes on
                self._observe(Incident("courier", "-", error))
                rest = 1.0
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._woken.wait()

    async def _look_for_the_dead(self) -> None:
        """Where others have this spool, too: take over from those that died since, and what was lost of ours."""
        now = self._monotonic()
        if now < self._took_over_at + GLANCE:
            return
        self._took_over_at = now
        problem = await self._takeover.take_over() or await self._takeover.pick_up(frozenset(self._slots))
        if problem is not None:
            self._observe(Noted("error", "spool.unavailable", {"why": problem.why}))

    async def _look_for_more(self) -> None:
        """Ask what is due, when all of the last answer is under way, or the answer has grown old."""
        now = self._monotonic()
        if self._waiting and not self._is_clearing and now < self._looked_at + LOOK_AGAIN:
            return
        self._looked_at = now
        self._is_behind = False  # unless somebody says so meanwhile
        before, self._waiting = self._waiting, {}  # what is kept meanwhile comes in here
        busy = frozenset(self._slots)
        of_one = MOST_WAITING if self._is_clearing else MOST_OF_ONE
        due = await self._spool.due(self._chances.now(), limit=MOST_WAITING, per_delegate=of_one, busy=busy)
        if isinstance(due, Unavailable):
            self._is_behind = True
            self._waiting = before | self._waiting
            self._observe(Noted("error", "spool.unavailable", {"why": due.why}))
            return
        of_each = Counter(entry.delegate for entry in due)
        self._is_behind |= len(due) == MOST_WAITING or of_one in of_each.values()
        self._waiting = {entry.id: entry for entry in due if entry.id not in self._slots} | self._waiting
        await self._clear_the_way()

    async def _clear_the_way(self) -> None:
        """
        Put off those that stand before a shut gate and hide others of their delegate, whose gate may be open; give up
        those that are too old when their gate has been shut for long.
        """
        crowd = Counter(entry.delegate for entry in self._waiting.values())
        gates, now = self._door.gates, self._chances.now()
        kept: set[Lane] = set()
        put_off = []
        for entry in tuple(self._waiting.values()):
            lane = lane_of(entry.details)
            wait = gates.wait(lane)
            if not wait:
                continue
            if schedules.is_too_old(entry, self._schedule, now) and gates.shut_for(lane) > LONG_SHUT:
                del self._waiting[entry.id]
                given_up = schedules.failed(_held_up(entry, gates.reason(lane)), self._schedule, now)
                await self._settling.settle(Report(Result.EXPIRED, given_up, given_up.last))
            elif crowd[entry.delegate] >= MOST_OF_ONE and lane in kept:
                put_off.append(schedules.put_off_by(self._waiting.pop(entry.id), self._schedule, now, wait))
            kept.add(lane)
        await asyncio.gather(*map(self._books.write, put_off))
        self._is_clearing = bool(put_off)

    def _fill_slots(self) -> None:
        while self._waiting and (entry := self._choose()) is not None:
            del self._waiting[entry.id]
            lane = lane_of(entry.details)
            self._slots.add(UnderWay(entry, lane, self._attempt(entry, lane), is_ours=True))

    def _choose(self) -> Entry | None:
        now = self._monotonic()
        if now < self._disk_rests_until:
            return None
        one_alone = now >= self._alone_from
        return choose(self._waiting.values(), self._slots, self._door.gates, self._bounds, one_alone=one_alone)

    def _may_go_at_once(self, entry: Entry, lane: Lane) -> bool:
        """Tell whether *entry* may have a slot before it is kept; if so, its gates admitted it."""
        if not self._is_open or self._is_behind or self._waiting or self._in_line:
            return False
        if self._monotonic() < self._disk_rests_until or self._slots.calls >= self._bounds.calls:
            return False
        return not self._slots.has_alone and may_go(entry, lane, self._slots, self._door.gates, self._bounds)

    async def _rest(self) -> float:
        """Tell the seconds until something may have changed of which nobody wakes us."""
        now = self._chances.now()
        if self._is_clearing:
            return MOMENT
        if self._woken.is_set():
            return 0.0
        if self._waiting:
            waits = [self._door.gates.wait(lane_of(entry.details)) for entry in self._waiting.values()]
            rest = min(max(min(waits), LOOK_AGAIN), GLANCE)
            until_alone = self._alone_from - self._monotonic()
            return min(rest, until_alone) if until_alone > 0 else rest
        due_at = await self._spool.next_due(now)
        return GLANCE if due_at is None or isinstance(due_at, Unavailable) else min(max(due_at - now, MOMENT), GLANCE)

    # One attempt

    def _is_kept(self, one: UnderWay, raw: bytes, answer: _Answer, commit: _Answer) -> None:
        """A commit has ended: tell who waits for that, unless it was cancelled, and try what is kept all the same."""
        if not answer.done():
            _hand_on(commit, answer)
        if commit.cancelled() or commit.exception() is not None or commit.result() is not None:
            self._door.gates.leave(one.lane)
            self._ended(one.entry, is_gone=True)
        else:  # those who were answered with us say 250 before anything is sent
            self._loop.call_soon(self._begin, one, raw)

    def _begin(self, one: UnderWay, raw: bytes) -> None:
        one.step = self._attempt(one.entry, one.lane, raw)

    def _attempt(self, entry: Entry, lane: Lane, raw: bytes | None = None) -> "asyncio.Task[None]":
        """Try an entry that has a slot; *raw*: the message, of one that was taken up."""
        return self._loop.create_task(self._try(entry, lane, raw), name=f"attempt {entry.id}")

    async def _try(self, entry: Entry, lane: Lane, raw: bytes | None) -> None:
        started, is_gone = self._monotonic(), False
        try:
            is_gone = await self._try_in_turn(entry, lane, raw)
        finally:
            if ALONE in entry.details:
                now = self._monotonic()
                self._alone_from = now + (now - started)
            self._ended(entry, is_gone=is_gone)

    async def _try_in_turn(self, entry: Entry, lane: Lane, raw: bytes | None) -> bool:
        """
        Wait for the turn, register the attempt unless its commit did, make it, settle it; tell whether the entry is
        gone. *raw*: the message, of one that was taken up.
        """
        turn = _turn_of(entry, lane)
        begun: Entry | Unavailable | None = None if raw is None else entry
        is_taken = False
        try:
            not_now = await self._take(turn)
            if not_now is not None:
                self._door.gates.leave(lane)
                await self._books.write(self._put_off_by(entry, max(not_now.seconds, LOOK_AGAIN)))
                return False
            is_taken = True
            if begun is None:
                begun = await self._spool.begin(entry, self._chances.now())
            if not isinstance(begun, Entry):
                self._attempts.leave(turn)
                self._not_begun(begun)
                return False
            report = await self._attempts.make(begun, turn, raw)
        except asyncio.CancelledError:  # broken off before the call: nothing left this house
            if is_taken:
                self._attempts.leave(turn)
            if isinstance(begun, Entry):
                await self._books.write(self._put_off_by(begun, 0.0))
            raise
        except Exception as error:  # noqa: BLE001 - what has begun must not be forgotten
            self._observe(Incident(entry.id, entry.session.id, error))
            report = self._attempts.after_call(begun if isinstance(begun, Entry) else entry, BROKEN)
        await self._settling.settle(report)
        return report.result is Result.SENT

    async def _take(self, turn: Turn) -> NotNow | None:
        """Wait for the turn; whoever comes while somebody waits is not taken up."""
        self._in_line += 1
        try:
            return await self._door.pace.take(turn, patience=PATIENCE)
        finally:
            self._in_line -= 1

    def _not_begun(self, problem: Unavailable | None) -> None:
        """An attempt that cannot be registered is not made: give the disk, or whoever has the entry, a moment."""
        if problem is not None:
            self._observe(Noted("error", "spool.unavailable", {"why": problem.why}))
        rest = MOMENT if problem is None else DISK_RESTS
        self._disk_rests_until = self._monotonic() + rest

    async def _finish(self, entry: Entry, call: "asyncio.Task[Outcome]") -> None:
        """Wait for the end of a call that was handed over, and settle its entry."""
        started = self._monotonic()
        try:
            outcome = await asyncio.shield(call)
        except asyncio.CancelledError:
            call.cancel()
            outcome = STOPPED
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        except Exception as error:  # noqa: BLE001 - nobody knows how far it came
            self._observe(Incident(entry.id, entry.session.id, error))
            outcome = BROKEN
        try:
            report = self._attempts.after_call(entry, outcome)
            await self._settling.settle(replace(report, seconds=self._monotonic() - started))
        finally:
            self._ended(entry, is_gone=False)

    def _put_off_by(self, entry: Entry, seconds: float) -> Entry:
        return schedules.put_off_by(entry, self._schedule, self._chances.now(), seconds)

    def _ended(self, entry: Entry, *, is_gone: bool) -> None:
        """Free its slot, and look around where that may matter: others wait for one, or it will be due again."""
        self._slots.remove(entry.id)
        if self._waiting or self._is_behind or not is_gone:
            self._woken.set()


def _held_up(entry: Entry, reason: Reason) -> Entry:
    """Return *entry* with why it was not sent: what it heard itself, else the *reason* of the gate before it."""
    return entry if entry.last else replace(entry, reason=reason, last=f"given up: {reason.value}")


def _turn_of(entry: Entry, lane: Lane) -> Turn:
    """Return the turn of the call that an attempt begins with."""
    first = next(iter(open_batches(entry, is_begun=False)), 0) if entry.is_divided else 0
    return Turn(lane, entry.session.delegate, len(entry.batches[first].recipients))


def _hand_on(commit: _Answer, answer: _Answer) -> None:
    """Let *answer* end as *commit* did."""
    if commit.cancelled():
        answer.cancel()
    elif (error := commit.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(commit.result())
