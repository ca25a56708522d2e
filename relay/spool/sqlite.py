"""
The embedded spool: a database of SQLite, and beside it a folder of the large messages.

The commit point is SQLite's COMMIT (write-ahead log, synced). A large message is first written to a file, the file
synced, renamed, and its folder synced; then its row is committed. Removal goes the other way: the row, then the file.
docs/reliability.md has the table of states.
"""

import asyncio
import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from relay.spool import rows, sqlite_queries, sqlite_rows, sqlite_schema
from relay.spool.disk_errors import SQLITE_ERRORS, in_words, lasts, refusal
from relay.spool.entries import Entry, State
from relay.spool.message_files import file_name, is_id
from relay.spool.ports import Census, Damaged, Full, Wanted
from relay.spool.recent import Recent
from relay.spool.rows import Row, Unreadable
from relay.spool.sqlite_opening import Opened, open_files
from relay.spool.sqlite_writer import Outcome, Work, Writer
from relay.words.unavailable import Unavailable
from relay.words.values import replace

_T = TypeVar("_T")

LARGE: Final = 128 * 1024  # octets; from there a file is cheaper than a row
_FINDINGS: Final = 1000  # kept to be told, at most
_TO_BE_SENT: Final = (State.DUE, State.SENDING)


async def open_spool(path: Path, *, max_bytes: int, visiting: bool = False, idle: float = 1.0) -> "SqliteSpool":
    """
    Open the embedded spool at *path*, or make it.

    *max_bytes* bounds what is kept, 2 KiB counted for each entry beside its message. *visiting*: next to the relay that
    has it open, for people. Each *idle* seconds the disk is looked at.

    Raises:
        SpoolProblem: It cannot be opened, or another process has it; what is there is left as it is.
    """
    opened = await asyncio.to_thread(open_files, path, max_bytes=max_bytes, visiting=visiting)
    return SqliteSpool(opened, max_bytes=max_bytes, idle=idle)


class SqliteSpool:
    """An engine of the spool (relay/spool/ports.py), from ``open`` to ``close``."""

    def __init__(self, opened: Opened, *, max_bytes: int, idle: float) -> None:
        """Run on what is open; ``open_spool`` is how to get one."""
        self._lock, self._reading, self._files, self._room = opened.lock, opened.reading, opened.files, opened.room
        self._findings = opened.findings
        self._most_failed = max_bytes // 4
        self._last_delegate = ""
        self._is_closed = False
        self._has_recovered = False
        self._running: set[asyncio.Task[Any]] = set()
        self._readers = ThreadPoolExecutor(1, "spool-reader")
        self._carriers = ThreadPoolExecutor(4, "spool-files")
        self._recent = Recent()
        self._writer = Writer(opened.writing, after=self._after, idle=idle)

    @property
    def is_shared(self) -> bool:
        """Tell that the lock keeps others out."""
        return False

    @property
    def promise(self) -> str:
        """Say nothing: each transaction is synced before 250."""
        return ""

    def wall(self) -> float:
        """Tell the time for stamps: this machine's."""
        return time.time()

    def knows_time(self) -> bool:
        """Say yes: the clock is this machine's."""
        return True

    # ---- what is kept ----

    def room(self, octets: int) -> Full | None:
        """Tell, at no cost, whether a message of *octets* could be committed now."""
        return self._room.for_message(octets)

    def commit(self, entry: Entry, raw: bytes) -> Awaitable[Full | Unavailable | None]:
        """Keep *entry* and its message. Cancelled: it is kept, or not, whole."""
        octets = len(raw)
        if not is_id(entry.id) or octets != entry.size:
            return _refused(ValueError("an entry has an id of letters and digits, and the size of its message"))
        if self._is_closed:
            return _refused(Unavailable("the spool: closed"))
        if octets >= LARGE:
            return self._commit_large(entry, raw)
        if (full := self._room.for_message(octets)) is not None:
            return _refused(full)
        self._room.bound.promise(octets)
        arriving = sqlite_rows.Arriving(entry, hashlib.sha256(raw).digest(), raw)
        told = partial(self._committed, entry)
        return self._writer.ask_together(sqlite_rows.insert, arriving, octets=octets, told=told)

    def _committed(self, entry: Entry, kept: Row | Outcome) -> Outcome:
        """Tell what came of a commit by the row that was written; None where its id was taken."""
        self._room.bound.fulfil(entry.size)
        if isinstance(kept, Row):
            if entry.state is State.DUE:
                self._recent.committed(entry, kept)
            return None
        return Unavailable(f"the spool: an entry {entry.id} is kept already") if kept is None else kept

    async def _commit_large(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        if (full := self._room.for_message(entry.size)) is not None:
            return full
        self._room.bound.promise(entry.size)
        return await self._whole(self._commit_file(entry, raw))

    async def _commit_file(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        def write() -> str:
            sha256 = hashlib.sha256(raw).digest()
            self._files.write(file_name(entry.id, sha256), raw)
            return sha256.hex()

        try:
            sha256 = bytes.fromhex(await self._carried(write))
        except Exception as error:
            self._room.bound.fulfil(entry.size)
            if not isinstance(error, OSError):
                raise
            if lasts(error):
                self._room.report(in_words(error))
            self._room.look()
            return refusal(error)
        arriving, told = sqlite_rows.Arriving(entry, sha256, None), partial(self._committed, entry)
        answer = self._writer.ask_together(sqlite_rows.insert, arriving, first=self._files.sync, told=told)
        refused: Full | Unavailable | None = await answer
        if isinstance(refused, Full):  # Unavailable: the next start may find the row, and needs the file
            await self._drop_file(file_name(entry.id, sha256))
        return refused

    async def remove(self, entry: Entry) -> Unavailable | None:
        """Forget an entry and its message. Absent already is well."""
        self._recent.forget(entry.id)
        # At once, not in a task: SES has the message, and until this is written a crash would send it again.
        if entry.size < LARGE:
            gone: str | Full | Unavailable | None = await self._writer.ask_together(sqlite_rows.delete, entry.id)
            if isinstance(gone, Full | Unavailable):
                return _settled(gone)
            if gone:
                await self._drop_file(gone)
            return None
        # By itself, or the files of all in its group would be looked for.
        answer = self._writer.ask(lambda connection: sqlite_rows.delete(connection, [entry.id])[0])
        removed = await self._whole(self._forgotten(answer))
        return removed if isinstance(removed, Unavailable) else None

    async def _forget_failed(self, entry_id: str) -> bool | Unavailable:
        """Remove an entry if it is *failed* still; tell whether it was."""

        def work(connection: sqlite3.Connection) -> str | None:
            row = connection.execute("SELECT state FROM entries WHERE id = ?", (entry_id,)).fetchone()
            return sqlite_rows.delete(connection, [entry_id])[0] if row == (State.FAILED,) else None

        return await self._forgotten(self._writer.ask(work))

    async def _forgotten(self, answer: "asyncio.Future[str | Full | Unavailable | None]") -> bool | Unavailable:
        """Wait until an entry is removed, then remove its file; tell whether there was one."""
        removed = _settled(await answer)
        if isinstance(removed, Unavailable):
            return removed
        if removed:
            await self._drop_file(removed)
        return removed is not None

    async def _drop_file(self, name: str) -> None:
        """Remove a file that no row needs; one that stays is removed by the next start."""
        with contextlib.suppress(OSError):
            await self._carried(lambda: self._files.remove(name))

    # ---- attempts ----

    async def recover(self) -> Sequence[Entry] | Unavailable:
        """Read the entries that are *sending* though nobody sends them: at the first call, for the lock is ours."""
        if self._has_recovered:
            return ()
        found = await self._entries(sqlite_queries.sending)
        self._has_recovered = not isinstance(found, Unavailable)
        return found

    async def unattended(self, busy: Collection[str]) -> Sequence[Entry] | Unavailable:  # noqa: ARG002  # other engines forget
        """Name nothing: what was written stays written, and all that is *sending* is under way."""
        return ()

    async def due(
        self, now: float, *, limit: int, per_delegate: int, busy: Collection[str] = ()
    ) -> Sequence[Entry] | Unavailable:
        """Name what is due, fairly among delegates, in the order of ``due_at``."""
        turn = sqlite_queries.Turn(now, limit, per_delegate, frozenset(busy), self._last_delegate)
        found = await self._read(lambda connection: sqlite_queries.due(connection, turn))
        if isinstance(found, Unavailable):
            return found
        listed, self._last_delegate = found
        return await self._readable(listed)

    async def next_due(self, now: float) -> float | Unavailable | None:
        """Tell when the next entry that is not due yet becomes so."""
        return await self._read(lambda connection: sqlite_queries.next_due(connection, now))

    async def begin(self, entry: Entry, now: float) -> Entry | Unavailable | None:  # noqa: ARG002  # other engines have leases
        """Register an attempt: *sending*, ``attempts`` one more."""
        begun = replace(entry, state=State.SENDING, attempts=entry.attempts + 1)

        def work(connection: sqlite3.Connection) -> tuple[Entry, sqlite_queries.Body | None] | None:
            written = sqlite_rows.update(connection, begun, _TO_BE_SENT)
            return None if written is None else (written, _body_if_readable(connection, entry.id))

        found = await self._written(work)
        if not isinstance(found, tuple):
            return found
        self._recent.begun(*found)
        return found[0]

    async def change(self, entry: Entry) -> Entry | Unavailable | None:
        """Write *entry* as it stands, if its ``version`` is still the stored one."""
        return await self._written(lambda connection: sqlite_rows.update(connection, entry))

    async def body(self, entry: Entry) -> bytes | Damaged | Unavailable:
        """Read the message, checked against its digest; what fails the check is quarantined."""
        found: sqlite_queries.Body | Unavailable | None = self._recent.body(entry)
        if found is None:
            found = await self._read(lambda connection: sqlite_queries.body(connection, entry.id))
        if isinstance(found, Unavailable):
            return found
        if found is None:
            return Damaged(f"{entry.id} is kept no longer")
        sha256, raw = found
        if raw is None:
            try:
                raw = await self._carried(lambda: self._files.read(file_name(entry.id, sha256)))
            except FileNotFoundError:
                return await self._quarantined(entry.id, "the file of its message is gone")
            except OSError as error:
                return Unavailable(refusal(error).why)
        if not await self._is_whole(raw, sha256):
            return await self._quarantined(entry.id, "its message is not what was committed")
        return raw

    async def _is_whole(self, raw: bytes, sha256: bytes) -> bool:
        def is_whole() -> bool:
            return hashlib.sha256(raw).digest() == sha256

        return is_whole() if len(raw) < LARGE else await self._carried(is_whole)

    # ---- for people ----

    async def find(self, wanted: Wanted, *, limit: int, after: str = "") -> Sequence[Entry] | Unavailable:
        """List entries by id; a blank stands in for each that cannot be read."""
        listed = await self._read(lambda connection: sqlite_queries.find(connection, wanted, limit, after))
        if isinstance(listed, Unavailable):
            return listed
        found = [rows.read(row) for row in listed]
        await self._set_aside(found)
        return [
            rows.stand_in(row, one.why) if isinstance(one, Unreadable) else one
            for row, one in zip(listed, found, strict=True)
        ]

    async def census(self) -> Census | Unavailable:
        """Count, from totals that every transaction keeps."""
        return await self._read(sqlite_queries.census)

    async def sweep(self, now: float) -> Sequence[str | Damaged]:
        """Remove *failed* entries past their retention, or too many; tell of that and of what was found damaged."""
        told: list[str | Damaged] = [Damaged(why) for why in self._findings]
        self._findings.clear()
        leaving = await self._read(
            lambda connection: sqlite_queries.failed_long_enough(connection, now, self._most_failed)
        )
        if isinstance(leaving, Unavailable):
            return [*told, Damaged(leaving.why)]
        removed = await asyncio.gather(*(self._whole(self._forget_failed(name)) for name, _ in leaving))
        told += [f"{name}: removed, {why}" for (name, why), gone in zip(leaving, removed, strict=True) if gone is True]
        return told

    async def close(self) -> None:
        """Finish what runs, close files, give the lock back. Closed already is well; what is asked after is refused."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._running:
            await asyncio.wait(self._running)
        await self._writer.close()
        await asyncio.to_thread(self._close_rest)

    def _close_rest(self) -> None:
        self._readers.shutdown()
        self._carriers.shutdown()
        self._reading.close()
        self._files.close()
        if self._lock is not None:
            self._lock.release()

    # ---- threads ----

    async def _written(self, work: Work[_T]) -> _T | Unavailable:
        """Run *work* in a transaction."""
        return _settled(await self._writer.run(work))

    async def _read(self, query: Callable[[sqlite3.Connection], _T]) -> _T | Unavailable:
        if self._is_closed:
            return Unavailable("the spool: closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, query, self._reading)
        except SQLITE_ERRORS as error:
            return Unavailable(refusal(error).why)

    async def _carried(self, carry: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._carriers, carry)

    async def _whole(self, several: Coroutine[Any, Any, _T]) -> _T:
        """Do several steps to their end, whether or not who asked is cancelled."""
        task = asyncio.ensure_future(several)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _entries(self, query: Callable[[sqlite3.Connection], list[Any]]) -> list[Entry] | Unavailable:
        listed = await self._read(query)
        return listed if isinstance(listed, Unavailable) else await self._readable(listed)

    async def _readable(self, listed: Sequence[Any]) -> list[Entry]:
        """Read rows, and set those aside that cannot be read."""
        read = [self._recent.entry(row) or rows.read(row) for row in listed]
        await self._set_aside(read)
        return [one for one in read if isinstance(one, Entry)]

    async def _set_aside(self, read: Sequence[Entry | Unreadable]) -> None:
        for one in read:
            if isinstance(one, Unreadable):
                await self._quarantined(one.id, one.why)

    async def _quarantined(self, entry_id: str, why: str) -> Damaged:
        done = await self._written(lambda connection: sqlite_rows.quarantine(connection, entry_id, why))
        if done is True and len(self._findings) < _FINDINGS:
            self._findings.append(f"{entry_id}: quarantined, {why}")
        return Damaged(why)

    def _after(self, connection: sqlite3.Connection, trouble: Exception | None) -> None:
        """In the writing thread, after each group and now and then: look at the disk, and try it after trouble."""
        try:
            if trouble is not None and lasts(trouble):
                self._room.report(in_words(trouble))
            elif self._room.trouble is not None:
                self._files.probe()
                sqlite_schema.probe(connection)
                self._room.report(None)
            self._room.count(*sqlite_schema.kept(connection))
        except (OSError, sqlite3.Error) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._room.report(in_words(error))
        self._room.look()


async def _refused(why: Full | Unavailable | ValueError) -> Full | Unavailable:
    if isinstance(why, ValueError):
        raise why
    return why


def _settled(outcome: _T | Full | Unavailable) -> _T | Unavailable:
    """No room is a disk that does not work, for what is no new message."""
    return Unavailable(outcome.why) if isinstance(outcome, Full) else outcome


def _body_if_readable(connection: sqlite3.Connection, entry_id: str) -> sqlite_queries.Body | None:
    """Read a message beside other work, which a damaged page must not stop: who asks for the message is told of it."""
    try:
        return sqlite_queries.body(connection, entry_id)
    except sqlite3.Error:
        if not connection.in_transaction:
            raise
        return None
