"""Rows of the embedded spool: entries added, changed and set aside, each inside the caller's transaction."""

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Final, NamedTuple

from relay.spool.entries import Entry, State
from relay.spool.message_files import file_name
from relay.spool.rows import READ, Row, read, row_of
from relay.words.values import replace

SELECT: Final = f"SELECT {', '.join(READ)} FROM entries"  # noqa: S608  # names of ours
_INSERT: Final = f"INSERT INTO entries ({', '.join(Row._fields)}) VALUES "  # noqa: S608  # names of ours
_ROW: Final = f"({', '.join('?' for _ in Row._fields)})"
# Whose it is, when it came and its message never change: a column less is an index less to be written.
_UPDATE: Final = """
UPDATE entries SET state = ?, due_at = ?, version = ?, said = ?, entry = ?, seal = ? WHERE id = ? AND version = ?
"""


class Taken(Exception):
    """Of several entries one has an id that is kept already."""


class Arriving(NamedTuple):
    """An entry to be kept, the SHA-256 of its message, and the message unless it is in a file."""

    entry: Entry
    digest: bytes
    raw: bytes | None


def insert(connection: sqlite3.Connection, arriving: Sequence[Arriving]) -> list[Row | None]:
    """
    Add entries, and return their rows; None for one whose id is taken.

    Raises:
        Taken: One of several has such an id; nothing may be kept of this transaction.
    """
    rows = [row_of(each.entry, each.digest) for each in arriving]
    if connection.execute(_inserting(len(rows)), tuple(chain.from_iterable(rows))).rowcount != len(rows):
        if len(rows) > 1:
            raise Taken
        return [None]
    bodies = [(each.entry.id, each.raw) for each in arriving if each.raw is not None]
    if bodies:
        connection.execute(_filing(len(bodies)), tuple(chain.from_iterable(bodies)))
    return list(rows)


def delete(connection: sqlite3.Connection, ids: Sequence[str]) -> list[str | None]:
    """
    Remove entries and messages. Returns for each the file that its message may be in, empty where it was a row; None
    where there was no such entry.
    """
    entries, bodies, digests = _deleting(len(ids))
    if connection.execute(bodies, ids).rowcount == len(ids):
        files = dict.fromkeys(ids, "")
    else:
        files = {name: file_name(name, digest) for name, digest in connection.execute(digests, ids)}
    connection.execute(entries, ids)
    return [files.get(name) for name in ids]


@cache
def _inserting(number: int) -> str:
    return f"{_INSERT}{', '.join([_ROW] * number)} ON CONFLICT (id) DO NOTHING"


@cache
def _filing(number: int) -> str:
    return f"INSERT INTO bodies VALUES {', '.join(['(?, ?)'] * number)}"  # noqa: S608  # marks


@cache
def _deleting(number: int) -> tuple[str, str, str]:
    """Removing so many entries, removing their messages, and the digests of those that there are."""
    which = f"WHERE id IN ({', '.join('?' * number)})"
    return f"DELETE FROM entries {which}", f"DELETE FROM bodies {which}", f"SELECT id, digest FROM entries {which}"  # noqa: S608  # marks


def update(connection: sqlite3.Connection, entry: Entry, states: Sequence[State] = tuple(State)) -> Entry | None:
    """Write *entry* over its version, if that is the stored one and in one of *states*; return it with the next."""
    stored = connection.execute("SELECT version, state, digest FROM entries WHERE id = ?", (entry.id,)).fetchone()
    if stored is None or stored[0] != entry.version or stored[1] not in states:
        return None
    written = replace(entry, version=entry.version + 1)
    row = row_of(written, stored[2])
    values = (row.state, row.due_at, row.version, row.said, row.entry, row.seal)
    connection.execute(_UPDATE, (*values, entry.id, entry.version))
    return written


def quarantine(connection: sqlite3.Connection, entry_id: str, why: str) -> bool:
    """Set an entry aside, readable or not; False where it is gone, or was set aside already."""
    row = connection.execute(SELECT + " WHERE id = ?", (entry_id,)).fetchone()
    if row is None or row[1] == State.QUARANTINED:
        return False
    entry = read(row)
    if isinstance(entry, Entry):
        return update(connection, replace(entry, state=State.QUARANTINED, last=why)) is not None
    connection.execute(
        "UPDATE entries SET state = ?, said = ?, version = version + 1 WHERE id = ?",
        (State.QUARANTINED.value, why, entry_id),
    )
    return True
