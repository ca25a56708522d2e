"""What a process that runs for months asks of its allocator and its interpreter."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

#: Blocks from here on are mapped one by one and given back when they are freed: no message leaves its size behind.
_MAPPED_FROM: Final = 128 * 1024
#: Heaps that threads share. One for each thread, as glibc has it, keeps the peaks of all of them.
_HEAPS: Final = 2
#: mallopt's names (glibc, malloc.h).
_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8
#: After so many seconds a thread that reads a large message lets the event loop go on.
_SWITCH_SECONDS: Final = 0.001

#: New objects, less those that went, between two looks for garbage in cycles, of which mail makes next to none.
_LOOK_EVERY: Final = 20_000


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run *work* on uvloop where there is one, in no more memory than it needs."""
    be_frugal()
    if sys.platform == "win32" or sys.implementation.name != "cpython":
        asyncio.run(work)
        return
    import uvloop  # noqa: PLC0415  there is none elsewhere

    uvloop.run(work)


def be_frugal() -> None:
    """Keep memory and stalls as low as the platform lets us; where it has no say in it, nothing changes."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    with suppress(OSError, AttributeError, TypeError):  # no glibc
        mallopt = ctypes.CDLL(None).mallopt
        for name, value in ((_MMAP_THRESHOLD, _MAPPED_FROM), (_TRIM_THRESHOLD, _MAPPED_FROM), (_ARENA_MAX, _HEAPS)):
            mallopt(name, value)


def settle() -> None:
    """
    Never look again for garbage among all that is there now: it stays, and a look at it would hold up all mail.

    What is replaced later is given back all the same, as long as it is in no cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_LOOK_EVERY)
