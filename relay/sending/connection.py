"""
One kept-alive connection: a request at a time, and how far it came, which is the difference between *safe to repeat*
and *SES may have it*.

The last piece of a body is held back until everything before it has left this process. A call that fails earlier was
surely not accepted: SES cannot have had the whole request. From the moment the last piece is handed over nothing is
certain any more. A connection that its peer has already closed is found out before the first octet is written.
"""

import asyncio
import select
from collections.abc import Iterable
from typing import Final, cast

from relay.sending.http_answers import Answer, AnswerReader, MalformedError

#: Asked for alone it is set only when the peer has shut down. Linux has it; elsewhere that shows as octets to be read.
_HUNG_UP: Final[int] = getattr(select, "POLLRDHUP", 0)


#: Octets that are read at a time: an answer of SES is below 1 KiB.
_READ_SIZE: Final = 16 * 1024


class HungUpError(ConnectionError):
    """The connection was closed; there is no answer."""


class Connection(asyncio.BufferedProtocol):
    """
    A connection, plain or TLS. It brings its own buffer: what a TLS transport hands over to others is cut from 256 KiB
    that are mapped and given back for every answer.

    ``complete``: the last octet of the request that it carries, or carried last, may have been written. ``idle_since``:
    when the last request ended, by the loop's clock; None before the first.

    Args:
        patience: Seconds without progress while a body leaves, and then for the whole answer.

    """

    _transport: asyncio.Transport

    def __init__(self, patience: float) -> None:
        self.complete = False
        self.idle_since: float | None = None
        self._loop = asyncio.get_running_loop()
        self._poll = select.poll()
        self._buffer = memoryview(bytearray(_READ_SIZE))  # of which asyncio's TLS takes slices to write to
        self._reader: AnswerReader | None = None  # of the answer that is due
        self._failure: OSError | None = None
        self._news: asyncio.Future[None] | None = None
        self._is_full = False
        self._patience, self._until = patience, 0.0
        self._watch: asyncio.TimerHandle | None = None  # rings while requests come, and once after the last

    # What is asked of it

    @property
    def is_open(self) -> bool:
        """
        Whether a request may be written: the peer has not hung up, even if the loop has not seen it yet.

        Nor after an answer may anything wait to be read: it would be taken for the next one. Before the first request
        it may, under TLS: a session ticket.
        """
        if self._transport.is_closing():
            return False
        found = self._poll.poll(0)
        return not found or (self.idle_since is None and found[0][1] == select.POLLIN)

    @property
    def is_closing(self) -> bool:
        """Whether it has ended, as far as the loop knows."""
        return self._transport.is_closing()

    def is_old(self, seconds: float) -> bool:
        """Whether it has been idle for longer."""
        return self.idle_since is not None and self._loop.time() - self.idle_since > seconds

    def close(self) -> None:
        """Close at once. A request under way gets no answer."""
        self._fail(HungUpError("closed here"))

    async def carry(self, head: bytes, pieces: Iterable[bytes]) -> Answer:
        """
        Send one request on a connection that :attr:`is_open`, and return its answer.

        One that comes before the request's end counts: the rest is not sent.

        Args:
            head: All that stands before the body.
            pieces: The body, one piece or more; walked over once.

        Raises:
            OSError: There is no answer. The connection is closed, as it is after answers that end it.
        """
        self.complete = False
        reader = self._reader = AnswerReader()
        try:
            rest = iter(pieces)
            last = head + next(rest)
            for piece in rest:
                self._write(last, is_last=False)
                while self._is_full and reader.answer is None:  # until the kernel has it, or TLS's record layer
                    await self._something()
                if reader.answer is not None:
                    break
                last = piece
            else:
                self._write(last, is_last=True)
            while reader.answer is None:
                await self._something()
            return reader.answer
        finally:
            self._reader, self.idle_since = None, self._loop.time()
            if reader.answer is None or not (reader.keeps and self.complete):
                self.close()

    def _write(self, octets: bytes, *, is_last: bool) -> None:
        if self._transport.is_closing():
            raise self._failure or HungUpError("the connection was closed before the last octet")
        self.complete = is_last
        self._until = self._loop.time() + self._patience
        if self._watch is None:
            self._watch = self._loop.call_at(self._until, self._look_at_the_time)
        self._transport.write(octets)

    def _something(self) -> "asyncio.Future[None]":
        """Return what is done as soon as something happens; raises what has failed."""
        if self._failure is not None:
            raise self._failure
        self._news = self._loop.create_future()
        return self._news

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _fail(self, failure: OSError) -> None:
        self._failure = self._failure or failure
        self._transport.abort()
        self._tell()

    def _look_at_the_time(self) -> None:
        """Give up, or look again later: progress moves the end, and the timer need not be set anew each time."""
        self._watch = None
        if self._reader is None:
            return
        if self._until > self._loop.time():
            self._watch = self._loop.call_at(self._until, self._look_at_the_time)
        else:
            self._fail(TimeoutError(f"no progress in {self._patience:g} s"))

    # What the loop tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1, low=0)  # not 0: asyncio's TLS would pause an empty buffer
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN | _HUNG_UP)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - a hint
        """Lend the loop the place to write to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read the answer. What nobody asked for ends the connection: it could be taken for the next answer."""
        if self._reader is None or self._reader.answer is not None:
            self.close()
            return
        try:
            self._reader.feed(bytes(self._buffer[:nbytes]))
        except MalformedError as malformed:
            self._fail(malformed)
        if self._reader.answer is not None:
            self._tell()

    def pause_writing(self) -> None:
        """Take note that the kernel takes no more."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Go on."""
        self._is_full = False
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; so does an answer that has no length, unless it was us who closed."""
        if self._watch is not None:
            self._watch.cancel()
        if self._failure is None:
            self._failure = exc if isinstance(exc, OSError) else HungUpError("hung up without an answer")
            if self._reader is not None:
                self._reader.end(is_clean=exc is None)
            self._tell()
