"""
What was just committed or begun, as the courier will ask for it next: neither parsed nor read a second time.

Nothing is believed that the disk does not say as well: a row stands for its entry only as long as it is, octet by
octet, what was written; messages are read in the transaction that registers their attempt, and checked as ever.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from relay.spool.entries import Entry
from relay.spool.rows import READ, Row
from relay.spool.sqlite_queries import Body

#: Entries remembered; the courier asks for as many at once as it may have under way, and those that wait beside them.
_ENTRIES: Final = 512
#: Messages remembered, of 128 KiB at most; larger ones are files.
_BODIES: Final = 64


class Recent:
    """A short memory. All but the latest is forgotten, and then read as after a start."""

    def __init__(self) -> None:
        # A dict would look for its first past all that were let go.
        self._entries: OrderedDict[str, tuple[tuple[Any, ...], Entry]] = OrderedDict()
        self._bodies: OrderedDict[str, tuple[int, Body]] = OrderedDict()

    def committed(self, entry: Entry, row: Row) -> None:
        """Remember *entry*, whose row is *row*."""
        self._entries[entry.id] = _as_read(row), entry
        if len(self._entries) > _ENTRIES:
            self._entries.popitem(last=False)

    def entry(self, row: Sequence[Any]) -> Entry | None:
        """Return the entry that *row* (of ``READ``) was written from, if it is remembered; asked for once."""
        written, entry = self._entries.pop(row[0], (None, None))
        return entry if written == row else None

    def begun(self, entry: Entry, body: Body | None) -> None:
        """Remember the message of *entry*, an attempt at which begins."""
        if body is None:
            return
        self._bodies[entry.id] = entry.version, body
        if len(self._bodies) > _BODIES:
            self._bodies.popitem(last=False)

    def body(self, entry: Entry) -> Body | None:
        """Return the message of *entry* as it began, if it is remembered; asked for once."""
        version, body = self._bodies.pop(entry.id, (None, None))
        return body if version == entry.version else None

    def forget(self, entry_id: str) -> None:
        """Forget what is removed."""
        self._entries.pop(entry_id, None)
        self._bodies.pop(entry_id, None)


def _as_read(row: Row) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in READ)
