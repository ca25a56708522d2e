"""
What the loop speaks to where a connection is behind TLS: it brings the place that is read into.

Without it a TLS transport cuts whatever comes, be it six octets, from 256 KiB that it has mapped for that read and
gives back. One such place serves all connections: what is read into it is taken out before the loop does anything else.
"""

import asyncio
from typing import Final

#: Octets that are read at a time.
READ_SIZE: Final = 256 * 1024


class BehindTls(asyncio.BufferedProtocol):
    """Hands on all that happens to *inner*; reads into *place*, of which asyncio's TLS takes slices to write to."""

    def __init__(self, inner: asyncio.Protocol, place: memoryview) -> None:
        self._inner = inner
        self._place = place

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand on."""
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on."""
        self._inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Hand on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Hand on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._inner.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - a hint
        """Lend the loop the place to write to."""
        return self._place

    def buffer_updated(self, nbytes: int) -> None:
        """Take out what came."""
        self._inner.data_received(bytes(self._place[:nbytes]))
