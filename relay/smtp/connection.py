"""
One connection: its octets, its clock, its replies. What is said on it is in ``dialogue``.

A subclass of :class:`aiosmtpd.smtp.SMTP`. Overridden here, because each stood in the way (W numbers are the names of
the tests): the constructor's reflection and the objects that it makes for each connection (W30), the timer (W4, W5),
the reaction to EOF and loss, which cancelled a running commit (W3), the command loop, which logged and reflected what
the client typed and ended lines at LF (W6, W9, W17, W21, W25), and the stream reader, which took a message line by line
(W1, W2).
"""

import asyncio
import logging
import re
import socket
from abc import abstractmethod
from collections.abc import Awaitable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NoReturn, cast

from aiosmtpd.smtp import SMTP

from relay.observe.events import Incident, Replied, SessionClosed, SessionOpened
from relay.smtp import replies
from relay.smtp.budgets import Prefix, prefix_of
from relay.smtp.inflow import Inflow, Interruption, LineTooLong
from relay.smtp.listeners import Listener
from relay.smtp.ports import ClientAddress
from relay.smtp.premises import Premises
from relay.smtp.replies import on_the_wire
from relay.smtp.transaction import Transaction, ending_of
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.transactions import Session

#: aiosmtpd logs every command and half of every AUTH exchange.
for _name in ("mail.log", "mail.debug"):
    logging.getLogger(_name).disabled = True

_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
#: Octets of replies that a client may leave unread before it is waited for.
_REPLIES_HIGH: Final = 16 * 1024
#: Replies that wait to leave together, at most: a client may pipeline without end and read none of them.
_REPLIES_HELD: Final = 64
#: Pipelined commands that are obeyed before others get a turn of the loop.
_TURN: Final = 4
#: Verbs of HTTP, by which a browser is made to speak to mail servers (cross-protocol requests).
HTTP_VERBS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PRI", "PUT", "TRACE"})
_TLS_HANDSHAKE: Final = b"\x16"
#: There are few different ones, and six for each message.
_replied: Final = lru_cache(1024)(Replied)

#: The last reply to a client that is interrupted; who is dismissed has heard it already.
_FAREWELLS: Final = {"timeout": replies.TOO_SLOW, "drain": replies.SHUTTING_DOWN}


class Dismissed(Interruption):
    """The client has heard its last reply."""


def prototype(hostname: str, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """
    Return the attributes that aiosmtpd's constructor makes, for a class whose connections share them.

    It looks through its handler and itself by reflection, which costs more than a whole dialogue; nothing that it finds
    differs between connections. Its bound methods are left out: they would speak for the prototype. So is the future
    by which asyncio's streams are waited for: nobody waits for ours.
    """
    made = vars(SMTP(object(), hostname=hostname, ident="ESMTP", data_size_limit=None, loop=loop)).copy()
    made.update(_auth_methods={}, _handle_hooks={}, _smtp_methods={}, _closed=None)
    return made


class Connection(SMTP):
    """A client's connection: reads lines and blocks with deadlines, writes replies, counts errors, hangs up."""

    transport: asyncio.Transport | None = None

    def __init__(self, premises: Premises, listener: Listener, client: ClientAddress) -> None:
        # Not super().__init__: what it makes is in the class, see prototype() and dialogue.spoken_by().
        self._premises = premises
        self._listener = listener
        self._limits = premises.limits
        self._client = client
        self._client_name = str(client)
        self.prefix: Prefix = prefix_of(self._client)
        self._id = premises.new_id()
        self._tls = listener.tls == "implicit"
        self._inflow = Inflow(self.loop)
        self._transaction: Transaction | None = None
        self._session_view: Session | None = None
        self._verb = "connect"
        self._errors = 0
        self._junk = 0
        self._in_a_row = 0
        self._is_lost = False
        self._outside: socket.socket | None = None
        self._shakes_hands = False
        self._why: str | None = None
        self._outgoing: list[bytes] = []
        self._can_write = True
        self._drained: asyncio.Future[None] | None = None
        self._deadline: float | None = None
        self._deadline_cuts = False
        self._timer: asyncio.TimerHandle | None = None
        self._life_ends = self.loop.time() + self._limits.connection_seconds

    # What the loop tells us

    def waits_outside(self, client: socket.socket) -> None:
        """Remember the socket as long as there is no transport: before a TLS handshake has ended."""
        self._outside = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the conversation, without the session, the envelope and the log line that aiosmtpd would make."""
        stream = cast("asyncio.Transport", transport)
        self._outside = None
        stream.set_write_buffer_limits(high=_REPLIES_HIGH)
        self._inflow.attach(stream)
        self._premises.observe(SessionOpened(self._listener.name, self._id, self._client_name))
        self.transport = stream
        self._handler_coroutine = self.loop.create_task(self._handle_client())

    def data_received(self, data: bytes) -> None:
        """Keep what came for the reader."""
        self._inflow.feed(data)

    def eof_received(self) -> bool:
        """
        Let what is running come to its end and be answered; nobody is cancelled (W3). TLS knows no half-closed
        connection.
        """
        self._inflow.end()
        return not self._tls

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - why a client left is not our concern
        """Tell the reader that nothing more comes; aiosmtpd would cancel it in the middle of a commit (W3)."""
        if self._is_lost:
            return
        self._is_lost = True
        self.transport = None
        self._inflow.end()
        self._let_write()
        if self._timer is not None:
            self._timer.cancel()
        self._premises.observe(SessionClosed(self._listener.name, self._id, self._why or "gone"))
        self._premises.leave(self, self.prefix)

    def pause_writing(self) -> None:
        """Wait for a client that does not read its replies."""
        self._can_write = False

    def resume_writing(self) -> None:
        """Go on: it has read them."""
        self._let_write()

    def _let_write(self) -> None:
        self._can_write = True
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # The clock

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Do nothing: aiosmtpd's timer starts anew with each command and closes politely (W4, W5)."""

    def _allow(self, seconds: float | None, *, cuts: bool = False) -> None:
        """
        Give the client *seconds* from now for what it owes us; None stops the clock.

        Args:
            cuts: Drop the connection when time is up, instead of ending the conversation with 421.
        """
        self._deadline = None if seconds is None else self.loop.time() + seconds
        self._deadline_cuts = cuts
        if self._deadline is not None and (self._timer is None or self._timer.when() > self._deadline):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(self._deadline, self._timeout_cb)

    def _timeout_cb(self) -> None:
        """Look whether time is up: the timer is not moved with every command, it looks again when it rings."""
        self._timer = None
        if self._deadline is None:
            return
        if self.loop.time() < self._deadline:
            self._timer = self.loop.call_at(self._deadline, self._timeout_cb)
        elif self._deadline_cuts:
            self.cut()
        else:
            self._inflow.interrupt("timeout")

    # Reading

    async def _read_line(self, *, idle: float) -> bytes:
        """
        Read a line with its LF, of at most ``auth_line`` octets.

        Args:
            idle: Seconds for its first octet; for the rest there are ``command_seconds`` from that octet on.

        Raises:
            LineTooLong: All of the line is gone.
            Interruption: The client is gone, late, or sent away.
        """
        self._in_a_row += 1
        if self._in_a_row > _TURN:
            await self._let_others()
        inflow, begun = self._inflow, False
        while (line := inflow.line(self._limits.auth_line)) is None:
            self._write()
            if not self._can_write:
                await self._until_read()
            if not begun:
                begun = inflow.has_begun
                self._allow(self._limits.command_seconds if begun else idle)
            if begun and inflow.pending[:1] == _TLS_HANDSHAKE:
                self._dismiss(replies.NOT_SMTP)
            await inflow.more()
            self._in_a_row = 0
        self._deadline = None
        return line

    async def _let_others(self) -> None:
        """Give others a turn of the loop between the commands of one long segment, and write what waits by then."""
        self._in_a_row = 0
        if len(self._outgoing) >= _REPLIES_HELD:
            await self._flush()
        await asyncio.sleep(0)

    async def _next_command(self) -> bytes | None:
        """Read the next command line without its CRLF; None when it has been refused already."""
        if self._premises.draining and self._transaction is None:
            raise Interruption("drain")
        if self.loop.time() > self._life_ends:
            self._dismiss(replies.TOO_OLD, why="timeout")
        idle = self._limits.stranger_seconds if self._is_stranger else self._limits.idle_seconds
        self._verb = "other"
        try:
            line = await self._read_line(idle=idle)
        except LineTooLong as too_long:
            is_auth = too_long.start.upper() == b"AUTH "
            self._verb = "AUTH" if is_auth else "other"
            self._answer(replies.AUTH_TOO_LONG if is_auth else replies.LINE_TOO_LONG)
            return None
        if len(line) > self._limits.command_line and line[:5].upper() != b"AUTH ":
            self._answer(replies.LINE_TOO_LONG)
            return None
        if not line.endswith(b"\r\n") or _CONTROL.search(line, 0, len(line) - 2):
            self._answer(replies.BAD_OCTETS)
            return None
        return line[:-2]

    @property
    @abstractmethod
    def _is_stranger(self) -> bool:
        """Whether nobody has been let in yet."""

    @abstractmethod
    def _obey(self, command: bytes) -> Awaitable[None] | None:
        """Begin to carry out one command line, without its CRLF; return what is to be waited for, if anything is."""

    # Writing

    def _answer(self, reply: Reply, *, counts: bool = True) -> None:
        """
        Reply to the command at hand. It is written when the next wait begins: replies to pipelined commands leave
        together (RFC 2920 section 3.2).

        Args:
            counts: A 4xx or 5xx is an error of the client's making; too many of them are its last.
        """
        if counts and reply.code >= 400:
            self._errors += 1
            if self._errors >= self._limits.errors:
                self._dismiss(replies.TOO_MANY_ERRORS)
        self._say(reply)

    def _say(self, reply: Reply) -> None:
        self._outgoing.append(on_the_wire(reply))
        self._premises.observe(_replied(self._listener.name, self._verb, reply.code))

    def _dismiss(self, reply: Reply, *, why: str = "errors") -> NoReturn:
        """Say one last word and hang up."""
        self._say(reply)
        raise Dismissed(why)

    async def _flush(self) -> None:
        """Write the replies, and wait for a client that is slow to read them; one that never does is cut (W5)."""
        self._write()
        if not self._can_write:
            await self._until_read()

    def _write(self) -> None:
        """Give the replies that wait to the transport."""
        if self._outgoing:
            written = b"".join(self._outgoing)
            self._outgoing.clear()
            if self.transport is not None and not self.transport.is_closing():
                self.transport.write(written)

    async def _until_read(self) -> None:
        """Wait until the client has read most of its replies, or is cut."""
        self._drained = self.loop.create_future()
        self._allow(self._limits.reply_seconds, cuts=True)
        await self._drained
        self._drained = None
        self._allow(None)

    # Life

    async def _handle_client(self) -> None:
        """Converse until somebody ends it. The task in which everything on this connection happens."""
        try:
            await self._part(await self._converse())
        except asyncio.CancelledError:
            self._end_transaction(replies.SHUTTING_DOWN, Reason.SHUTTING_DOWN)
            self.cut()
            raise
        except Exception as error:  # noqa: BLE001 - the last net: whatever it is, it is ours
            self._end_transaction(self._tell(error), Reason.INTERNAL)
            self.cut()

    async def _converse(self) -> Interruption:
        """Obey one command after the other; return why there are no more."""
        try:
            await self._greet()
            while True:
                command = await self._next_command()
                if command is not None:
                    await self._try_to_obey(command)
        except Interruption as end:
            self._why = self._why or end.why
            return end

    async def _greet(self) -> None:
        if self._limits.greeting_delay_seconds:
            await asyncio.sleep(self._limits.greeting_delay_seconds)
            if self._inflow.pending:
                self._dismiss(replies.EARLY_TALKER)
        self._say(Reply(220, None, f"{self._premises.hostname} ESMTP"))

    async def _try_to_obey(self, command: bytes) -> None:
        """Obey; an exception of ours is a temporary failure that tells nothing but its number (W6)."""
        try:
            obeying = self._obey(command)
            if obeying is not None:
                await obeying
        except Interruption:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client may try again
            reply = self._tell(error)
            self._end_transaction(reply, Reason.INTERNAL)
            self._answer(reply, counts=False)

    def _tell(self, error: Exception) -> Reply:
        """Tell the house of an incident, and return what the client may know of it."""
        incident = self._premises.new_id()
        self._premises.observe(Incident(incident, self._id, error))
        return Reply(451, (4, 3, 0), f"Internal trouble, incident {incident}")

    def _end_transaction(self, reply: Reply, reason: Reason) -> None:
        """End the open message, if there is one, by a reply of ours."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.end(ending_of(reply, reason))

    def _abandon_transaction(self) -> None:
        """End the open message, if there is one, as given up by the client."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abandon()

    async def _part(self, end: Interruption) -> None:
        """Take leave: the open message's ending, the last reply, and the socket within a bounded time."""
        if end.why == "drain":
            self._end_transaction(replies.SHUTTING_DOWN, Reason.SHUTTING_DOWN)
        self._abandon_transaction()
        if end.why in _FAREWELLS and not isinstance(end, Dismissed):
            self._verb = "other"
            self._say(_FAREWELLS[end.why])
        await self._flush()
        if end.why not in ("quit", "gone", "tls"):
            await self._linger()
        if self.transport is not None:
            self._allow(self._limits.linger_seconds, cuts=True)
            self.transport.close()

    async def _linger(self) -> None:
        """
        Let the client read our last reply: a socket closed with octets unread resets the connection, and the reply may
        be lost with it.
        """
        if self.transport is None or self.transport.is_closing():
            return
        if not self._tls and self.transport.can_write_eof():
            with suppress(OSError):  # reset in this very moment
                self.transport.write_eof()
        self._allow(self._limits.linger_seconds, cuts=True)
        await self._inflow.exhaust()

    # What the door asks of us

    def wind_down(self) -> None:
        """Say goodbye unless a transaction is open; then after it."""
        if self._transaction is None:
            self._inflow.interrupt("drain")

    def cut_short(self) -> None:
        """Say goodbye at the next word of the client, whatever is open; in the middle of a handshake there is none."""
        self._inflow.interrupt("drain")
        if self._shakes_hands or self._outside is not None:
            self.cut()

    def cut(self) -> None:
        """Drop the connection now: a client that does not read would hold a polite close for ever (W5)."""
        if self._outside is not None:
            with suppress(OSError):
                self._outside.shutdown(socket.SHUT_RDWR)
        elif self.transport is not None:
            self.transport.abort()
