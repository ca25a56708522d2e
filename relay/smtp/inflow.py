"""What a client has sent and nobody has read yet: bounded, in order, as lines or as blocks."""

import asyncio
from typing import Final

#: Octets that may lie unread before the client is made to wait, until fewer do. The transport may add one read
#: (256 KiB) to it.
_HIGH: Final = 16 * 1024
#: Octets after which others get a turn.
MANY_AT_ONCE: Final = 64 * 1024
#: Octets thrown away for a client that goes on talking after our last word; then it is not listened to any more.
_DEAF_AFTER: Final = 1024 * 1024


class Interruption(Exception):
    """Reading has ended: there will be no further command. ``why`` is the word of SessionClosed."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class LineTooLong(Exception):
    """A line was longer than allowed; all of it has been thrown away but its first five octets, ``start``."""

    def __init__(self, start: bytes) -> None:
        super().__init__(len(start))
        self.start = start


class Inflow:
    """
    The reader's side of one connection. Fed by the protocol, read by whoever converses.

    ``octets``: what lies unread, at the end of it; empty if nothing does.

    Lines end at LF here, so that a bare LF is seen and refused where it stands; whether CRLF ended a line is the
    caller's to check.
    """

    __slots__ = (
        "_ended",
        "_interruption",
        "_loop",
        "_overlong",
        "_paused",
        "_start",
        "_transport",
        "_waiter",
        "octets",
    )

    _overlong: bytes | None  # the start of a line that is being thrown away

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.octets = b""  # unread from _start on: what was read is not moved away line by line; empty if all was
        self._start = 0
        self._overlong = None
        self._ended = False
        self._paused = False
        self._interruption: Interruption | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def attach(self, transport: asyncio.Transport) -> None:
        """Read from *transport* from now on. What its forerunner was made to hold back comes again."""
        self._resume()
        self._transport = transport

    def feed(self, data: bytes) -> None:
        """Take what came."""
        if self.octets:
            self.octets, self._start = self.pending + data, 0
        else:
            self.octets = data
        if self._waiter is not None:
            self._wake()

    def hold_back(self, octets: int) -> None:
        """
        Ask the transport to pause if too much lies unread, which nobody has time to read, or for a turn of the loop if
        so many *octets* came at once: the loop would read on as long as there are as many, and serve nobody else.
        """
        if self.octets and self._unread > _HIGH:
            self._pause()
        elif octets >= MANY_AT_ONCE:
            self._pause()
            self._loop.call_soon(self._resume)

    def end(self) -> None:
        """Note that nothing more will come."""
        self._ended = True
        self._wake()

    def interrupt(self, why: str) -> None:
        """End reading: the next wait raises Interruption. The first one stands."""
        self._interruption = self._interruption or Interruption(why)
        self._wake()

    @property
    def pending(self) -> bytes:
        """What lies unread."""
        return self.octets[self._start :] if self._start else self.octets

    def line(self, longest: int) -> bytes | None:
        """
        Take the next line with its LF, or None while it is not whole.

        Raises:
            LineTooLong: It has more than *longest* octets; raised once, when its end has come.
        """
        octets, start = self.octets, self._start
        end = octets.find(b"\n", start) + 1
        if not end:
            if self._overlong is not None or self._unread > longest:
                self._overlong = self._overlong or octets[start : start + 5]
                self.octets, self._start = b"", 0
            if self._paused:
                self._resume()
            return None
        if end < len(octets):
            line, self._start = octets[start:end], end
        else:  # most often a whole segment, as clients send that wait for each reply
            line, self.octets, self._start = octets[start:] if start else octets, b"", 0
        if self._paused and self._unread <= _HIGH:
            self._resume()
        if self._overlong is None and len(line) <= longest:
            return line
        begun, self._overlong = self._overlong or line[:5], None
        raise LineTooLong(begun)

    def block(self) -> bytes:
        """Take all that lies unread."""
        block = self.octets[self._start :] if self._start else self.octets
        self.octets, self._start = b"", 0
        if self._paused:
            self._resume()
        return block

    def give_back(self, octets: bytes) -> None:
        """Put back what was taken and belongs to the next reader."""
        if octets:
            self.octets, self._start = octets + self.pending, 0

    def expect(self) -> bool:
        """
        Make sure that more may come, and return whether some of a line is there.

        Raises:
            Interruption: Nothing more will come or nobody will read it.
        """
        if self._interruption is not None:
            raise self._interruption
        if self._ended:
            raise Interruption("gone")
        return bool(self.octets) or self._overlong is not None

    async def more(self) -> None:
        """
        Wait for the client.

        Raises:
            Interruption: Nothing more will come or nobody will read it.
        """
        self.expect()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._interruption is not None:
            raise self._interruption

    async def exhaust(self) -> None:
        """Throw away what comes until nothing more will; of very much only the beginning."""
        left = _DEAF_AFTER
        while not self._ended:
            left -= self._unread
            self.octets, self._start = b"", 0
            if left > 0:
                self._resume()
            else:
                self._pause()
            self._waiter = self._loop.create_future()
            await self._waiter
        self._waiter = None

    @property
    def _unread(self) -> int:
        return len(self.octets) - self._start

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            if not self._transport.is_closing():
                self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
