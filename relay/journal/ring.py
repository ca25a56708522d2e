"""The ring itself: decisions appended, the oldest let go of."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, TypeAlias

from relay.journal.packing import pack

#: How bad a verdict is: a decision is found under the worst of its roles.
SEVERITY: Final = ("denied", "not-allowed", "undecided", "sealed", "allowed")
#: Of all records together, on the average: many times what honest ones have.
OCTETS_AN_ENTRY: Final = 4096
_COUNT: Final = "SELECT count(*), coalesce(sum(octets), 0) FROM decision INDEXED BY decision_browsed"
_OLDEST: Final = (
    "SELECT count(*), sum(octets), max(number) FROM"
    " (SELECT number, octets FROM decision INDEXED BY decision_browsed ORDER BY number LIMIT ?)"
)
_FIELDS: Final = ("id", "time", "delegate", "verdict", "outcome", "reason", "octets", "record")
# One statement for many rows: each statement lets go of the interpreter, and has to get it back from busier threads.
_AT_ONCE: Final = (64, 8, 1)
_EVICTED_AT_ONCE: Final = 64
_FORGOTTEN_AT_ONCE: Final = 500

Row: TypeAlias = tuple[str, float, str, str | None, str, str, int, bytes]


def row_of(record: Mapping[str, Any], text: str) -> Row:
    """Return the row of *record*, whose JSON is *text*."""
    packed = pack(text)
    verdicts = {row["verdict"] for row in record["roles"]}
    return (
        record["id"],
        datetime.fromisoformat(record["time"]).timestamp(),
        record["delegate"],
        next((each for each in SEVERITY if each in verdicts), None),
        record["outcome"],
        record["reason"],
        len(packed),
        packed,
    )


class Ring:
    """
    At most *entries* decisions in the journal's *file*, newest last. One caller at a time.

    Many large ones are fewer: together they have at most ``OCTETS_AN_ENTRY`` octets for each entry.
    """

    def __init__(self, file: sqlite3.Connection, entries: int) -> None:
        self.file = file
        self._entries = entries
        self._most_octets = entries * OCTETS_AN_ENTRY
        self.kept, self.octets = file.execute(_COUNT).fetchone()

    def append(self, rows: Sequence[Row]) -> None:
        """
        Keep *rows*, all of them or none.

        Raises:
            sqlite3.Error: They are not kept.
        """
        kept, octets = self.kept, self.octets
        self.file.execute("BEGIN IMMEDIATE")
        try:
            self._insert(rows[-self._entries :])
            self._evict()
            self.file.execute("COMMIT")
        except BaseException:
            self.kept, self.octets = kept, octets
            if self.file.in_transaction:
                self.file.execute("ROLLBACK")
            raise

    def forget(self, before: float) -> bool:
        """
        Let go of the oldest decisions that ended before *before*, in seconds since the epoch, up to the first that is
        younger: numbers stay without a gap. Returns whether there may be more of them.

        Raises:
            sqlite3.Error: They are still there.
        """
        self.file.execute("BEGIN IMMEDIATE")
        try:
            first = self.file.execute(_FIRST, (_FORGOTTEN_AT_ONCE,)).fetchall()
            old = list(takewhile(lambda row: row[2] < before, first))
            if old:
                self.file.execute("DELETE FROM decision WHERE number <= ?", (old[-1][0],))
            self.file.execute("COMMIT")
        except BaseException:
            if self.file.in_transaction:
                self.file.execute("ROLLBACK")
            raise
        self.kept -= len(old)
        self.octets -= sum(row[1] for row in old)
        return len(old) == _FORGOTTEN_AT_ONCE

    def _insert(self, rows: Sequence[Row]) -> None:
        done = 0
        for size in _AT_ONCE:
            while len(rows) - done >= size:
                some = rows[done : done + size]
                self.file.execute(_INSERT[size], [value for row in some for value in row])
                done += size
        self.kept += len(rows)
        self.octets += sum(row[6] for row in rows)

    def _evict(self) -> None:
        excess = self.kept - self._entries
        while excess > 0 or (self.octets > self._most_octets and self.kept > 1):
            some = max(1, excess)
            count, octets, last = self.file.execute(_OLDEST, (some,)).fetchone()
            self.file.execute("DELETE FROM decision WHERE number <= ?", (last,))
            self.kept -= count
            self.octets -= octets
            excess = min(_EVICTED_AT_ONCE, self.kept - 1) if self.octets > self._most_octets else 0


_FIRST: Final = "SELECT number, octets, time FROM decision INDEXED BY decision_browsed ORDER BY number LIMIT ?"


def _insert_of(rows: int) -> str:
    one = f"({', '.join('?' * len(_FIELDS))})"
    return f"INSERT INTO decision ({', '.join(_FIELDS)}) VALUES {', '.join([one] * rows)}"  # noqa: S608  only marks


_INSERT: Final = {size: _insert_of(size) for size in _AT_ONCE}
