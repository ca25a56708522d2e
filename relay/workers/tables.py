"""
Connections and open attempts at passwords of all workers, counted in memory that they share: exact limits at the price
of a few reads.

Who belongs to which count is told by a keyed hash, in three rows that must agree (a count-min sketch). So a count is
never too small; it is too large only where three accidents meet, and nobody outside can arrange them. Each worker
writes in its own column only, and the supervisor empties the column of one that died.
"""

import asyncio
import fcntl
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Final

from relay.smtp.budgets import Crowd, Guesses, Prefix
from relay.smtp.gossip import Gossip
from relay.words.replies import Reply

_ROWS: Final = 3
_PLACES: Final = 8192
_CELLS: Final = _ROWS * _PLACES + 1  # the first is the sum
_OCTETS: Final = 4
#: Connections, then attempts.
_KINDS: Final = 2
_COLUMN: Final = _KINDS * _CELLS
#: Prefixes whose cells are remembered; more, and all are forgotten.
_MOST_KNOWN: Final = 4096
#: Seconds for which a wrong password counts as an attempt still, while the other workers are told of it.
TELLING: Final = 0.25


class Memory:
    """
    The memory itself, of *workers* columns; ``descriptor`` is to be inherited. Its hash is keyed with *key*.

    Within ``with memory`` who looks and counts is the only one of all workers; the kernel ends that with the process.
    """

    def __init__(self, workers: int, key: bytes, descriptor: int | None = None) -> None:
        octets = workers * _COLUMN * _OCTETS
        if descriptor is None:
            descriptor = os.memfd_create("ses-relay")
            os.ftruncate(descriptor, octets)
        self.descriptor = descriptor
        self.workers = workers
        self.cells = memoryview(mmap.mmap(descriptor, octets)).cast("I")
        self._key = key
        self._known: dict[Prefix, tuple[int, ...]] = {}

    def empty(self, worker: int) -> None:
        """Forget what *worker* counted: it is gone, and so is all that it held."""
        start = worker * _COLUMN
        self.cells[start : start + _COLUMN] = memoryview(bytes(_COLUMN * _OCTETS)).cast("I")

    def close(self) -> None:
        """Let go of it; it is gone when all have."""
        os.close(self.descriptor)

    def places(self, prefix: Prefix) -> tuple[int, ...]:
        """Name the cells that count *prefix*, one of each row."""
        found = self._known.get(prefix)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[prefix] = self._places(prefix)
        return found

    def _places(self, prefix: Prefix) -> tuple[int, ...]:
        version, address = prefix
        digest = blake2b(address.to_bytes(8) + bytes((version,)), key=self._key, digest_size=2 * _ROWS).digest()
        return tuple(
            1 + row * _PLACES + int.from_bytes(digest[2 * row : 2 * row + 2]) % _PLACES for row in range(_ROWS)
        )

    def __enter__(self) -> None:
        fcntl.lockf(self.descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self.descriptor, fcntl.LOCK_UN)


class Table:
    """One kind of count, as *worker* takes part in it."""

    def __init__(self, memory: Memory, worker: int, kind: int) -> None:
        self._cells = memory.cells
        self._places = memory.places
        self._own = worker * _COLUMN + kind * _CELLS
        self._columns = tuple(each * _COLUMN + kind * _CELLS for each in range(memory.workers))

    @property
    def total(self) -> int:
        """All, of all workers."""
        return sum([self._cells[column] for column in self._columns])

    def of(self, prefix: Prefix) -> int:
        """Those of one prefix, of all workers."""
        cells, columns = self._cells, self._columns
        return min([sum([cells[column + place] for column in columns]) for place in self._places(prefix)])

    def add(self, prefix: Prefix, more: int) -> None:
        """Count so many more, or fewer, here."""
        cells, own = self._cells, self._own
        cells[own] += more
        for place in self._places(prefix):
            cells[own + place] += more


class SharedCrowd(Crowd):
    """The open connections of all workers; limits hold for them together."""

    def __init__(self, memory: Memory, worker: int) -> None:
        super().__init__()
        self._memory = memory
        self._table = Table(memory, worker, 0)

    @property
    def in_all(self) -> int:
        """The open connections of all workers."""
        return self._table.total

    def of(self, prefix: Prefix) -> int:
        """Count the open connections of one prefix, of all workers and elsewhere."""
        return self._table.of(prefix) + self._sums[prefix]

    def admit(self, prefix: Prefix, *, most: int, of_one: int | None = None) -> Reply | None:
        """Count one connection more, unless all workers together have as many as may be."""
        with self._memory:
            return super().admit(prefix, most=most, of_one=of_one)

    def enter(self, prefix: Prefix) -> None:
        """Count one connection more."""
        self._table.add(prefix, 1)
        super().enter(prefix)

    def leave(self, prefix: Prefix) -> None:
        """Count one connection less."""
        self._table.add(prefix, -1)
        super().leave(prefix)


class SharedGuesses(Guesses):
    """
    Wrong passwords, where attempts that are open at other workers count as well.

    One that failed stays an open attempt until they have heard of it: there is no moment in which it is neither.
    """

    def __init__(self, memory: Memory, worker: int, monotonic: Callable[[], float], gossip: Gossip) -> None:
        super().__init__(monotonic, gossip)
        self._table = Table(memory, worker, 1)

    def attempts(self, prefix: Prefix) -> int:
        """Count the attempts that are open at all workers."""
        return self._table.of(prefix)

    @contextmanager
    def attempt(self, prefix: Prefix) -> Iterator[None]:
        """Hold an attempt open until it is known how it ended."""
        self._table.add(prefix, 1)
        try:
            yield
        finally:
            self._table.add(prefix, -1)

    def failed(self, prefix: Prefix, name: str, *, for_a_day: bool = True) -> None:
        """Count a wrong password for *name*."""
        self._table.add(prefix, 1)
        asyncio.get_running_loop().call_later(TELLING, self._table.add, prefix, -1)
        super().failed(prefix, name, for_a_day=for_a_day)


class Shared:
    """What the doors of all workers count together, as one of them takes part in it."""

    def __init__(self, memory: Memory, worker: int) -> None:
        self._memory = memory
        self._worker = worker

    def crowd(self) -> Crowd:
        """Return the count of connections."""
        return SharedCrowd(self._memory, self._worker)

    def guesses(self, monotonic: Callable[[], float], gossip: Gossip) -> Guesses:
        """Return the count of wrong passwords."""
        return SharedGuesses(self._memory, self._worker, monotonic, gossip)
