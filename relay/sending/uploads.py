"""
A request body that knows how far it came: the difference between *safe to repeat* and *SES may have it*.

The last piece is held back until everything before it has left this process. A call that fails earlier was surely not
accepted: SES cannot have had the whole request. From the moment the last piece is handed over nothing is certain any
more. A connection that its peer has already closed is found out before the first octet is written.
"""

import asyncio
import select
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from aiohttp import Payload
from aiohttp.abc import AbstractStreamWriter

#: Asked for alone it is set only when the peer has shut down: a TLS session ticket waiting to be read is no hang-up.
#: Linux has it; elsewhere only a broken connection is seen.
_HUNG_UP: Final[int] = getattr(select, "POLLRDHUP", 0)


class HungUpError(ConnectionError):
    """The connection was closed by its peer; what had to be written was not."""


class Upload(Payload):
    """
    One request body, written once.

    ``pieces`` hold ``size`` octets together. ``progress`` is called when octets have left: the deadline starts again.
    ``begun``: some octet may have been written. ``complete``: the last octet may have been written. ``found_closed``:
    the connection offered was already closed, and nothing was written on it.
    """

    def __init__(self, pieces: Iterable[bytes], size: int, progress: Callable[[], None]) -> None:
        super().__init__(pieces)  # whoever signs says what the content is
        self._pieces = pieces
        self._progress = progress
        self._size = size
        self._offered = False
        self.begun = False
        self.complete = False

    @property
    def found_closed(self) -> bool:
        """Whether a connection was offered that could not carry the first octet."""
        return self._offered and not self.begun

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return b"".join(self._pieces).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body; see the module."""
        if self._offered:
            raise HungUpError("a body is written once")
        self._offered = True
        transport = _transport_of(writer)
        if _is_hung_up(transport):
            raise HungUpError("the connection was closed while idle")
        self._progress()
        last = await self._write_out(iter(self._pieces), writer, transport)
        if transport.is_closing():
            raise HungUpError("the connection was closed before the last octet")
        self.begun = self.complete = True
        await writer.write(last)
        self._progress()

    async def _write_out(
        self, pieces: Iterator[bytes], writer: AbstractStreamWriter, transport: asyncio.WriteTransport
    ) -> bytes:
        """
        Write *pieces* and wait until the kernel has each (under TLS: all but what the record layer holds).

        Returns:
            The last one, which is not written.
        """
        last, second = next(pieces), next(pieces, None)
        if second is None:
            return last
        self.begun = True
        transport.set_write_buffer_limits(high=1, low=0)  # not 0: asyncio's TLS would then pause an empty buffer
        for piece in chain((second,), pieces):
            await writer.write(last)
            await writer.drain()
            self._progress()
            last = piece
        transport.set_write_buffer_limits()
        return last


def _transport_of(writer: AbstractStreamWriter) -> asyncio.WriteTransport:
    transport: asyncio.WriteTransport | None = getattr(writer, "transport", None)
    if transport is None or transport.is_closing():
        raise HungUpError("the connection was closed")
    return transport


def _is_hung_up(transport: asyncio.WriteTransport) -> bool:
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), _HUNG_UP)
    return bool(poll.poll(0))
