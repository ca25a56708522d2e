"""Lines to a descriptor that may be slow, full or gone: they are dropped and counted before they hold up any mail."""

import asyncio
import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Final

MOST_PENDING: Final = 1024 * 1024
#: Octets that are gathered before they are written.
MOST_GATHERED: Final = 64 * 1024
#: A pipe that polls writable takes this many octets without waiting (POSIX, PIPE_BUF).
_AT_ONCE: Final = select.PIPE_BUF
_RETRY_SECONDS: Final = 0.2
_LINE_FEED: Final = ord("\n")


class Lines:
    """
    Writes lines to descriptor *fd* without ever waiting for its reader.

    What a full pipe does not take is kept, up to *most_pending* octets, and tried again with the next line or within
    0.2 s; lines beyond that, and lines that met an error (EPIPE, ENOSPC), are lost and counted. The descriptor keeps
    its blocking mode: others may share it.
    """

    def __init__(self, fd: int = 1, *, most_pending: int = MOST_PENDING) -> None:
        self._fd = fd
        self._most_pending = most_pending
        self._pending = bytearray()
        self._lost = 0
        self._failing = False
        self._midline = False
        self._is_gathering = False
        self._lock = Lock()
        self._retry: asyncio.TimerHandle | None = None
        self._poll = select.poll()
        self._is_file = _is_regular(fd)
        if not self._is_file:
            self._poll.register(fd, select.POLLOUT)

    def write(self, line: bytes) -> int:
        """
        Write *line*, which ends in a line feed.

        Returns:
            How many lines were lost since this was last told; told only once lines get through again.
        """
        with self._lock:
            is_through = not self._pending
            if len(self._pending) + len(line) > self._most_pending:
                self._lost += 1
            else:
                self._pending += self._begun(line) if self._midline else line
            if not self._is_gathering or len(self._pending) >= MOST_GATHERED:
                self._push_or_wait()
                is_through = not self._pending
            return self._take_losses() if self._lost and is_through else 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write the lines of the block at its end, many in one call of the system; sooner what is more than enough."""
        self._is_gathering = True
        try:
            yield
        finally:
            with self._lock:
                self._is_gathering = False
                self._push_or_wait()

    def close(self, *, patience: float = 1.0) -> None:
        """Write what is pending if its reader takes it within *patience* seconds; for the end of the process."""
        with self._lock:
            if self._retry is not None:
                self._retry.cancel()
            until = time.monotonic() + patience
            while self._pending and (left := until - time.monotonic()) > 0 and self._poll.poll(left * 1000):
                self._push()

    def _begun(self, line: bytes) -> bytes:
        """Begin *line* on a line of its own: an error may have torn the last one."""
        return line if self._pending else b"\n" + line

    def _push_or_wait(self) -> None:
        self._push()
        if self._pending:
            self._try_again_later()

    def _push(self) -> None:
        while self._pending and (self._is_file or self._poll.poll(0)):
            try:
                written = os.write(self._fd, self._pending if self._is_file else self._pending[:_AT_ONCE])
            except BlockingIOError:
                return
            except OSError:
                self._give_up()
                return
            self._failing = False
            self._midline = self._pending[written - 1] != _LINE_FEED
            del self._pending[:written]

    def _give_up(self) -> None:
        self._lost += self._pending.count(b"\n")
        self._failing = True
        self._pending.clear()

    def _take_losses(self) -> int:
        lost, self._lost = (0, self._lost) if self._failing else (self._lost, 0)
        return lost

    def _try_again_later(self) -> None:
        with suppress(RuntimeError):  # in a thread there is no loop; the next line tries
            if self._retry is None:
                self._retry = asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._try_again)

    def _try_again(self) -> None:
        with self._lock:
            self._retry = None
            self._push_or_wait()


def _is_regular(fd: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return True  # closed already: every write says so
