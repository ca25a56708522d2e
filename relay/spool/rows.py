"""Rows: an entry as an engine keeps it, sealed, and read back or found damaged."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from relay.spool.entries import Entry, State
from relay.spool.entry_text import Columns, columns_of, read_entry, write_entry
from relay.spool.problems import EntryProblem
from relay.words.addresses import NullPath
from relay.words.transactions import Envelope, Session
from relay.words.values import dataclass


class Row(NamedTuple):
    """
    What is written of an entry. ``said``: its reason and what was said last, to be searched; ``entry``: all that has
    no column, as JSON; ``digest``: SHA-256 of the message; ``seal``: SHA-256 of all the others but ``said``.
    """

    id: str
    state: str
    delegate: str
    due_at: float
    accepted_at: float
    size: int
    version: int
    said: str
    entry: str
    digest: bytes
    seal: bytes


#: The columns that an entry is read back from, in the order in which ``read`` takes them.
READ: Final = tuple(name for name in Row._fields if name != "said")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is not what was written."""

    id: str
    why: str


def row_of(entry: Entry, digest: bytes) -> Row:
    """Write *entry*, whose message has the SHA-256 *digest*, as a row."""
    columns, text = columns_of(entry), write_entry(entry)
    said = f"{entry.reason}\n{entry.last}".encode(errors="replace").decode()
    return Row(*columns, said, text, digest, _seal(columns, text, digest))


def read(row: Sequence[Any]) -> Entry | Unreadable:
    """Read a row, its columns as in ``READ``."""
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


def _seal(columns: Columns, text: str, digest: bytes) -> bytes:
    """SHA-256 of all that is read back: an engine does not notice that somebody changed what was written."""
    sealed = _literal(columns, text, digest)
    return hashlib.sha256(sealed.encode("ascii", "backslashreplace")).digest()


def _literal(columns: Columns, text: str, digest: bytes) -> str:
    """
    Write ``repr((*columns, text, digest))``.

    Python looks at each character of a text, and makes the shortest decimals of a float with integers of any length:
    most texts stand between quotes as they are, and an entry that is new is due when it was accepted.
    """
    name, state, delegate, due_at, accepted_at, size, version = columns
    due = repr(due_at)
    accepted = due if accepted_at is due_at else repr(accepted_at)
    quoted = repr(text) if "'" in text or "\\" in text else f"'{text}'"  # no control characters: it is JSON
    return f"({name!r}, {state!r}, {delegate!r}, {due}, {accepted}, {size!r}, {version!r}, {quoted}, {digest!r})"
