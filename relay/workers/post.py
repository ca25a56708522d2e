"""One worker as the supervisor has it: its process, the wire to it, and what it has begun."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from relay.observe.events import Observer
from relay.workers.books import Books
from relay.workers.desk import Desk
from relay.workers.telling import Reader
from relay.workers.wire import Message, Wire

#: Octets that the kernel may hold of what one end said: thousands of messages' events.
_HELD: Final = 1 << 20
#: Seconds in which a worker that was told to go is gone, before it is killed.
LAST_WORDS: Final = 3.0


class Post:
    """
    One place among the workers, with whoever holds it now.

    ``is_serving``: its door is open. ``heard_at``: when it was heard of last, in monotonic seconds.
    """

    def __init__(self, number: int, books: Books, heard: Callable[["Post", Message], None]) -> None:
        self.number = number
        self.books = books
        self.is_serving = self.is_told = False
        self.heard_at = time.monotonic()
        self.gone = asyncio.Event()
        self.desk: Desk | None = None
        self._tell: Observer = books
        self._heard = heard
        self._reader = Reader()
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _HELD)
        self.wire = Wire(ours, self._hear, self.gone.set)
        self._theirs = theirs
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *inherited: int) -> None:
        """
        Start its process, which inherits the descriptors *inherited* beside its end of the wire.

        Raises:
            OSError: The system has no process for us.
        """
        with self._theirs as theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "relay.cli.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *inherited),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        self.wire.open()

    @property
    def pid(self) -> int:
        """Its process."""
        return 0 if self.process is None else self.process.pid

    def say(self, *message: Any) -> None:
        """Tell it something."""
        self.wire.say(*message)

    def kill(self) -> None:
        """End it at once: nothing else helps."""
        if self.process is not None:
            self.process.kill()

    async def ended(self, patience: float = LAST_WORDS) -> int | None:
        """Hang up, wait until its process has ended, kill it after *patience* seconds; return its exit code."""
        self.wire.close()
        if self.process is None:
            return None
        return await asyncio.to_thread(_reaped, self.process, patience)

    def _hear(self, message: Message) -> None:
        self.heard_at = time.monotonic()
        if type(message[0]) is int:
            self._tell(self._reader.read(message))
        else:
            self._heard(self, message)


def _reaped(process: "subprocess.Popen[bytes]", patience: float) -> int:
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
