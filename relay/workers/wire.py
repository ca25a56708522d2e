"""
The wire between the supervisor and one worker: messages over a socket that the worker inherits, many to a write.

A message is a tuple: what it is, then values that :mod:`marshal` knows; what is more than that travels pickled among
them. Both ends are processes of one relay, of one version and one user: nobody else can hold an end.
"""

import asyncio
import marshal
import pickle
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

Message: TypeAlias = tuple[Any, ...]

#: Seconds that what is not urgent waits for company.
GATHERING: Final = 0.02
_HEAD: Final = struct.Struct("!IB")
_READ: Final = 1 << 16
#: Octets of one batch: several times the largest message.
LONGEST: Final = 1 << 30
_MARSHALLED, _PICKLED = 0, 1
#: Of marshal's format: without the search for values that occur twice.
_VERSION: Final = 2


class Wire:
    """
    One end. Messages arrive in the order in which they were said.

    What has been handed to the kernel arrives, also when its speaker is killed in the next moment. ``waiting``: what
    has not been; another list from then on.

    Args:
        heard: Called with the messages that came at once, in the event loop.
        gone: Called once, when the other end is gone and all that it said has been heard; also when what it says
            cannot be read, which ends the wire.
        rest: Seconds without listening after something was heard, at most: much is heard at once then, for less. Wires
            with the same rest listen again at the same moments.

    """

    def __init__(
        self, end: socket.socket, heard: Callable[[list[Message]], None], gone: Callable[[], None], *, rest: float = 0.0
    ) -> None:
        end.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self._end = end
        self._heard = heard
        self._gone = gone
        self._rest = rest
        self._loop = asyncio.get_running_loop()
        self.waiting: list[Message] = []
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._later: asyncio.TimerHandle | None = None
        self._is_soon = self._is_closed = False

    def open(self) -> None:
        """Listen to the other end."""
        self._loop.add_reader(self._end.fileno(), self._read)

    def say(self, *message: Any) -> None:
        """Say it at the end of this turn of the loop, together with all that waits."""
        self.waiting.append(message)
        self.hurry()

    def mention(self, message: Message) -> None:
        """Say it within 20 ms, or together with what is said before."""
        self.waiting.append(message)
        if self._later is None:
            self._later = self._loop.call_later(GATHERING, self._is_late)

    def hurry(self) -> None:
        """Let what waits be said at the end of this turn of the loop."""
        if not self._is_soon:
            self._is_soon = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Hand all that waits to the kernel now; what it does not take follows as soon as it does."""
        self._is_soon = False
        batch, self.waiting = self.waiting, []
        if not batch or self._is_closed:
            return
        octets = packed(batch)
        if self._outgoing:
            self._outgoing += octets
            return
        sent = self._send(octets)
        if sent < len(octets) and not self._is_closed:
            self._outgoing += memoryview(octets)[sent:]
            self._loop.add_writer(self._end.fileno(), self._write)

    def _is_late(self) -> None:
        self._later = None
        self.flush()

    def close(self, *, patience: float = 0.0) -> None:
        """
        Hang up, and hear nothing more; what was said is still heard by the other end.

        What the kernel does not hold is, if the other end makes room for it within *patience* seconds. Blocks for so
        long: for the end of the process.
        """
        self.flush()
        if self._outgoing and patience and not self._is_closed:
            self._end.settimeout(patience)
            with suppress(OSError):
                self._end.sendall(self._outgoing)
        self._end_it()

    def _send(self, octets: "bytes | bytearray") -> int:
        try:
            return self._end.send(octets)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return len(octets)  # nobody hears it: the end is read in a moment

    def _write(self) -> None:
        del self._outgoing[: self._send(self._outgoing)]
        if not self._outgoing:
            self._loop.remove_writer(self._end.fileno())

    def _read(self) -> None:
        while True:
            try:
                octets = self._end.recv(_READ)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                octets = b""
            self._incoming += octets
            if not octets or not self._hear():
                self._end_it()
                self._gone()
                return
            if len(octets) < _READ:
                break
        if self._rest and not self._is_closed:
            self._loop.remove_reader(self._end.fileno())
            self._loop.call_later(self._rest - self._loop.time() % self._rest, self._listen_again)

    def _listen_again(self) -> None:
        if not self._is_closed:
            self.open()

    def _hear(self) -> bool:
        """Hear what is whole; return False where it cannot be read, which no process of ours has written."""
        end, batch = 0, list[Message]()
        try:
            with memoryview(self._incoming) as incoming:
                while len(incoming) >= (start := end + _HEAD.size):
                    length, form = _HEAD.unpack_from(incoming, end)
                    if form not in _FORMS or length > LONGEST:
                        return False
                    if len(incoming) < start + length:
                        break
                    end = start + length
                    batch += _FORMS[form](incoming[start:end])
        except Exception:  # noqa: BLE001 - whatever octets may do to those who read them
            return False
        del self._incoming[:end]
        if batch:
            self._heard(batch)
        return True

    def _end_it(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        for stop in (self._loop.remove_reader, self._loop.remove_writer):
            with suppress(OSError, ValueError):
                stop(self._end.fileno())
        self._end.close()


def pickled(value: object) -> bytes:
    """Return a value as it travels among others."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def unpickled(octets: "bytes | memoryview") -> Any:
    """Return the value that :func:`pickled` made them of."""
    return pickle.loads(octets)  # noqa: S301 - nobody but this relay's own processes has an end of the wire


_FORMS: Final[dict[int, Callable[[memoryview], list[Message]]]] = {_MARSHALLED: marshal.loads, _PICKLED: unpickled}


def packed(batch: list[Message]) -> bytes:
    """Return messages as they travel."""
    try:
        form, body = _MARSHALLED, marshal.dumps(batch, _VERSION)
    except ValueError:  # a value that is a little more than it looks, such as a word of an enumeration
        form, body = _PICKLED, pickled(batch)
    return _HEAD.pack(len(body), form) + body
