"""What is asked of the decisions in the journal's file, next to whoever writes there."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from relay.journal.packs import DECISIONS, PACK, Unpacking, shared
from relay.words.values import dataclass

#: Characters after which a page ends, whatever its limit.
LONGEST_PAGE: Final = 4 << 20
_SLICE: Final = 500
_EQUAL: Final = ("delegate", "verdict", "outcome", "reason")


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which decisions; None for any. ``verdict``: the worst of a decision's roles.

    ``since`` and ``until`` (not included): seconds since the epoch. ``delegates``: of no others.
    """

    delegate: str | None = None
    verdict: str | None = None
    outcome: str | None = None
    reason: str | None = None
    since: float | None = None
    until: float | None = None
    delegates: frozenset[str] | None = None

    def terms(self) -> tuple[str, list[Any]]:
        """Say it in SQL, true where nothing is asked, with the values of its marks."""
        terms, values = ["true"], []
        for name in _EQUAL:
            if (value := getattr(self, name)) is not None:
                terms.append(f"{name} = ?")
                values.append(value)
        for term, moment in (("time >= ?", self.since), ("time < ?", self.until)):
            if moment is not None:
                terms.append(term)
                values.append(moment)
        if self.delegates is not None:
            terms.append(f"delegate IN ({', '.join('?' * len(self.delegates))})")
            values += sorted(self.delegates)
        return " AND ".join(terms), values


EVERYTHING: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Page:
    """Records as JSON, the newest first. ``next``: the id to go on after; None on the last page."""

    texts: tuple[str, ...]
    next: str | None


def page(file: sqlite3.Connection, wanted: Wanted, limit: int, after: str | None = None) -> Page:
    """
    Return the newest *limit* records that are wanted; *after*: of those older than the one with this id.

    Very large ones make a shorter page. One that cannot be unpacked is left out. What came after a decision that is no
    longer kept is not kept either.
    """
    terms, values = wanted.terms()
    if after is not None:
        number = _number_of(file, after, wanted.delegates)
        if number is None:
            return Page((), None)
        terms, values = f"{terms} AND number < ?", [*values, number]
    query = f"SELECT id, number, {PACK} FROM {DECISIONS} WHERE {terms} ORDER BY number DESC LIMIT ?"  # noqa: S608  only marks
    rows = shared(file.execute(query, (*values, limit + 1)))
    unpacking = Unpacking()
    texts: list[str] = []
    size = done = 0
    for _, *where in rows[:limit]:
        with suppress(ValueError):
            texts.append(unpacking.text(*where))
            size += len(texts[-1])
        done += 1
        if size > LONGEST_PAGE:
            break
    return Page(tuple(texts), rows[done - 1][0] if done < len(rows) else None)


def decision(file: sqlite3.Connection, name: str, delegates: frozenset[str] | None = None) -> str | None:
    """
    Return the record with the id *name*, as JSON; None where there is none, or none of *delegates*.

    Raises:
        ValueError: It is there, and cannot be unpacked.
    """
    if not has_decisions(file):
        return None
    number = _number_of(file, name, delegates)
    row = file.execute(f"SELECT number, {PACK} FROM {DECISIONS} WHERE number = ?", (number,)).fetchone()  # noqa: S608  ours
    return None if row is None else Unpacking().text(*row)


def count(file: sqlite3.Connection) -> int:
    """Return how many decisions are kept."""
    if not has_decisions(file):
        return 0
    (number,) = file.execute("SELECT count(*) FROM decision").fetchone()
    return int(number)


def ids(file: sqlite3.Connection) -> frozenset[str]:
    """Return the ids of all decisions that are kept."""
    if not has_decisions(file):
        return frozenset()
    return frozenset(name for (name,) in file.execute("SELECT id FROM decision"))


def each(
    file: sqlite3.Connection, wanted: Wanted = EVERYTHING, *, spoiled: Callable[[], None] = lambda: None
) -> Iterator[dict[str, Any]]:
    """
    Yield the records that are wanted, the oldest first, in constant memory; *spoiled* is told of each that is damaged.

    They are read some hundreds at a time, so that the writer's log can be brought home meanwhile; what is written
    meanwhile comes, too.
    """
    if not has_decisions(file):
        return
    terms, values = wanted.terms()
    query = f"SELECT number, {PACK} FROM {DECISIONS} WHERE number > ? AND {terms} ORDER BY number LIMIT ?"  # noqa: S608  only marks
    unpacking = Unpacking()
    last = 0
    while rows := shared(file.execute(query, (last, *values, _SLICE))):
        last = rows[-1][0]
        for row in rows:
            try:
                record = json.loads(unpacking.text(*row))
            except ValueError:
                spoiled()
            else:
                yield record


def has_decisions(file: sqlite3.Connection) -> bool:
    """Whether there is the ring: a file of the first releases has texts alone."""
    return file.execute("SELECT 1 FROM sqlite_schema WHERE name = 'decision'").fetchone() is not None


def _number_of(file: sqlite3.Connection, name: str, delegates: frozenset[str] | None) -> int | None:
    terms, values = Wanted(delegates=delegates).terms()
    query = f"SELECT number FROM decision WHERE id = ? AND {terms} ORDER BY number DESC LIMIT 1"  # noqa: S608  only marks
    row = file.execute(query, (name, *values)).fetchone()
    return None if row is None else int(row[0])
