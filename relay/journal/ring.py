"""The ring itself: decisions appended, the oldest let go of."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, Final, TypeAlias

from relay.journal.packing import MOST_CHARACTERS, MOST_RECORDS, pack
from relay.journal.schema import IN_MEMORY, check

#: How bad a verdict is: a decision is found under the worst of its roles.
SEVERITY: Final = ("denied", "not-allowed", "undecided", "sealed", "allowed")
#: Of all records together, on the average: many times what honest ones have.
OCTETS_AN_ENTRY: Final = 4096
_FIELDS: Final = ("number", "id", "time", "delegate", "verdict", "outcome", "reason")
# One statement for many rows: each statement lets go of the interpreter, and has to get it back from busier threads.
_AT_ONCE: Final = (64, 8, 1)
_FORGOTTEN_AT_ONCE: Final = 500
_KEPT: Final = "SELECT (SELECT count(*) FROM decision), (SELECT coalesce(sum(length(records)), 0) FROM pack)"
# Of both: whatever somebody deletes by hand, a number that was given is not given again.
_NEWEST: Final = (
    "SELECT coalesce(max(number), 0) FROM"
    " (SELECT max(number) AS number FROM decision UNION ALL SELECT max(last) AS number FROM pack)"
)
_EXCESS: Final = "SELECT max(number) FROM (SELECT number FROM decision ORDER BY number LIMIT ?)"
_OLDEST: Final = "SELECT min(last) FROM pack WHERE last < (SELECT max(last) FROM pack)"
_FIRST: Final = "SELECT number, time FROM decision ORDER BY number LIMIT ?"

Row: TypeAlias = tuple[str, float, str, str | None, str, str]
#: The rows of decisions that follow each other, and their records.
Pack: TypeAlias = tuple[Sequence[Row], bytes]


def row_of(record: Mapping[str, Any]) -> Row:
    """Return the row of *record*, but for its number."""
    return (
        record["id"],
        datetime.fromisoformat(record["time"]).timestamp(),
        record["delegate"],
        _worst({row["verdict"] for row in record["roles"]}),
        record["outcome"],
        record["reason"],
    )


def _worst(verdicts: Set[str]) -> str | None:
    for each in SEVERITY:
        if each in verdicts:
            return each
    return None


def packs_of(rows: Iterable[tuple[Row, str]]) -> list[Pack]:
    """Pack *rows* and the JSON of each, in their order."""
    packs: list[Pack] = []
    some: list[Row] = []
    texts: list[str] = []
    characters = 0
    for row, text in rows:
        if some and (len(some) == MOST_RECORDS or characters + len(text) > MOST_CHARACTERS):
            packs.append((some, pack(texts)))
            some, texts, characters = [], [], 0
        some.append(row)
        texts.append(text)
        characters += len(text)
    if some:
        packs.append((some, pack(texts)))
    return packs


class Ring:
    """
    At most *entries* decisions in the journal's *file*, which lies at *path*, newest last. One caller at a time.

    Many large ones are fewer: together they have at most ``OCTETS_AN_ENTRY`` octets for each entry. The newest pack is
    kept, whatever it has.
    """

    def __init__(self, file: sqlite3.Connection, entries: int, path: Path = IN_MEMORY) -> None:
        self.file = file
        self._path = path
        self._entries = entries
        self._most_octets = entries * OCTETS_AN_ENTRY
        self.kept, self.octets = file.execute(_KEPT).fetchone()

    def append(self, packs: Sequence[Pack]) -> None:
        """
        Keep *packs*, all of them or none.

        Raises:
            JournalProblem: A newer release has made the file its own meanwhile; it is left as it is.
            sqlite3.Error: They are not kept.
        """
        with self._all_or_nothing():
            self._insert(packs)
            self._evict()

    def forget(self, before: float) -> bool:
        """
        Let go of the oldest decisions that ended before *before*, in seconds since the epoch, up to the first that is
        younger: numbers stay without a gap. Returns whether there may be more of them.

        Raises:
            JournalProblem: A newer release has made the file its own meanwhile; it is left as it is.
            sqlite3.Error: They are still there.
        """
        with self._all_or_nothing():
            first = self.file.execute(_FIRST, (_FORGOTTEN_AT_ONCE,)).fetchall()
            old = list(takewhile(lambda row: row[1] < before, first))
            if old:
                self._let_go(old[-1][0])
        return len(old) == _FORGOTTEN_AT_ONCE

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        kept, octets = self.kept, self.octets
        self.file.execute("BEGIN IMMEDIATE")
        try:
            check(self.file, self._path)  # within: from here on nobody changes it
            yield
            self.file.execute("COMMIT")
        except BaseException:
            self.kept, self.octets = kept, octets
            if self.file.in_transaction:
                self.file.execute("ROLLBACK")
            raise

    def _insert(self, packs: Sequence[Pack]) -> None:
        (number,) = self.file.execute(_NEWEST).fetchone()
        rows = [(at, *row) for at, row in enumerate(chain.from_iterable(rows for rows, _ in packs), number + 1)]
        done = 0
        for size in _AT_ONCE:
            while len(rows) - done >= size:
                self.file.execute(_INSERT[size], list(chain.from_iterable(rows[done : done + size])))
                done += size
        for members, packed in packs:
            self.file.execute("INSERT INTO pack VALUES (?, ?, ?)", (number + len(members), number + 1, packed))
            number += len(members)
            self.octets += len(packed)
        self.kept += len(rows)

    def _evict(self) -> None:
        if (excess := self.kept - self._entries) > 0:
            self._let_go(self.file.execute(_EXCESS, (excess,)).fetchone()[0])
        while self.octets > self._most_octets:
            (oldest,) = self.file.execute(_OLDEST).fetchone()
            if oldest is None:
                return
            self._let_go(oldest)

    def _let_go(self, last: int) -> None:
        """Delete decisions up to the number *last*, and the packs that have no others."""
        self.kept -= self.file.execute("DELETE FROM decision WHERE number <= ?", (last,)).rowcount
        (octets,) = self.file.execute("SELECT sum(length(records)) FROM pack WHERE last <= ?", (last,)).fetchone()
        if octets:
            self.file.execute("DELETE FROM pack WHERE last <= ?", (last,))
            self.octets -= octets


def _insert_of(rows: int) -> str:
    one = f"({', '.join('?' * len(_FIELDS))})"
    return f"INSERT INTO decision ({', '.join(_FIELDS)}) VALUES {', '.join([one] * rows)}"  # noqa: S608  only marks


_INSERT: Final = {size: _insert_of(size) for size in _AT_ONCE}
