"""Rows of the embedded spool: entries written to them, sealed, and read back or found damaged."""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from relay.spool.entries import Entry, State
from relay.spool.entry_text import Columns, columns_of, read_entry, write_entry
from relay.spool.problems import EntryProblem
from relay.words.addresses import NullPath
from relay.words.transactions import Envelope, Session

SELECT: Final = "SELECT id, state, delegate, due_at, accepted_at, size, version, entry, digest, seal FROM entries"
_INSERT: Final = """
INSERT INTO entries (id, state, delegate, due_at, accepted_at, size, version, said, entry, digest, seal)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""
_UPDATE: Final = """
UPDATE entries SET state = ?, delegate = ?, due_at = ?, accepted_at = ?, size = ?, version = ?, said = ?, entry = ?,
  digest = ?, seal = ?
WHERE id = ? AND version = ?
"""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is not what was written."""

    id: str
    why: str


def insert(connection: sqlite3.Connection, entry: Entry, digest: bytes) -> bool:
    """Add *entry*; False where its id is taken."""
    return connection.execute(_INSERT, _values(entry, digest)).rowcount == 1


def update(connection: sqlite3.Connection, entry: Entry, states: Sequence[State] = tuple(State)) -> Entry | None:
    """Write *entry* over its version, if that is the stored one and in one of *states*; return it with the next."""
    stored = connection.execute("SELECT version, state, digest FROM entries WHERE id = ?", (entry.id,)).fetchone()
    if stored is None or stored[0] != entry.version or stored[1] not in states:
        return None
    written = replace(entry, version=entry.version + 1)
    name, *values = _values(written, stored[2])
    connection.execute(_UPDATE, (*values, name, entry.version))
    return written


def read(row: Sequence[Any]) -> Entry | Unreadable:
    """Read a row of ``SELECT``."""
    columns = Columns(*row[:7])
    text, digest, seal = row[7:]
    if _seal(columns, text, digest) != seal:
        return Unreadable(columns.id, "its row is not what was written")
    try:
        return read_entry(columns, text)
    except EntryProblem as problem:
        return Unreadable(columns.id, str(problem))


def stand_in(row: Sequence[Any], why: str) -> Entry:
    """Make a blank of a row that cannot be read. It has no version: it can be removed by its id, never changed."""
    columns = Columns(*row[:7])
    session = Session("", "", "", "", "", columns.delegate)
    envelope = Envelope(NullPath.NULL, (), columns.id)
    return Entry(
        columns.id,
        session,
        envelope,
        columns.accepted_at,
        columns.size,
        batches=(),
        state=State.QUARANTINED,
        last=why,
        version=-1,
    )


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


def _values(entry: Entry, digest: bytes) -> tuple[Any, ...]:
    columns, text = columns_of(entry), write_entry(entry)
    said = f"{entry.reason}\n{entry.last}".encode(errors="replace").decode()
    return (
        columns.id,
        columns.state,
        columns.delegate,
        columns.due_at,
        columns.accepted_at,
        columns.size,
        columns.version,
        said,
        text,
        digest,
        _seal(columns, text, digest),
    )


def _seal(columns: Columns, text: str, digest: bytes) -> bytes:
    """SHA-256 of all that is read back: a database does not notice that a disk changed what was written."""
    fields = (columns.id, columns.state, columns.delegate, columns.due_at, columns.accepted_at, columns.size)
    sealed = repr((*fields, columns.version, text, digest))
    return hashlib.sha256(sealed.encode("ascii", "backslashreplace")).digest()
