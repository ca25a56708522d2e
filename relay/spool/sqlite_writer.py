"""
Group commit: one thread with one connection, and one transaction for all that was asked for meanwhile.

A commit costs a sync of the log however many entries are in it, and while the disk syncs one group the next gathers.
What is alike in a group is done by one statement: each gives the interpreter away, and has to wait to get it back.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from relay.spool.disk_errors import SQLITE_ERRORS, is_full, is_of_the_disk, refusal
from relay.spool.ports import Full
from relay.words.unavailable import Unavailable

_T = TypeVar("_T")
Work: TypeAlias = Callable[[sqlite3.Connection], _T]
#: What is done for several at once: given what each needs, it returns what came of each.
Together: TypeAlias = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[_T]]
After: TypeAlias = Callable[[sqlite3.Connection, Exception | None], None]
Outcome: TypeAlias = Any  # what the work returned, Full or Unavailable; an exception where it made a mistake
#: Called on the loop with what came of a piece of work, whether or not anybody waits for it still.
Told: TypeAlias = Callable[[Outcome], Outcome]

_LARGEST_GROUP: Final = 64  # beyond it nothing is added; of 128 KiB each, at most
_LARGE_ENOUGH: Final = 4  # a group of so many shows that more will come at once
_COMPANY: Final = 0.004  # seconds that a group waits for more then, at most
_MOST_TOGETHER: Final = 16  # in one statement: there is one for each number, and SQLite keeps them compiled
_MOST_IN_THE_LOG: Final = 1900  # pages of 4 KiB, about
_OF_A_GROUP: Final = 8  # pages that each group writes, however much is in it: indexes, totals, the last of each table
_OF_EACH: Final = 2  # pages more for each piece of work, beside the message that it brings
_PAGE: Final = 4096  # octets


class _Asked(NamedTuple):
    """A piece of work, what it needs, the octets of the message among that, and who waits for it."""

    together: Together[Any]
    needs: Any
    octets: int
    first: Callable[[], None] | None
    told: Told | None
    answer: asyncio.Future[Outcome]


class Writer:
    """
    The writing thread, from construction to ``close``.

    Work runs inside a transaction, and is answered after COMMIT: with what it returned, or with Full or Unavailable
    when nothing of it was kept. After a failing sync it may yet be found at the next start.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        after: After,
        idle: float,
    ) -> None:
        """
        Start the thread.

        Args:
            connection: From now on the thread's own; closed with it.
            after: Called by the thread after each group, with what went wrong, and after *idle* seconds without one.
            idle: Seconds.
        """
        self._connection = connection
        self._after, self._idle = after, idle
        self._in_the_log = 0
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._gathering: list[_Asked] = []
        self._last_group = self._seen = 0
        self._until = 0.0  # by the loop's clock
        self._asked: queue.SimpleQueue[list[_Asked] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def ask(
        self, work: Work[_T], *, first: Callable[[], None] | None = None
    ) -> "asyncio.Future[_T | Full | Unavailable]":
        """
        Have *work* done and committed: it is asked for when this returns. Cancelled: it is done all the same.

        *first* is called once before the transaction of the group, and may raise OSError.
        """
        return self.ask_together(_one_by_one, work, first=first)

    def ask_together(
        self,
        together: Together[_T],
        needs: object,
        *,
        octets: int = 0,
        first: Callable[[], None] | None = None,
        told: Told | None = None,
    ) -> "asyncio.Future[Outcome]":
        """
        Have work done as :meth:`ask` does, *together* with all in its group that is done by the same; it writes a
        message of *octets*. *told* makes the answer of what came of it.
        """
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self._is_closed:
            closed = Unavailable("the spool: closed")
            answer.set_result(closed if told is None else told(closed))
        else:
            if not self._gathering:
                self._seen, self._until = 0, self._loop.time() + _COMPANY
                self._loop.call_soon(self._look)
            self._gathering.append(_Asked(together, needs, octets, first, told, answer))
        return answer

    async def run(self, work: Work[_T]) -> _T | Full | Unavailable:
        """Ask for *work*, and wait for its answer."""
        return await self.ask(work)

    async def close(self) -> None:
        """Finish what was asked for, then end the thread and close the connection."""
        self._is_closed = True
        self._pass_on()
        self._asked.put(None)
        await asyncio.to_thread(self._thread.join)

    def _look(self) -> None:
        """
        Pass on what was asked for, or wait for more while there is much to do and each turn of the loop brings some: a
        group costs the same however much is in it.
        """
        came, is_busy = len(self._gathering), self._last_group >= _LARGE_ENOUGH
        if is_busy and self._seen < came < _LARGEST_GROUP and self._loop.time() < self._until:
            self._seen = came
            self._loop.call_soon(self._look)
        else:
            self._pass_on()

    def _pass_on(self) -> None:
        """Hand over what was asked for since the loop went round last: waking the thread costs more than the rest."""
        for start in range(0, len(self._gathering), _LARGEST_GROUP):
            self._asked.put(self._gathering[start : start + _LARGEST_GROUP])
        self._gathering = []

    def _run(self) -> None:
        """Commit group after group until the end is asked for."""
        group, is_open = self._gathered()
        while group or is_open:
            self._commit_group(group)
            group, is_open = self._gathered() if is_open else ([], False)
        self._connection.close()

    def _gathered(self) -> tuple[list[_Asked], bool]:
        """Wait for the first piece of work, take what came with it, and tell whether more may come."""
        group: list[_Asked] = []
        with contextlib.suppress(queue.Empty):
            asked = self._asked.get(timeout=self._idle)
            while asked is not None:
                group += asked
                if len(group) >= _LARGEST_GROUP:
                    return group, True
                asked = self._asked.get_nowait()
            return group, False
        return group, True

    def _commit_group(self, group: list[_Asked]) -> None:
        outcomes, trouble = self._committed(group)
        if trouble is not None and (is_full(trouble) or not is_of_the_disk(trouble)):
            outcomes = [self._committed_alone(asked, trouble) for asked in group]
        self._tell(trouble)
        if group:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._answer, group, outcomes)
        self._bring_home(group)

    def _answer(self, group: Sequence[_Asked], outcomes: Sequence[Outcome]) -> None:
        self._last_group = len(group)
        for asked, outcome in zip(group, outcomes, strict=True):
            if asked.told is not None:
                outcome = asked.told(outcome)  # noqa: PLW2901  # the answer is made of it
            if asked.answer.done():  # who asked was cancelled
                continue
            if isinstance(outcome, Exception):
                asked.answer.set_exception(outcome)
            else:
                asked.answer.set_result(outcome)

    def _bring_home(self, group: Sequence[_Asked]) -> None:
        """Copy the log into the database now and then: here, where nobody waits for it, rather than within a COMMIT."""
        if group:
            self._in_the_log += _OF_A_GROUP + sum([_OF_EACH + each.octets // _PAGE for each in group])
        if self._in_the_log >= _MOST_IN_THE_LOG or (self._in_the_log and not group):
            self._in_the_log = 0
            try:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except SQLITE_ERRORS as error:  # nothing is lost: it stays in the log, which grows until this works
                self._tell(error)

    def _tell(self, trouble: Exception | None) -> None:
        with contextlib.suppress(Exception):  # without this thread nobody would ever be answered again
            self._after(self._connection, trouble)

    def _committed_alone(self, asked: _Asked, trouble: Exception) -> Outcome:
        """On a full disk: bring the log home, which frees it to be written again, and see what fits."""
        if is_full(trouble):
            with contextlib.suppress(*SQLITE_ERRORS):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (outcome,), _ = self._committed([asked])
        return outcome

    def _committed(self, group: Sequence[_Asked]) -> tuple[list[Outcome], Exception | None]:
        """Do the work of *group* in one transaction: what came of each, and what went wrong for all."""
        if not group:
            return [], None
        try:
            for first in {asked.first for asked in group if asked.first is not None}:
                first()
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = self._done(group)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  # whatever it is, who waits must hear that nothing was kept
            with contextlib.suppress(*SQLITE_ERRORS):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            return [refusal(error) if is_of_the_disk(error) else error] * len(group), error
        return outcomes, None

    def _done(self, group: Sequence[_Asked]) -> list[Outcome]:
        """Do what is alike together; nobody has been answered, so nobody can have relied on an order."""
        alike: dict[Together[Any], list[int]] = {}
        for place, asked in enumerate(group):
            alike.setdefault(asked.together, []).append(place)
        outcomes: list[Outcome] = [None] * len(group)
        for together, places in alike.items():
            for start in range(0, len(places), _MOST_TOGETHER):
                some = places[start : start + _MOST_TOGETHER]
                done = together(self._connection, [group[place].needs for place in some])
                for place, outcome in zip(some, done, strict=True):
                    outcomes[place] = outcome
        return outcomes


def _one_by_one(connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Any]:
    return [work(connection) for work in works]
