"""
What was heard of delegates' mail: counts, standings, and what was counted already, in one SQLite file or in memory.

A thing that SQS brings again (Amazon SQS Developer Guide, "At-least-once delivery") is known by its digest and not
counted again: counts and digests are one transaction, and the message is deleted from the queue only after it.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from relay.feedback.happenings import Happening
from relay.feedback.standing import Record
from relay.words.standings import Standing
from relay.words.values import dataclass

#: Seconds of one count: windows are as exact as this.
PERIOD: Final = 600.0
#: Seconds that counts are kept, and that a thing is known again; as long as SQS keeps anything, and a day.
KEPT: Final = 35 * 86400.0
KNOWN: Final = 15 * 86400.0
#: The most digests, some 40 MiB of them; then the oldest go.
MOST_KNOWN: Final = 1_000_000
_BUSY_SECONDS: Final = 5.0
_APPLICATION: Final = 0x53524642  # SRFB
_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE known (digest BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX known_at ON known (at);
CREATE TABLE tally (
    delegate TEXT NOT NULL,
    period REAL NOT NULL,
    kind TEXT NOT NULL,
    recipients INTEGER NOT NULL,
    PRIMARY KEY (delegate, period, kind)
) WITHOUT ROWID;
CREATE INDEX tally_period ON tally (period);
CREATE TABLE standing (
    delegate TEXT PRIMARY KEY,
    standing INTEGER NOT NULL,
    since REAL NOT NULL,
    until REAL,
    judged_from REAL NOT NULL,
    why TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE resumed (delegate TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
"""
_SUMS: Final = "SELECT delegate, kind, sum(recipients) FROM tally WHERE period >= ? AND period < ?"


class LedgerProblem(Exception):
    """The file cannot be used, or not now. ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A happening, and whose mail it was: a delegate of the configuration, or ``other``."""

    delegate: str
    happening: Happening


class Ledger:
    """
    The ledger of one relay; for any thread, one at a time.

    Args:
        path: The file, made 0600 where it is not there; None: in memory.
        must_exist: Whether a file that is not there is a problem.

    Raises:
        LedgerProblem: There is no such file, it is another program's or a newer version's, or is damaged.

    """

    def __init__(self, path: Path | None, *, must_exist: bool = False) -> None:
        self.path = path
        self._lock = threading.Lock()
        if path is not None and must_exist and not path.exists():
            raise LedgerProblem(f"{path} is not there: a relay with feedback.path and a queue makes it as it starts")
        try:
            self._file = _opened(path)
        except (sqlite3.Error, OSError) as error:
            raise LedgerProblem(f"{path}: {error}") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def check(self) -> None:
        """Raise what the next counting would raise for want of room or of a right, before anything is taken."""
        with self._writing() as file:
            file.execute("DELETE FROM known WHERE digest = x''")

    def count(self, heard: Sequence[Heard], now: float) -> list[int]:
        """
        Count, durably, and return how many things of each were news; nothing is counted where it raises.

        What is about mail from before its delegate's ``judged_from`` is counted at the time of that mail.
        """
        with self._writing() as file:
            from_when = dict(file.execute("SELECT delegate, judged_from FROM standing"))
            return [_count(file, each, from_when.get(each.delegate, 0.0), now) for each in heard]

    def sums(self, since: float, until: float | None = None, delegate: str | None = None) -> dict[str, dict[str, int]]:
        """Return recipients by delegate and word, of the periods that begin from *since* on, and before *until*."""
        # Said so that one delegate is looked up by itself: it is judged with every batch of events.
        of_whom, names = ("", ()) if delegate is None else (" AND delegate = ?", (delegate,))
        query = f"{_SUMS}{of_whom} GROUP BY delegate, kind"
        found: dict[str, dict[str, int]] = {}
        with self._reading() as file:
            rows = file.execute(query, (since, 1e18 if until is None else until, *names)).fetchall()
        for name, kind, number in rows:
            found.setdefault(name, {})[kind] = number
        return found

    def records(self) -> dict[str, Record]:
        """Return how delegates stand; who is not there stands well."""
        with self._reading() as file:
            rows = file.execute("SELECT delegate, standing, since, until, judged_from, why FROM standing").fetchall()
        return {name: Record(Standing(number), *more) for name, number, *more in rows}

    def keep(self, records: Mapping[str, Record]) -> None:
        """Keep how delegates stand."""
        rows = [
            (name, int(each.standing), each.since, each.until, each.judged_from, each.why)
            for name, each in records.items()
        ]
        with self._writing() as file:
            file.executemany("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?)", rows)

    def ask_to_resume(self, delegate: str, now: float) -> None:
        """Leave word for the relay that an operator forgives *delegate*."""
        with self._writing() as file:
            file.execute("INSERT OR REPLACE INTO resumed VALUES (?, ?)", (delegate, now))

    def take_resumed(self) -> list[str]:
        """Take the words that were left, each once."""
        with self._reading() as file:
            if file.execute("SELECT 1 FROM resumed LIMIT 1").fetchone() is None:
                return []
        with self._writing() as file:
            return [name for (name,) in file.execute("DELETE FROM resumed RETURNING delegate").fetchall()]

    def trim(self, now: float) -> None:
        """Let go what is too old, or too much."""
        with self._writing() as file:
            file.execute("DELETE FROM tally WHERE period < ?", (now - KEPT,))
            file.execute("DELETE FROM known WHERE at < ?", (now - KNOWN,))
            (number,) = file.execute("SELECT count(*) FROM known").fetchone()
            if number > MOST_KNOWN:
                oldest = "SELECT digest FROM known ORDER BY at LIMIT ?"
                file.execute(f"DELETE FROM known WHERE digest IN ({oldest})", (number - MOST_KNOWN,))  # noqa: S608  ours

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._file
            except sqlite3.Error as error:
                raise LedgerProblem(f"{self.path}: {error}") from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as file:
            file.execute("BEGIN IMMEDIATE")
            try:
                yield file
                file.execute("COMMIT")
            except BaseException:
                if file.in_transaction:
                    file.execute("ROLLBACK")
                raise


def _opened(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        # Never opened here if it is there: closed again, it would take away the locks of other connections (POSIX).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    place = ":memory:" if path is None else str(path)
    file = sqlite3.connect(place, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = FULL")
        file.execute("BEGIN IMMEDIATE")
        _make(file, path)
        file.execute("COMMIT")
    except BaseException:
        file.close()
        raise
    return file


def _make(file: sqlite3.Connection, path: Path | None) -> None:
    (application,), (version,) = (
        file.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    if (application, version) == (_APPLICATION, _VERSION):
        return
    (tables,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == _APPLICATION:
        raise LedgerProblem(f"{path} was written by another version of ses-relay")
    if application or version or tables:
        raise LedgerProblem(f"{path} is the file of another program")
    for statement in filter(str.strip, _TABLES.split(";")):
        file.execute(statement)
    file.execute(f"PRAGMA application_id = {_APPLICATION}")
    file.execute(f"PRAGMA user_version = {_VERSION}")


def _count(file: sqlite3.Connection, heard: Heard, judged_from: float, now: float) -> int:
    happening = heard.happening
    number = _news(file, happening.digests(), now)
    if number:
        at = min(happening.at if happening.mailed_at >= judged_from else happening.mailed_at, now)
        period = at // PERIOD * PERIOD
        period = max(period, judged_from) if at >= judged_from else period
        file.execute(
            "INSERT INTO tally VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET recipients = recipients + excluded.recipients",
            (heard.delegate, period, happening.kind, number),
        )
    return number


def _news(file: sqlite3.Connection, digests: Iterable[bytes], now: float) -> int:
    insert = "INSERT OR IGNORE INTO known VALUES (?, ?)"
    return sum(file.execute(insert, (digest, now)).rowcount for digest in digests)
