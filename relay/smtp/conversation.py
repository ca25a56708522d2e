"""
A conversation: one command after the other, each obeyed as it comes, until somebody ends it.

No task waits for the client: what comes is obeyed by whoever brings it, the loop. Only what takes time, such as a check
of a password, is a task; until it has ended nothing more is heard of this client.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from relay.observe.events import Incident
from relay.smtp import replies
from relay.smtp.arriving import Arriving
from relay.smtp.budgets import Peer
from relay.smtp.connection import Connection, Dismissed
from relay.smtp.inflow import Interruption, LineTooLong
from relay.smtp.listeners import Listener
from relay.smtp.premises import Premises
from relay.smtp.transaction import Transaction, ending_of
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.transactions import Session

_Found = TypeVar("_Found")

#: Octets of replies that wait to leave together, at most: a client may pipeline without end and read none of them.
_REPLIES_HELD: Final = 2048
#: Pipelined commands, or what else comes in pieces, before others get a turn of the loop.
_A_TURN: Final = range(4)
#: Verbs of HTTP, by which a browser is made to speak to mail servers (cross-protocol requests).
HTTP_VERBS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PRI", "PUT", "TRACE"})

#: The last reply to a client that is interrupted; who is dismissed has heard it already.
_FAREWELLS: Final = {"timeout": replies.TOO_SLOW, "drain": replies.SHUTTING_DOWN}
#: Who leaves so reads nothing more.
_LEAVES_AT_ONCE: Final = frozenset({"quit", "gone", "tls"})


class Conversation(Connection):
    """A connection on which commands are obeyed, in order, and messages have one ending each."""

    __slots__ = ("_arriving", "_at_work", "_delegate", "_session_view", "_transaction")

    def __init__(self, premises: Premises, listener: Listener, client: Peer) -> None:
        super().__init__(premises, listener, client)
        self._delegate: str | None = None  # nobody has been let in yet
        self._session_view: Session | None = None  # as far as it is known who speaks
        self._arriving: Arriving | None = None
        self._transaction: Transaction | None = None
        self._at_work: asyncio.Task[Any] | None = None

    def _begin(self) -> None:
        if self._limits.greeting_delay_seconds:
            self._attend(self._greet_later())
            return
        try:
            self._greet()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours
            self._fall(error)
            return
        self._is_busy = False
        self._go_on()

    async def _greet_later(self) -> None:
        await asyncio.sleep(self._limits.greeting_delay_seconds)
        if self._inflow.octets:
            self._dismiss(replies.EARLY_TALKER)
        self._greet()

    def _greet(self) -> None:
        self._say(replies.greeting(self._premises.hostname))

    # One command after the other

    def _go_on(self) -> None:
        """Take what has come, piece by piece, until there is no more of it or it leads to a wait."""
        try:
            for _ in _A_TURN:
                if self._is_busy or not self._can_write:
                    return
                arriving = self._arriving
                if arriving is not None:
                    if not self._inflow.octets:
                        self._await_content(arriving)
                        return
                    self._hear_content(arriving)
                elif not (self._inflow.octets and self._hear_command()):
                    self._await_command()
                    return
            if not self._is_busy:
                self._let_others()
        except Interruption as end:
            self._end(end)
        except Exception as error:  # noqa: BLE001 - the last net: whatever it is, it is ours
            self._fall(error)

    @abstractmethod
    def _hear_content(self, arriving: Arriving) -> None:
        """Take what has come of a message."""

    @abstractmethod
    def _await_content(self, arriving: Arriving) -> None:
        """Say what waits to be said, and let the clock of the rest of a message run."""

    def _hear_command(self) -> bool:
        """Obey a command, if all of it is there."""
        if self._is_due:
            self._part_if_due()
        try:
            line = self._inflow.line(self._limits.auth_line)
        except LineTooLong as too_long:
            self._has_begun, self._deadline = False, None
            self._refuse_long_line(too_long.start)
            return True
        if line is None:
            self._verb = "other"
            return False
        self._has_begun, self._deadline = False, None
        if len(line) > self._limits.command_line and line[:5].upper() != b"AUTH ":
            self._refuse_long_line(line[:5])
            return True
        try:
            self._obey(line)
        except Interruption:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client may try again
            self._excuse(error)
        return True

    def _part_if_due(self) -> None:
        """Part with a client that is here for too long, or that a drain left its open message."""
        if self._now() > self._life_ends:
            self._verb = "other"  # the last command has its reply
            self._dismiss(replies.TOO_OLD, why="timeout")
        self._part_if_draining()

    def _part_if_draining(self) -> None:
        if self._premises.draining and self._transaction is None:
            raise Interruption("drain")

    def _await_command(self) -> None:
        if self._is_due:
            self._part_if_draining()
        self._await_line(self._limits.stranger_seconds if self._delegate is None else self._limits.idle_seconds)

    def _refuse_long_line(self, start: bytes) -> None:
        is_auth = start.upper() == b"AUTH "
        self._verb = "AUTH" if is_auth else "other"
        self._answer(replies.AUTH_TOO_LONG if is_auth else replies.LINE_TOO_LONG)

    def _let_others(self) -> None:
        """Give others a turn of the loop between the commands of one long segment, and write what waits by then."""
        if len(self._outgoing) >= _REPLIES_HELD:
            self._write()
        self._is_busy = True
        self.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._is_busy = False
        self._go_on()

    @abstractmethod
    def _obey(self, line: bytes) -> None:
        """Carry out one command line."""

    def _excuse(self, error: Exception) -> None:
        """Tell of an exception of ours: a temporary failure, of which the client hears nothing but a number (W6)."""
        if self._drop_content():
            self._fall(error)  # what is left of the message would be obeyed
            return
        reply = self._tell(error)
        self._end_transaction(reply, Reason.INTERNAL)
        self._answer(reply, counts=False)

    def _tell(self, error: Exception) -> Reply:
        """Tell the house of an incident, and return what the client may know of it."""
        incident = self._premises.new_id()
        self._premises.observe(Incident(incident, self._id, error))
        return Reply(451, (4, 3, 0), f"Internal trouble, incident {incident}")

    # What takes time

    def _attend(self, work: Coroutine[Any, Any, _Found], then: Callable[[_Found], None] | None = None) -> None:
        """
        Do what takes time, *then* what follows from it; nothing is heard of this client until it has ended. A drain
        waits for it, also when the client is gone: there may be an open message.
        """
        self._is_busy, self._deadline = True, None
        self._at_work = self._premises.run(work)
        self._at_work.add_done_callback(partial(self._attended, then))

    def _attended(self, then: Callable[[_Found], None] | None, work: "asyncio.Task[_Found]") -> None:
        self._at_work = None
        try:
            found = work.result()
            self._is_busy = False
            if then is not None:
                then(found)
        except asyncio.CancelledError:
            self._end_transaction(replies.SHUTTING_DOWN, Reason.SHUTTING_DOWN)
            self.cut()
        except Interruption as end:
            self._end(end)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client may try again
            self._is_busy = False
            self._excuse(error)
        self._go_on()

    # How it ends

    def _end_transaction(self, reply: Reply, reason: Reason) -> None:
        """End the open message, if there is one, by a reply of ours."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.end(ending_of(reply, reason))

    def _abandon_transaction(self, farewell: Reply | None = None) -> None:
        """End the open message, if there is one, as given up by the client, or for what it heard as its *farewell*."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abandon(farewell)

    def _end(self, end: Interruption) -> None:
        """Take leave: the open message's ending, the last reply, and the socket within a bounded time."""
        self._is_busy, why = True, end.why
        self._why = self._why or why
        self._drop_content()
        try:
            if why == "drain":
                self._end_transaction(replies.SHUTTING_DOWN, Reason.SHUTTING_DOWN)
            farewell = end.said if isinstance(end, Dismissed) else _FAREWELLS.get(why)
            self._abandon_transaction(farewell)
            if farewell is not None and not isinstance(end, Dismissed):
                self._verb = "other"
                self._say(farewell)
            self._write()
        except Exception as error:  # noqa: BLE001 - the last net: whatever it is, it is ours
            self._fall(error)
            return
        if why in _LEAVES_AT_ONCE and self._can_write:
            self._hang_up()
        else:
            self._at_work = self.loop.create_task(self._linger(why))

    @abstractmethod
    def _drop_content(self) -> bool:
        """Give back the room of a message that will not be read to its end; whether there is one."""

    def _fall(self, error: Exception) -> None:
        """End without a word."""
        self._is_busy = True
        self._drop_content()
        self._end_transaction(self._tell(error), Reason.INTERNAL)
        self.cut()

    async def _linger(self, why: str) -> None:
        """
        Let the client read our last reply: a socket closed with octets unread resets the connection, and the reply may
        be lost with it.
        """
        await self._flush()
        if why not in _LEAVES_AT_ONCE and self.transport is not None and not self.transport.is_closing():
            if not self._tls and self.transport.can_write_eof():
                with suppress(OSError):  # reset in this very moment
                    self.transport.write_eof()
            self._allow(self._limits.linger_seconds, cuts=True)
            await self._inflow.exhaust()
        self._hang_up()

    def _hang_up(self) -> None:
        if self.transport is not None:
            if self._tls or self.transport.get_write_buffer_size():  # TLS waits for the client's end
                self._allow(self._limits.linger_seconds, cuts=True)
            self.transport.close()

    # What the door asks of us

    def wind_down(self) -> None:
        """End, but not in the middle of a transaction."""
        self._is_due = True
        if self._transaction is None:
            self._interrupt("drain")

    def cut_short(self) -> None:
        """End at once, or with what is being waited for."""
        self._interrupt("drain")
        if self._shakes_hands or self._outside is not None:
            self.cut()
