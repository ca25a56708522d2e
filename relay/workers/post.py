"""One worker as the supervisor has it: its process, the wire to it, and what it has begun."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from relay.observe.events import Event, Incident
from relay.workers.books import Books
from relay.workers.desk import Desk
from relay.workers.telling import Reader
from relay.workers.wire import Message, Wire

#: Octets that the kernel may hold of what one end said: thousands of messages' events.
_HELD: Final = 1 << 20
#: Seconds between two readings of what workers tell for the books: with each the supervisor takes the caches of a
#: core, and in more of them a worker could tell more than the kernel holds by default.
RESTING: Final = 0.04
#: Seconds in which a worker that was told to go is gone, before it is killed.
LAST_WORDS: Final = 3.0


class Post:
    """
    One place among the workers, with whoever holds it now.

    ``is_serving``: its door is open; ``is_told``: it hears what all are told. ``gone``: it has ended, and all that it
    told was heard. ``silence``: seconds without a word of it, as whoever listens for that counts them. Events that came
    at once are told ``with together()``.
    """

    def __init__(
        self,
        number: int,
        books: Books,
        heard: Callable[["Post", Message], None],
        together: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.number = number
        self.books = books
        self.is_serving = self.is_told = False
        self.silence = 0
        self.gone = asyncio.Event()
        self.desk: Desk | None = None
        self._heard = heard
        self._together = together
        self._reader = Reader()
        ours, theirs = socket.socketpair()
        self.wire = Wire(ours, self._hear, self.hang_up)
        books_ours, books_theirs = socket.socketpair()
        books_theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _HELD)
        self._book_wire = Wire(books_ours, self._hear, self.gone.set, rest=RESTING)
        self._theirs = (theirs, books_theirs)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *inherited: int) -> None:
        """
        Start its process, which inherits the descriptors *inherited* beside its end of the wire.

        Raises:
            OSError: The system has no process for us.
        """
        theirs, books = self._theirs
        with theirs, books:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "relay.cli.worker", str(theirs.fileno()), str(books.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), books.fileno(), *inherited),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        self.wire.open()
        self._book_wire.open()

    @property
    def pid(self) -> int:
        """Its process."""
        return 0 if self.process is None else self.process.pid

    def say(self, *message: Any) -> None:
        """Tell it something."""
        self.wire.say(*message)

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.process is not None and not self.gone.is_set():
            self.process.kill()

    def hang_up(self) -> None:
        """Speak with it no more: it ends when it hears that, or is killed after :data:`LAST_WORDS` seconds."""
        self.wire.close()
        asyncio.get_running_loop().call_later(LAST_WORDS, self.kill)

    async def ended(self) -> int | None:
        """Wait until all that it told was heard and its process has ended; return its exit code."""
        if self.process is None:
            return None
        await self.gone.wait()
        self.wire.close()
        try:
            return await asyncio.to_thread(self.process.wait, LAST_WORDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return await asyncio.to_thread(self.process.wait)

    def _hear(self, batch: list[Message]) -> None:
        """Hear what came at once. What was counted is told first: it was said before the messages ended."""
        self.silence = 0
        reads, events = self._reader.reads, list[Event]()
        for message in batch:
            try:
                read = reads.get(message[0])
                if read is None:
                    self._heard(self, message)
                elif (event := read(message)) is not None:
                    events.append(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, what is told next counts
                events.append(Incident(f"worker-{self.number}", "-", error))
        ears, observe = self.books.ears, self.books.observe
        with self._together():
            for event in (*self._reader.repeated(), *events):
                ears.get(type(event), observe)(event)
