"""The spool as reception and the courier see it: one protocol, one suite of tests, any number of engines."""

from collections.abc import Awaitable, Collection, Sequence
from typing import Protocol

from relay.spool.entries import Entry, State
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Full:
    """There is no room: of bytes, of disk or of inodes. ``why`` is for the log; the client hears 452 4.3.1."""

    why: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """The body of an entry is not what was committed: gone, cut, or changed. The entry is quarantined by now."""

    why: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which entries: all of what is given holds. ``reason`` is part of ``reason`` or ``last``; ``older_than`` is the
    time, in seconds since the epoch, before which they were accepted; ``delegates``: nobody else's, None for all.
    """

    ids: tuple[str, ...] = ()
    delegate: str | None = None
    delegates: tuple[str, ...] | None = None
    states: tuple[State, ...] = ()
    reason: str | None = None
    older_than: float | None = None


@dataclass(frozen=True, slots=True)
class Census:
    """How many entries there are in each state, their octets, and when the oldest unsettled one was accepted."""

    messages: dict[State, int]
    octets: int
    oldest: float | None


class Intake(Protocol):
    """Where messages are handed in to be kept; see :class:`Spool`."""

    def room(self, octets: int) -> Full | None:
        """Tell, at no cost, whether a message of *octets* could be committed now."""

    def commit(self, entry: Entry, raw: bytes) -> Awaitable[Full | Unavailable | None]:
        """
        Keep *entry* and its message: once None is returned, 250 may be said. An id that is kept is Unavailable.

        A future is the caller's own: when it is cancelled the commit goes on.
        """


class Spool(Intake, Protocol):
    """
    Keeps entries durably.

    What a coroutine has returned from survives kill -9 and a loss of power; what was Unavailable or was cancelled
    may or may not have happened, whole. Every failure of the disk is Unavailable, never an exception.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other processes may have it, too: then it may also be away for a while, at a start as later."""

    @property
    def promise(self) -> str:
        """What 250 rests on, in a clause; empty where that is the same everywhere: this machine's disk."""

    def wall(self) -> float:
        """Tell the time for stamps, in seconds since the epoch, by the one clock of all who have this spool."""

    def knows_time(self) -> bool:
        """Tell whether that clock has been heard; before, the time is this machine's."""

    async def recover(self) -> Sequence[Entry] | Unavailable:
        """
        Take over what one process that is no more left *sending*: it stays *sending*, and is the caller's from now on.

        Empty when there is no such process. Called at start, before anything is begun, and from then on now and then:
        where several processes have one spool, any of them may die, and of each it is known what it was sending.
        """

    async def unattended(self, busy: Collection[str]) -> Sequence[Entry] | Unavailable:
        """
        Name what is *sending* by this process, and has been for long, though *busy*, the ids of all that it works on,
        does not have it: how it ended was lost. Called now and then; a spool that loses nothing knows of none.
        """

    async def due(
        self, now: float, *, limit: int, per_delegate: int, busy: Collection[str] = ()
    ) -> Sequence[Entry] | Unavailable:
        """
        Name what is due: the oldest of each delegate, at most *per_delegate* of each and *limit* in all, those whose
        id is in *busy* left out, in the order of ``due_at``. No delegate's backlog hides another's mail: where *limit*
        leaves delegates out, the next call begins with them.
        """

    async def next_due(self, now: float) -> float | Unavailable | None:
        """Tell when the next entry that is not due yet becomes so."""

    async def begin(self, entry: Entry, now: float) -> Entry | Unavailable | None:
        """
        Register an attempt at what is *due*, or was found *sending* at start: *sending*, ``attempts`` one more. None:
        somebody else has the entry or changed it, or it may not be sent.
        """

    async def body(self, entry: Entry) -> bytes | Damaged | Unavailable:
        """Read the message, checked against its digest."""

    async def change(self, entry: Entry) -> Entry | Unavailable | None:
        """
        Write *entry* as it stands (state, due_at, batches, counters, reason, last, details), if its ``version`` is
        still the stored one; else None. Returns it with its new version.
        """

    async def remove(self, entry: Entry) -> Unavailable | None:
        """Forget an entry and its message: it was sent, or a person deleted it. Absent already is well."""

    async def find(self, wanted: Wanted, *, limit: int, after: str = "") -> Sequence[Entry] | Unavailable:
        """
        List entries by id, at most *limit*, those after the id *after*.

        Of a quarantined entry that cannot be read a blank stands in, with its id: it can be removed, never changed.
        """

    async def census(self) -> Census | Unavailable:
        """Count, at the cost of an index."""

    async def sweep(self, now: float) -> Sequence[str | Damaged]:
        """
        Remove *failed* entries past their retention, and the oldest of them beyond what may lie there; set aside files
        that belong to no entry. Tell in words of each, and once of what was found damaged since.
        """

    async def close(self) -> None:
        """Finish what runs, close files, give the lock back."""
