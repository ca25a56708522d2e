"""What is asked of the embedded spool without changing it. Each takes a connection and answers from its indexes."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeAlias

from relay.spool.entries import State
from relay.spool.ports import Census, Wanted
from relay.spool.sqlite_rows import SELECT
from relay.words.values import dataclass

_DELEGATES: Final = """
WITH RECURSIVE delegates (name) AS (
  SELECT min(delegate) FROM entries WHERE state = 'due'
  UNION ALL
  SELECT (SELECT min(delegate) FROM entries WHERE state = 'due' AND delegate > name) FROM delegates
  WHERE name IS NOT NULL
)
SELECT name FROM delegates WHERE name IS NOT NULL
"""
_UNSETTLED: Final = (State.DUE, State.SENDING, State.HELD)
_MOST_AT_ONCE: Final = 1000  # failed entries that one sweep removes for each reason
Row = Sequence[Any]
Body: TypeAlias = tuple[bytes, bytes | None]  # the digest of a message and, unless it is in a file, the message


@dataclass(frozen=True, slots=True)
class Turn:
    """How far ``due`` goes, and the delegate that the last call ended with."""

    now: float
    limit: int
    per_delegate: int
    busy: Collection[str]
    last_delegate: str


def due(connection: sqlite3.Connection, turn: Turn) -> tuple[list[Row], str]:
    """
    Read what is due, round by round: one of each delegate, then a second of each, as far as the limit goes.

    Costs a few index look-ups a delegate, however many entries wait. Returns the rows in the order of due_at, and the
    delegate that the next call begins after.
    """
    names = [name for (name,) in connection.execute(_DELEGATES)]
    order = [name for name in names if name > turn.last_delegate] + [
        name for name in names if name <= turn.last_delegate
    ]
    heads = {name: _heads(connection, name, turn) for name in order}
    rounds = [(name, heads[name][n]) for n in range(turn.per_delegate) for name in order if n < len(heads[name])]
    taken = rounds[: turn.limit]
    chosen = [entry_id for _, entry_id in taken]
    rows = connection.execute(
        SELECT + " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY due_at, id",  # noqa: S608  # two constants
        (json.dumps(chosen),),
    )
    return rows.fetchall(), taken[-1][0] if taken else turn.last_delegate


def _heads(connection: sqlite3.Connection, delegate: str, turn: Turn) -> list[str]:
    """The ids of a delegate's oldest due entries."""
    most = min(turn.per_delegate, turn.limit)
    found = connection.execute(
        "SELECT id FROM entries WHERE state = 'due' AND delegate = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?",
        (delegate, turn.now, most + len(turn.busy)),
    )
    return [entry_id for (entry_id,) in found if entry_id not in turn.busy][:most]


def next_due(connection: sqlite3.Connection, now: float) -> float | None:
    """Find the first due_at after *now*."""
    query = "SELECT min(due_at) FROM entries WHERE state = 'due' AND delegate = ? AND due_at > ?"
    names = connection.execute(_DELEGATES).fetchall()
    times = [connection.execute(query, (name, now)).fetchone()[0] for (name,) in names]
    return min((time for time in times if time is not None), default=None)


def sending(connection: sqlite3.Connection) -> list[Row]:
    """Read the entries whose attempt was registered and never settled."""
    return connection.execute(SELECT + " WHERE state = 'sending' ORDER BY due_at, id").fetchall()


def body(connection: sqlite3.Connection, entry_id: str) -> Body | None:
    """Read the digest of a message and, unless it is in a file, the message; None where there is no such entry."""
    row = connection.execute(
        "SELECT digest, octets FROM entries LEFT JOIN bodies USING (id) WHERE id = ?", (entry_id,)
    ).fetchone()
    return None if row is None else (row[0], row[1])


def find(connection: sqlite3.Connection, wanted: Wanted, limit: int, after: str) -> list[Row]:
    """List entries by id."""
    conditions, values = ["id > ?"], [after]
    by_id = not wanted.ids and _are_many(connection, wanted, limit)
    for condition, value in _conditions(wanted, by_id=by_id):
        conditions.append(condition)
        values.append(value)
    query = f"{SELECT} WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?"
    return connection.execute(query, (*values, limit)).fetchall()


def _are_many(connection: sqlite3.Connection, wanted: Wanted, limit: int) -> bool:
    """Whether so many are in the states that are wanted that sorting them costs more than passing over the others."""
    totals: dict[str, int] = dict(connection.execute("SELECT state, messages FROM totals"))
    return sum(totals.get(state, 0) for state in wanted.states) ** 2 > limit * sum(totals.values())


def _conditions(wanted: Wanted, *, by_id: bool) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if wanted.ids:
        found.append(("id IN (SELECT value FROM json_each(?))", json.dumps(wanted.ids)))
    if wanted.delegate is not None:
        found.append(("delegate = ?", wanted.delegate))
    if wanted.delegates is not None:
        found.append(("delegate IN (SELECT value FROM json_each(?))", json.dumps(wanted.delegates)))
    if wanted.states:
        among = "state IN (SELECT value FROM json_each(?))"
        found.append((f"+{among}" if by_id else among, json.dumps(wanted.states)))  # "+": by the ids, in their order
    if wanted.reason is not None:
        found.append(("instr(said, ?) > 0", wanted.reason))
    if wanted.older_than is not None:
        found.append(("accepted_at < ?", wanted.older_than))
    return found


def census(connection: sqlite3.Connection) -> Census:
    """Count, from the totals; the oldest of each unsettled state is one look-up."""
    totals = connection.execute("SELECT state, messages, octets FROM totals").fetchall()
    query = "SELECT min(accepted_at) FROM entries WHERE state = ?"
    ages = [connection.execute(query, (state,)).fetchone()[0] for state in _UNSETTLED]
    return Census(
        {State(state): messages for state, messages, _ in totals},
        sum(octets for _, _, octets in totals),
        min((age for age in ages if age is not None), default=None),
    )


def failed_long_enough(connection: sqlite3.Connection, now: float, most_octets: int) -> list[tuple[str, str]]:
    """Name the failed entries that are to go, each with why: past their retention, or the oldest of too many."""
    expired = connection.execute(
        "SELECT id FROM entries WHERE state = 'failed' AND due_at <= ? LIMIT ?", (now, _MOST_AT_ONCE)
    ).fetchall()
    found = {entry_id: "its retention has ended" for (entry_id,) in expired}
    (octets,) = connection.execute("SELECT octets FROM totals WHERE state = 'failed'").fetchone()
    oldest = connection.execute("SELECT id, size FROM entries WHERE state = 'failed' ORDER BY accepted_at")
    for entry_id, size in oldest if octets > most_octets else ():
        if octets <= most_octets or len(found) >= 2 * _MOST_AT_ONCE:
            break
        found.setdefault(entry_id, "failed mail may take a quarter of spool.max_bytes, and it is the oldest")
        octets -= size
    oldest.close()
    return list(found.items())
