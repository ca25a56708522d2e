"""Rows of the embedded spool: entries added, changed and set aside, each inside the caller's transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from relay.spool.entries import Entry, State
from relay.spool.rows import READ, Row, read, row_of

SELECT: Final = f"SELECT {', '.join(READ)} FROM entries"  # noqa: S608  # names of ours
_INSERT: Final = (
    f"INSERT INTO entries ({', '.join(Row._fields)}) "  # noqa: S608  # names of ours
    f"VALUES ({', '.join('?' for _ in Row._fields)}) ON CONFLICT (id) DO NOTHING"
)
# Whose it is, when it came and its message never change: a column less is an index less to be written.
_UPDATE: Final = """
UPDATE entries SET state = ?, due_at = ?, version = ?, said = ?, entry = ?, seal = ? WHERE id = ? AND version = ?
"""


def insert(connection: sqlite3.Connection, entry: Entry, digest: bytes) -> Row | None:
    """Add *entry* and return its row; None where its id is taken."""
    row = row_of(entry, digest)
    return row if connection.execute(_INSERT, row).rowcount == 1 else None


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
