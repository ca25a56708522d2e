"""
One listening socket: clients are counted and let in, or turned away before they cost anything.

Accepted here and not by the loop's server, so that a client is counted before its TLS handshake and not after (W7), and
so that a balancer can say whom it brings before TLS begins (W28).
"""

import asyncio
import errno
import socket
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final

from relay.observe.events import Incident, Noted
from relay.smtp import replies
from relay.smtp.behind_tls import BehindTls
from relay.smtp.budgets import Peer, Prefix, peer_of
from relay.smtp.dialogue import Dialogue
from relay.smtp.held import Held
from relay.smtp.listeners import Listener
from relay.smtp.premises import Premises
from relay.smtp.proxy import LONGEST, Header, ProxyProblem, read_header
from relay.words.replies import Reply

#: Connections accepted before others get a turn of the loop.
_AT_ONCE: Final = 16
#: No file or memory for another socket: wait instead of spinning.
_OUT_OF_SOCKETS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_BREATH_SECONDS: Final = 0.1
#: Those whom a balancer brings, until it has said who they are: of no address, counted among all.
_NOT_SAID: Final[Prefix] = (0, 0)


class _Socket4(socket.socket):
    """
    A socket that says at once what it is. The standard library makes members of enumerations of its family and type
    whenever it is asked, and it, or the loop, asks five times for each connection.
    """

    __slots__ = ()
    family = socket.AF_INET
    type = socket.SOCK_STREAM


class _Socket6(_Socket4):
    """The same of IPv6."""

    __slots__ = ()
    family = socket.AF_INET6


class Entrance:
    """A listening socket of one listener."""

    def __init__(self, premises: Premises, listener: Listener, bound: socket.socket, dialogue: type[Dialogue]) -> None:
        self.listener = listener
        self.address: tuple[str, int] = bound.getsockname()[:2]
        self._premises = premises
        self._kind = _Socket6 if bound.family == socket.AF_INET6 else _Socket4
        self._bound = bound
        self._bound.__class__ = self._kind
        self._dialogue = dialogue
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Accept from now on."""
        self._loop.add_reader(self._bound.fileno(), self._accept)

    def close(self) -> None:
        """Accept no more."""
        if self._bound.fileno() >= 0:
            self._loop.remove_reader(self._bound.fileno())
            self._bound.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                client, peer = self._bound.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._take_breath(error)
                return
            self._admit(client, peer[0])

    def _take_breath(self, error: OSError) -> None:
        """Let connections end before accepting more: the kernel keeps those that wait."""
        self._note("error", "listener.accept-failed", why=str(error))
        if error.errno in _OUT_OF_SOCKETS:
            self._loop.remove_reader(self._bound.fileno())
            self._loop.call_later(_BREATH_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._bound.fileno() >= 0:
            self.open()

    def _note(self, level: str, event: str, **details: str) -> None:
        self._premises.observe(Noted(level, event, {"listener": self.listener.name, **details}))

    def _admit(self, client: socket.socket, peer: str) -> None:
        client.__class__ = self._kind
        client.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        who, balancers = peer_of(peer), self.listener.proxy_protocol_from
        if not balancers or not any(who.address in network for network in balancers):
            self._let_in(client, who)
            return
        refusal = self._premises.crowd.admit(_NOT_SAID, most=self._premises.limits.connections)
        if refusal is not None:
            self._turn_away(client, refusal)
            return
        arrival = Arrival(client)
        self._premises.enter(arrival)
        self._premises.run(self._hear(arrival, who))

    async def _hear(self, arrival: "Arrival", balancer: Peer) -> None:
        """Hear from a balancer whom it brings; to every limit and in every record that is the client."""
        header: Header | None = None
        try:
            header = await arrival.header(self._premises.limits.proxy_header_seconds)
        except ProxyProblem as problem:
            self._note("warning", "listener.no-proxy-header", balancer=balancer.name, why=str(problem))
        except OSError:
            pass  # gone, or only looking whether the port is open
        finally:
            self._premises.leave(arrival, _NOT_SAID)
        if self._premises.draining:
            self._turn_away(arrival.client, replies.SHUTTING_DOWN)
        elif header is None:
            arrival.client.close()
        else:
            self._let_in(arrival.client, peer_of(str(header.client)) if header.client else balancer)

    def _let_in(self, client: socket.socket, who: Peer) -> None:
        """Begin a conversation, unless there are as many as may be, of all or of this address."""
        limits = self._premises.limits
        refusal = self._premises.crowd.admit(who.prefix, most=limits.connections, of_one=limits.connections_per_client)
        if refusal is not None:
            self._turn_away(client, refusal)
            return
        visitor = self._dialogue(self._premises, self.listener, who)
        self._premises.enter(visitor)
        visitor.waits_outside(client)
        if self.listener.tls == "implicit":
            self._premises.run(self._shake_hands(client, visitor))
        else:
            self._bring_in(self._loop.connect_accepted_socket(lambda: visitor, client), client, visitor)

    def _turn_away(self, client: socket.socket, refusal: Reply) -> None:
        """Say why, if the client can read it: behind implicit TLS there is no handshake for those turned away."""
        with client:
            with suppress(OSError):
                client.recv(LONGEST)  # octets left unread would reset the connection, and the reply be lost with it
            try:
                if self.listener.tls != "implicit":
                    client.send(replies.on_the_wire(refusal))
                client.shutdown(socket.SHUT_WR)
            except OSError:
                return
            finally:
                self._premises.said[self.listener.name, "connect", refusal.code] += 1

    def _bring_in(
        self, entry: Coroutine[Any, Any, Any], client: socket.socket, visitor: Dialogue, _: object = None
    ) -> None:
        """
        Let the loop take the socket over. It waits for nothing but its own next turn, for which a task would cost as
        much as the greeting.
        """
        try:
            turn: asyncio.Future[None] = entry.send(None)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the books must stay right
            self._never_came_in(client, visitor, error)
        else:
            turn.add_done_callback(partial(self._bring_in, entry, client, visitor))

    async def _shake_hands(self, client: socket.socket, visitor: Dialogue) -> None:
        """On an implicit listener the TLS handshake comes first, with its deadline."""
        behind, context = BehindTls(visitor, self._premises.tls_place), self._premises.tls_context
        seconds = self._premises.limits.tls_handshake_seconds
        try:
            await self._loop.connect_accepted_socket(lambda: behind, client, ssl=context, ssl_handshake_timeout=seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, the books must stay right
            self._never_came_in(client, visitor, error)

    def _never_came_in(self, client: socket.socket, visitor: Dialogue, error: Exception) -> None:
        """Strike out a visitor: no handshake, gone before it, or there is trouble of ours."""
        client.close()
        self._premises.leave(visitor, visitor.prefix)
        if not isinstance(error, OSError):
            self._premises.observe(Incident(self._premises.new_id(), "-", error))


class Arrival:
    """A connection from a balancer that has not said yet whom it brings."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_over = False

    async def header(self, seconds: float) -> Header:
        """
        Take the header out of the socket, and not an octet of what follows: that may be TLS.

        Raises:
            ProxyProblem: It is none, or did not come within *seconds*.
            OSError: The balancer left before its first octet, or we close.
        """
        taken = b""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    seen = await self._peek()
                    if not seen:
                        raise ProxyProblem("gone within its header") if taken else ConnectionResetError
                    header = read_header(taken + seen)
                    if header is not None:
                        self.client.recv(header.length - len(taken))
                        return header
                    taken += self.client.recv(len(seen))
        except TimeoutError:
            raise ProxyProblem(f"no PROXY header within {seconds:g} s") from None

    async def _peek(self) -> bytes:
        while not self._is_over:
            with suppress(BlockingIOError, InterruptedError):
                return self.client.recv(LONGEST, socket.MSG_PEEK)
            await self._readable()
        raise ConnectionResetError

    async def _readable(self) -> None:
        self._waiter = self._loop.create_future()
        self._loop.add_reader(self.client.fileno(), self._wake)
        try:
            await self._waiter
        finally:
            self._loop.remove_reader(self.client.fileno())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def wind_down(self) -> None:
        """Give up: nothing has begun."""
        self._is_over = True
        self._wake()

    cut_short = cut = wind_down

    def glance(self, now: float) -> None:
        """Nothing: the header has a deadline of its own."""


async def bind(
    listener: Listener, backlog: int | None, *, reuse_port: bool, held: Held | None = None
) -> list[socket.socket]:
    """
    Bind every address that the host's name stands for, and listen with *backlog*; with None, do not listen.

    What is *held* for us at an address is taken as it is.

    Raises:
        OSError: One cannot be had; none stays bound.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        listener.host or None, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    bound: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            ready = held.take(family, *address[:2]) if held else None
            bound.append(ready or _bound_socket(family, address, backlog, reuse_port=reuse_port))
    except OSError:
        for each in bound:
            each.close()
        raise
    return bound


def _bound_socket(family: int, address: tuple[Any, ...], backlog: int | None, *, reuse_port: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        if backlog is not None:
            made.listen(backlog)
        made.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    except OSError:
        made.close()
        raise
    return made
