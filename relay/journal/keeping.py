"""
Decisions on their way into the journal: handed over by the loop, written by a thread, a batch at a time.

Mail never waits for it. What the disk does not take is tried again; what does not fit into the bounds meanwhile is
dropped and counted.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from relay.journal.files import in_words, is_damaged, open_in_memory, open_to_read, open_to_write, set_aside
from relay.journal.ring import Pack, Ring, packs_of, row_of
from relay.journal.schema import IN_MEMORY, JournalProblem
from relay.observe.events import Event, JournalDropped, MessageEnded, Noted, Observer
from relay.observe.record_texts import RecordTexts
from relay.words.unavailable import Unavailable

#: Seconds in which decisions are gathered for one transaction.
GATHER: Final = 0.2
#: Between two tries at a disk that fails, in seconds.
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
#: Records, and characters of their JSON, that may wait to be written.
MOST_WAITING: Final = 10_000
MOST_CHARACTERS: Final = 32 << 20
#: What a reader waits for what was decided just before to be written; and the end of the process for the rest.
READER_PATIENCE: Final = 1.0
CLOSING_PATIENCE: Final = 5.0

#: Errors of a statement or a value, which come again with every try.
_OURS: Final = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)

_T = TypeVar("_T")
_Waiting: TypeAlias = tuple[Mapping[str, Any], str]


class Journal:
    """
    An observer that keeps the record of every message that ended, and lets them be asked for.

    Args:
        path: The file; None for memory.
        entries: How many are kept; with 0 none, and what is in the file stays as it is.
        texts: Tells records as the log does, addresses hashed where they are to be.
        observe: Hears of what is dropped and of trouble with the file; from any thread.
    """

    def __init__(
        self,
        path: Path | None,
        entries: int,
        *,
        texts: RecordTexts,
        observe: Observer,
    ) -> None:
        self._path = path
        self._entries = entries
        self._texts = texts
        self._observe = observe
        self._waiting: deque[_Waiting] = deque()
        # Records, and characters of their JSON: what came is counted by the loop alone, what went by the thread alone.
        self._came = self._came_characters = 0
        self._went = self._went_characters = 0
        self._news, self._hurry = threading.Event(), threading.Event()
        self._written = threading.Condition()
        self._is_closing = False
        self._dropped = self._told = 0
        self._trouble = self._misplaced = ""
        self._file: sqlite3.Connection | None = None
        self._inode = 0
        self._lock = threading.Lock()  # of the connection: in memory readers have no other
        self._ring: Ring | None = None
        self._thread: threading.Thread | None = None

    # --- the loop's side ----------------------------------------------------------------------------------------------

    def __call__(self, event: Event) -> None:
        """Take the record of a message that ended; takes a moment, whatever the disk does."""
        if type(event) is MessageEnded:
            self._message_ended(event)

    def ear(self, kind: type) -> Callable[[Any], None] | None:
        """Return what takes the one kind that brings a record."""
        return self._message_ended if kind is MessageEnded else None

    def _message_ended(self, event: MessageEnded) -> None:
        if self._thread is None:
            return
        text = self._texts.text(event.record)
        is_many = self._came - self._went >= MOST_WAITING
        if is_many or self._came_characters - self._went_characters > MOST_CHARACTERS:
            self._drop()
            return
        self._came += 1
        self._came_characters += len(text)
        self._waiting.append((self._texts.told(event.record), text))
        if not self._news.is_set():
            self._news.set()

    def _drop(self) -> None:
        self._dropped += 1
        self._observe(JournalDropped(1))

    @property
    def trouble(self) -> str:
        """Why decisions are not kept where they should be; empty while they are."""
        return self._misplaced or self._trouble

    # --- opening and closing ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """
        Open the file, and begin to write; blocks for the disk.

        A damaged file is set aside. Where there can be no file, decisions are kept in memory, and the log says so.
        """
        self._file = self._opened()
        if self._entries == 0:
            self._file.close()
            self._file = None
            return
        self._ring = Ring(self._file, self._entries, self._path or IN_MEMORY)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def forget(self, before: float) -> None:
        """Let go of decisions that ended before *before*, in seconds since the epoch; blocks for the disk."""
        while self._thread is not None and not self._is_closing:
            try:
                with self._lock:
                    if not self._writable().forget(before):
                        return
            except (sqlite3.Error, OSError, JournalProblem) as error:
                self._tell_of_trouble(error)
                return

    def close(self) -> None:
        """Write what waits, if the disk takes it in a few seconds; blocks."""
        thread = self._thread
        if thread is None:
            return
        self._is_closing = True
        self._hurry.set()
        self._news.set()
        thread.join(CLOSING_PATIENCE)
        self._thread = None
        if thread.is_alive():
            return  # it has the file, and ends with the process
        if self._file is not None:
            self._file.close()
        if lost := len(self._waiting):
            self._observe(JournalDropped(lost))

    def _opened(self) -> sqlite3.Connection:
        if self._path is None:
            return open_in_memory()
        try:
            try:
                return self._open(self._path)
            except sqlite3.DatabaseError as error:
                if not is_damaged(error):
                    raise
                aside = set_aside(self._path)
                told = {"file": str(self._path), "why": in_words(error), "set_aside_as": aside.name}
                self._observe(Noted("error", "journal.damaged", told))
                return self._open(self._path)
        except (JournalProblem, sqlite3.Error, OSError) as problem:
            why = str(problem) if isinstance(problem, JournalProblem) else f"{self._path}: {in_words(problem)}"
            self._misplaced = f"{why}; decisions are kept in memory"
            self._observe(Noted("error", "journal.unusable", {"why": self._misplaced}))
            self._path = None
            return open_in_memory()

    def _open(self, path: Path) -> sqlite3.Connection:
        file = open_to_write(path)
        try:
            # Damage shows here, and not in the middle of the day. Of packs, what lies beside their records is read.
            file.execute("SELECT count(*) FROM decision").fetchone()
            file.execute("SELECT count(*) FROM pack").fetchone()
            file.execute("SELECT count(*) FROM policy_period JOIN policy_text USING (digest)").fetchone()
            self._inode = path.stat().st_ino
        except BaseException:
            file.close()
            raise
        return file

    # --- the thread that writes ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE
        batch: list[_Waiting] = []
        packs: list[Pack] = []
        while True:
            if not batch:
                self._news.wait()
                if not self._is_closing:
                    self._hurry.wait(GATHER)
                self._news.clear()
                self._hurry.clear()
                batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
                packs = self._packs_of(batch)
            if not batch or self._write(packs):
                self._went += len(batch)
                self._went_characters += sum(len(text) for _, text in batch)
                batch, packs, pause = [], [], FIRST_PAUSE
                self._tell_readers()
                self._tell_of_the_dropped()
                if self._is_closing and not self._waiting:
                    return
            elif self._is_closing:
                self._waiting.extendleft(reversed(batch))
                return
            else:
                self._hurry.wait(pause)
                self._hurry.clear()
                pause = min(2 * pause, LONGEST_PAUSE)

    def _packs_of(self, batch: list[_Waiting]) -> list[Pack]:
        rows = []
        for record, text in batch:
            try:
                rows.append((row_of(record), text))
            except (KeyError, TypeError, ValueError):
                self._drop()  # ours, and no reason to lose the others
        return packs_of(rows)

    def _write(self, packs: list[Pack]) -> bool:
        """Return whether this is done with; packs that no file would take are, too."""
        try:
            with self._lock:
                self._writable().append(packs)
        except _OURS as error:
            self._tell_of_trouble(error)
            for rows, _ in packs:
                for _row in rows:
                    self._drop()
            return True
        except (sqlite3.Error, OSError, JournalProblem) as error:
            self._tell_of_trouble(error)
            return False
        if self._trouble:
            self._trouble = ""
            self._observe(Noted("info", "journal.well", {"file": str(self._path)}))
        return True

    def _writable(self) -> Ring:
        """Return the ring; in a new file, if somebody took the old one away."""
        if self._path is not None and (self._file is None or not self._is_still_there(self._path)):
            if self._file is not None:
                self._file.close()
                self._file = None
            self._file = self._open(self._path)
            self._ring = Ring(self._file, self._entries, self._path)
        if self._ring is None:
            raise RuntimeError("the journal was not started")
        return self._ring

    def _is_still_there(self, path: Path) -> bool:
        try:
            return path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _tell_of_trouble(self, error: Exception) -> None:
        if not self._trouble:
            advice = "; restart the relay: it will set the file aside" if is_damaged(error) else ""
            why = str(error) if isinstance(error, JournalProblem) else f"{self._path}: {in_words(error)}"
            self._trouble = f"{why}{advice}"
            self._observe(Noted("error", "journal.failing", {"why": self._trouble, "waiting": len(self._waiting)}))

    def _tell_of_the_dropped(self) -> None:
        """Once the worst is over: while it lasts, the metric tells."""
        new, self._told = self._dropped - self._told, self._dropped
        if new:
            self._observe(Noted("warning", "journal.dropped", {"records": new}))

    def _tell_readers(self) -> None:
        with self._written:
            self._written.notify_all()

    # --- readers ------------------------------------------------------------------------------------------------------

    def read(self, ask: Callable[[sqlite3.Connection], _T]) -> _T | Unavailable:
        """
        Return what *ask* finds in the file, decisions of just now included; for a thread that may wait.

        Raises what *ask* raises, but for errors of the file: they are the answer.
        """
        if self._thread is None:
            return Unavailable("no journal is kept: journal.entries is 0" if self._entries == 0 else "it is closed")
        self._wait_for_what_came()
        try:
            if self._path is None:
                with self._lock:
                    return ask(self._writable().file)
            with closing(open_to_read(self._path)) as file:
                return ask(file)
        except (sqlite3.Error, OSError) as error:
            return Unavailable(f"the journal: {in_words(error)}")
        except JournalProblem as problem:
            return Unavailable(str(problem))

    def _wait_for_what_came(self) -> None:
        came, until = self._came, time.monotonic() + READER_PATIENCE
        with self._written:
            while self._went < came and not self._trouble and (left := until - time.monotonic()) > 0:
                self._hurry.set()
                self._written.wait(left)
