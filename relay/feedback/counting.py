"""
SES's events from SQS queues, attributed to delegates and counted, and what that comes to: where there are queues.

Nothing here is on the way of a message but :meth:`Counting.restraint`, a look into a dictionary.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from relay.background import call_off
from relay.feedback.happenings import Happening, read_happening
from relay.feedback.ledger import Heard, Ledger, LedgerProblem
from relay.feedback.options import FeedbackOptions
from relay.feedback.queues import Letter, Queue, QueueReader, Unready, sort_letters
from relay.feedback.reports import standing_of, windows_of
from relay.feedback.standings import Standings, instant
from relay.observe.events import Event, FeedbackHeard, Noted, Observer, QueueRead
from relay.observe.labels import OTHER
from relay.sending.ports import Restraint
from relay.words.unavailable import Unavailable

PURPOSE: Final = "feedback"
#: Seconds between two looks at who is suspended, two sums for people to see, and two clearings of the ledger.
LOOK_SECONDS: Final = 2.0
SUM_SECONDS: Final = 10.0
#: Summing takes at most this part of the time: nothing is counted meanwhile, and it is a week of everybody's mail.
SUM_SHARE: Final = 0.05
TRIM_SECONDS: Final = 3600.0


class Counting:
    """Reads queues, counts, and keeps standings; the arguments are :class:`relay.feedback.feedback.Feedback`'s."""

    def __init__(
        self,
        options: FeedbackOptions,
        observe: Observer,
        *,
        clock: Callable[[], float],
        sender_of: Callable[[str], str | None],
    ) -> None:
        self._options = options
        self._observe = observe
        self._clock = clock
        self._sender_of = sender_of
        self._ledger: Ledger | None = None
        self._standings: Standings | None = None
        self._readers: dict[Queue, tuple[QueueReader[list[Event]], asyncio.Task[None]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._windows: dict[str, dict[str, Any]] = {}
        self._unjudged: deque[str] = deque()
        self._resumed: list[str] = []  # by words that were taken from the ledger, and are not kept there yet
        self._why = ""

    async def start(self) -> None:
        """Open the ledger, take up the standings that are there, and begin to read."""
        await self._open()
        self._read()

    async def renew(self, options: FeedbackOptions) -> None:
        """Take over other options with the same ledger; queues that stay are read on."""
        new = options.tolerances.keys() - self._options.tolerances.keys()
        self._options = options
        if self._standings is not None:
            self._standings.tolerances = options.tolerances
            self._tell(self._standings.as_kept(sorted(new)))
            await self._look(options.tolerances)
        await self._stop_reading([queue for queue in self._readers if queue not in options.queues])
        self._read()

    async def close(self) -> None:
        """Read no more. What was not deleted from the queue comes again, and is known by then."""
        await self._stop_reading(self._readers)
        await self._shut()

    def restraint(self, delegate: str) -> Restraint | None:
        """Return what its bounces and complaints cost a delegate now; None for nothing."""
        return None if self._standings is None else self._standings.restraint(delegate, self._clock())

    def restrained(self) -> list[str]:
        """Name the delegates that it costs something."""
        return [] if self._standings is None else self._standings.restrained()

    def troubles(self) -> list[str]:
        """Tell which queues cannot be read, and why, and who is suspended."""
        away = [f"{queue.name}: {reader.why}" for queue, (reader, _) in self._readers.items() if reader.why]
        return [*([self._why] if self._why else []), *away, *self._restrained()]

    def told_of(self, delegate: str) -> dict[str, Any] | None:
        """Return standing and counts of a delegate as :meth:`relay.feedback.feedback.Feedback.told_of` does."""
        standings = self._standings
        if standings is None:
            return None
        return {**standing_of(standings.record(delegate)), "windows": self._windows.get(delegate, {})}

    async def resume(self, delegate: str) -> bool | Unavailable:
        """Forgive *delegate* what its mail did; return whether there is such a delegate."""
        standings = self._standings
        if standings is None or delegate not in standings.tolerances:
            return False
        try:
            self._tell(await asyncio.to_thread(standings.resume, [delegate], self._clock()))
        except LedgerProblem as problem:
            return Unavailable(str(problem))
        return True

    async def _open(self) -> None:
        try:
            self._ledger = await asyncio.to_thread(Ledger, self._options.path)
            self._standings = await asyncio.to_thread(Standings, self._ledger, self._options.tolerances)
        except LedgerProblem as problem:
            self._why = f"counted in memory: {problem}"
            self._observe(Noted("error", "feedback.ledger", {"why": str(problem), "instead": "counted in memory"}))
            self._ledger = Ledger(None)
            self._standings = Standings(self._ledger, self._options.tolerances)
        self._tell(self._standings.as_kept(self._options.tolerances))
        self._looking = asyncio.create_task(self._keep_looking(), name="standings")

    async def _shut(self) -> None:
        task, ledger = self._looking, self._ledger
        self._looking = self._ledger = self._standings = None
        await call_off(task)
        if ledger is not None:
            await asyncio.to_thread(ledger.close)

    def _read(self) -> None:
        for queue in self._options.queues:
            if queue not in self._readers:
                reader = QueueReader(
                    queue, PURPOSE, take=self._take, told=self._tell, ready=self._check, observe=self._observe
                )
                self._readers[queue] = reader, asyncio.create_task(reader.run(), name=f"queue {queue.name}")

    async def _stop_reading(self, queues: Sequence[Queue] | Mapping[Queue, object]) -> None:
        tasks = [self._readers.pop(queue)[1] for queue in tuple(queues)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _check(self) -> None:
        """Leave events in the queue while they could not be counted."""
        try:
            self._there().check()
        except LedgerProblem as problem:
            raise Unready(str(problem)) from None

    def _there(self) -> Ledger:
        if self._ledger is None:
            raise Unready("the ledger is closed")
        return self._ledger

    def _take(self, letters: Sequence[Letter]) -> list[Event]:
        """Read and count; what comes of it is told in the event loop."""
        happenings, told = sort_letters(letters, read_happening, PURPOSE)
        heard = [Heard(self._whose(each), each) for each in happenings]
        now = self._clock()
        try:
            news = self._there().count(heard, now)
        except LedgerProblem as problem:
            raise Unready(str(problem)) from None
        touched = {each.delegate for each, number in zip(heard, news, strict=True) if number}
        changed = self._judged(touched, now) if touched else ()
        for each, number in zip(heard, news, strict=True):
            told.append(QueueRead(PURPOSE, "taken" if number else "known"))
            if number:
                told.append(FeedbackHeard(each.delegate, each.happening.kind, number, _record(each.happening)))
        return [*told, *changed]

    def _judged(self, delegates: Collection[str], now: float) -> Sequence[Event]:
        """Judge *delegates*, and all who do not stand well; whom the ledger does not take now, the next look judges."""
        try:
            return () if self._standings is None else self._standings.look(delegates, now)
        except LedgerProblem:
            self._unjudged.extend(delegates)
            return ()

    def _whose(self, happening: Happening) -> str:
        """The delegate that our own tag names, or that sent the message as far as we remember."""
        named = happening.delegate or self._sender_of(happening.ses_id)
        return named if named is not None and named in self._options.tolerances else OTHER

    def _tell(self, told: Sequence[Event]) -> None:
        for event in told:
            self._observe(event)

    async def _keep_looking(self) -> None:
        trimmed, summed, took = self._clock(), 0.0, 0.0
        while True:
            now = self._clock()
            await self._look(())
            with suppress(LedgerProblem):  # the next look, or the next event, meets it again and tells
                if now - summed >= max(SUM_SECONDS, took / SUM_SHARE):
                    summed, began = now, self._clock()
                    self._windows = await asyncio.to_thread(windows_of, self._there(), now)
                    took = self._clock() - began
                if now - trimmed >= TRIM_SECONDS:
                    trimmed = now
                    await asyncio.to_thread(self._there().trim, now)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, delegates: Sequence[str] | Mapping[str, object]) -> None:
        """End suspensions, and take the words that operators left."""
        standings, now = self._standings, self._clock()
        if standings is None:
            return
        with suppress(LedgerProblem):  # the next look, or the next event, meets it again and tells
            self._resumed += await asyncio.to_thread(self._there().take_resumed)
            self._tell(await asyncio.to_thread(standings.resume, tuple(self._resumed), now))
            self._resumed.clear()
        late = [self._unjudged.popleft() for _ in range(len(self._unjudged))]
        self._tell(await asyncio.to_thread(self._judged, {*delegates, *late}, now))

    def _restrained(self) -> Iterator[str]:
        for name in self._options.tolerances:
            restraint = self.restraint(name)
            if restraint is not None and restraint.barred is not None:
                yield restraint.barred.reply.text
            elif restraint is not None:
                yield f"Delegate {name} is slowed: {restraint.why}"


def _record(happening: Happening) -> dict[str, Any]:
    return {
        "ses_id": happening.ses_id,
        "at": instant(happening.at),
        "recipients": list(happening.recipients),
        **happening.said,
    }
