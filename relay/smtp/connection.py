"""
One connection: its octets, its clock, its replies. Who obeys what comes is ``conversation``, what is said ``dialogue``.

A subclass of :class:`aiosmtpd.smtp.SMTP`. Overridden here, because each stood in the way (W numbers are the names of
the tests): the constructor's reflection and the objects that it makes for each connection (W30), the timer (W4, W5),
the reaction to EOF and loss, which cancelled a running commit (W3), the task and the command loop, which logged and
reflected what the client typed and ended lines at LF (W6, W9, W17, W21, W25), and the stream reader, which took a
message line by line (W1, W2).
"""

import asyncio
import logging
import socket
from abc import abstractmethod
from contextlib import suppress
from typing import Any, Final, NoReturn

from aiosmtpd.smtp import SMTP

from relay.observe.events import SessionClosed, SessionOpened
from relay.smtp import replies
from relay.smtp.budgets import Peer
from relay.smtp.inflow import MANY_AT_ONCE, Inflow, Interruption, LineTooLong
from relay.smtp.listeners import Listener
from relay.smtp.premises import Premises
from relay.smtp.replies import WRITTEN, on_the_wire
from relay.words.replies import Reply

#: aiosmtpd logs every command and half of every AUTH exchange.
for _name in ("mail.log", "mail.debug"):
    logging.getLogger(_name).disabled = True

#: Octets of replies that a client may leave unread before it is waited for.
_REPLIES_HIGH: Final = 16 * 1024
#: By this octet TLS begins.
TLS_HANDSHAKE: Final = b"\x16"


class Dismissed(Interruption):
    """The client has heard its last reply, ``said``."""

    def __init__(self, why: str, said: Reply) -> None:
        super().__init__(why)
        self.said = said


def prototype(hostname: str, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """
    Return the attributes that aiosmtpd's constructor makes, for a class whose connections share them.

    It looks through its handler and itself by reflection, which costs more than a whole dialogue; nothing that it finds
    differs between connections. Its bound methods are left out: they would speak for the prototype. So is the future
    by which asyncio's streams are waited for: nobody waits for ours.
    """
    made = vars(SMTP(object(), hostname=hostname, ident="ESMTP", data_size_limit=None, loop=loop)).copy()
    made.update(_auth_methods={}, _handle_hooks={}, _smtp_methods={}, _closed=None)
    del made["transport"]  # each has its own, in a slot
    return made


class Connection(SMTP):
    """A client's connection: takes octets with deadlines, writes replies, counts errors."""

    # Slots, here and below: there are more attributes than an instance's dictionary serves quickly.
    __slots__ = (
        "_can_write",
        "_client",
        "_client_name",
        "_deadline",
        "_deadline_cuts",
        "_drained",
        "_errors",
        "_has_begun",
        "_id",
        "_inflow",
        "_is_busy",
        "_is_due",
        "_is_lost",
        "_life_ends",
        "_limits",
        "_listener",
        "_now",
        "_outgoing",
        "_outside",
        "_premises",
        "_shakes_hands",
        "_tls",
        "_verb",
        "_why",
        "prefix",
        "transport",
    )

    def __init__(self, premises: Premises, listener: Listener, client: Peer) -> None:
        # Not super().__init__: what it makes is in the class, see prototype() and dialogue.spoken_by().
        self._premises = premises
        self._listener = listener
        self._limits = limits = premises.limits
        self._client, self._client_name, self.prefix = client
        self._id = premises.new_id()
        self._now = self.loop.time
        self._life_ends = self._now() + limits.connection_seconds
        self._inflow = Inflow(self.loop)
        self._outgoing = b""
        self._verb = "connect"
        self._errors = 0
        self._tls = listener.tls == "implicit"
        self._is_busy = True  # nothing has begun, somebody else is waited for, or all has ended
        self._is_due = False  # there may be a reason to part
        self._is_lost = self._shakes_hands = False
        self._why: str | None = None
        self.transport: asyncio.Transport | None = None
        self._outside: socket.socket | None = None
        self._can_write = True
        self._drained: asyncio.Future[None] | None = None
        self._has_begun = False  # the line that is being waited for
        self._deadline: float | None = None
        self._deadline_cuts = False

    # What the loop tells us

    def waits_outside(self, client: socket.socket) -> None:
        """Remember the socket as long as there is no transport: before a TLS handshake has ended."""
        self._outside = client

    def connection_made(self, transport: Any) -> None:
        """Begin the conversation, without the session, the envelope, the task and the log line of aiosmtpd."""
        self._outside = None
        self._speak_by(transport)
        self._premises.observe(SessionOpened(self._listener.name, self._id, self._client_name))
        self._begin()

    def _speak_by(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=_REPLIES_HIGH)  # that of TLS would hold half a MiB of its own
        self._inflow.attach(transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Obey what came, or keep it until there is time."""
        inflow = self._inflow
        inflow.feed(data)
        if not self._is_busy:
            self._go_on()
        if inflow.octets or len(data) >= MANY_AT_ONCE:
            inflow.hold_back(len(data))

    def eof_received(self) -> bool:
        """
        Let what is running come to its end and be answered; nobody is cancelled (W3). TLS knows no half-closed
        connection.
        """
        self._inflow.end()
        self._go_on()
        return not self._tls

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - why a client left is not our concern
        """Tell who converses that nothing more comes; aiosmtpd would cancel it in the middle of a commit (W3)."""
        if self._is_lost:
            return
        self._is_lost = True
        self.transport = None
        self._inflow.end()
        self.resume_writing()
        self._premises.observe(SessionClosed(self._listener.name, self._id, self._why or "gone"))
        self._premises.leave(self, self.prefix)

    def pause_writing(self) -> None:
        """Wait for a client that does not read its replies; one that never does is cut (W5)."""
        self._can_write = False
        self._allow(self._limits.reply_seconds, cuts=True)

    def resume_writing(self) -> None:
        """Go on: it has read them."""
        if not self._can_write:
            self._can_write, self._has_begun, self._deadline = True, False, None  # all clocks begin anew
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._go_on()

    # The conversation

    @abstractmethod
    def wind_down(self) -> None:
        """Say goodbye unless a transaction is open; then after it."""

    @abstractmethod
    def cut_short(self) -> None:
        """Say goodbye at the next word of the client, whatever is open; in the middle of a handshake there is none."""

    @abstractmethod
    def _begin(self) -> None:
        """Greet the client."""

    @abstractmethod
    def _go_on(self) -> None:
        """Obey what has come, unless somebody else is waited for."""

    # The clock

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Do nothing: aiosmtpd's timer starts anew with each command and closes politely (W4, W5)."""

    def _allow(self, seconds: float, *, cuts: bool = False) -> None:
        """
        Give the client *seconds* from now for what it owes us.

        Args:
            cuts: Drop the connection when time is up, instead of ending the conversation with 421.
        """
        self._deadline = self._now() + seconds
        self._deadline_cuts = cuts

    def glance(self, now: float) -> None:
        """Look whether time is up, for whoever looks at the clocks of all."""
        if now > self._life_ends:
            self._is_due = True
        if self._deadline is None or now < self._deadline:
            return
        self._deadline = None
        if self._deadline_cuts:
            self.cut()
        else:
            self._interrupt("timeout")

    def _interrupt(self, why: str) -> None:
        """End the conversation where it waits for the client."""
        self._inflow.interrupt(why)
        self._go_on()

    def cut(self) -> None:
        """Drop the connection now: a client that does not read would hold a polite close for ever (W5)."""
        if self._outside is not None:
            with suppress(OSError):
                self._outside.shutdown(socket.SHUT_RDWR)
        elif self.transport is not None:
            self.transport.abort()

    # Reading

    def _await_line(self, idle: float) -> None:
        """
        Say what waits to be said, and let the clock of the next line run.

        Args:
            idle: Seconds for its first octet; for the rest there are ``command_seconds`` from that octet on.

        Raises:
            Interruption: The client is gone, late, or sent away.
        """
        if self._outgoing:
            self._write()
        if not self._can_write:
            return
        inflow = self._inflow
        has_begun = inflow.expect()
        if has_begun and inflow.pending[:1] == TLS_HANDSHAKE:
            self._dismiss(replies.NOT_SMTP)
        if not self._has_begun:
            self._deadline = self._now() + (self._limits.command_seconds if has_begun else idle)
            self._deadline_cuts, self._has_begun = False, has_begun

    async def _read_line(self, *, idle: float) -> bytes:
        """
        Wait for a line of at most ``auth_line`` octets, as :meth:`_await_line` does, and take it with its LF.

        Raises:
            LineTooLong: All of the line is gone.
        """
        try:
            while (line := self._inflow.line(self._limits.auth_line)) is None:
                self._await_line(idle)
                if self._can_write:
                    await self._inflow.more()
                else:
                    await self._flush()
        except LineTooLong:
            self._has_begun, self._deadline = False, None
            raise
        self._has_begun, self._deadline = False, None
        return line

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
        self._outgoing += WRITTEN.get(id(reply)) or on_the_wire(reply)
        self._premises.said[self._listener.name, self._verb, reply.code] += 1

    def _dismiss(self, reply: Reply, *, why: str = "errors") -> NoReturn:
        """Say one last word and hang up."""
        self._say(reply)
        raise Dismissed(why, reply)

    def _write(self) -> None:
        """Give the replies that wait to the transport."""
        outgoing, transport = self._outgoing, self.transport
        if outgoing:
            self._outgoing = b""
            if transport is not None and not transport.is_closing():
                transport.write(outgoing)

    async def _flush(self) -> None:
        """Write the replies, and wait until the client has read most of them, or is cut."""
        self._write()
        if not self._can_write:
            self._drained = self.loop.create_future()
            await self._drained
            self._drained = None
