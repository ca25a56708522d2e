"""
The street door: opens the listeners, lets clients in while there is room, and closes without losing a message.

In our own event loop, not in aiosmtpd's Controller, which has a thread of its own, cancels what is running when it
stops, and may wait for ever for an idle client (W29, W30). Connections are accepted here and not by the loop's server,
so that a client is counted before its TLS handshake and not after (W7).
"""

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from relay.observe.events import Incident, Noted, Observer, Replied
from relay.smtp import replies
from relay.smtp.budgets import Guesses, Prefix, client_address, prefix_of
from relay.smtp.connection import prototype
from relay.smtp.dialogue import Dialogue
from relay.smtp.limits import Limits
from relay.smtp.listeners import Listener, ListenerProblem
from relay.smtp.ports import Delegates, MakeRecord, Reception
from relay.smtp.premises import Premises
from relay.words.replies import Reply

#: Connections accepted before others get a turn of the loop.
_AT_ONCE: Final = 64
#: No file or memory for another socket: wait instead of spinning.
_OUT_OF_SOCKETS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_BREATH_SECONDS: Final = 0.1


class StreetDoor:
    """The SMTP server of this relay."""

    def __init__(  # noqa: PLR0913 - the one place where the door meets the house, all by name
        self,
        listeners: Sequence[Listener],
        *,
        limits: Limits,
        hostname: str,
        tls_context: ssl.SSLContext | None,
        reception: Reception,
        delegates: Delegates,
        observe: Observer,
        make_record: MakeRecord,
        new_id: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
        reuse_port: bool = False,
    ) -> None:
        """
        Args:
            hostname: Our name in the greeting.
            new_id: Names sessions, messages and incidents; short, unique, letters and digits.
            reuse_port: Share the ports with other processes (SO_REUSEPORT).

        Raises:
            ListenerProblem: A listener would be more open or more shut than its owner believes; all are named.
        """
        problems = [p for each in listeners for p in each.problems(has_certificate=tls_context is not None)]
        if problems:
            raise ListenerProblem("; ".join(problems))
        self._listeners = tuple(listeners)
        self._reuse_port = reuse_port
        self._premises = Premises(
            hostname=hostname,
            limits=limits,
            tls_context=tls_context,
            reception=reception,
            delegates=delegates,
            observe=observe,
            make_record=make_record,
            new_id=new_id,
            monotonic=monotonic,
            guesses=Guesses(monotonic),
        )
        self._entrances: list[_Entrance] = []

    @property
    def addresses(self) -> dict[str, list[tuple[str, int]]]:
        """The addresses that are listened on, host and port, by the listener's name."""
        found: dict[str, list[tuple[str, int]]] = {}
        for entrance in self._entrances:
            found.setdefault(entrance.listener.name, []).append(entrance.address)
        return found

    async def open(self) -> None:
        """
        Listen on every listener, or on none.

        Raises:
            ListenerProblem: An address cannot be had; the first is named.
        """
        loop = asyncio.get_running_loop()
        made = prototype(self._premises.hostname, loop)
        self._premises.empty.set()
        try:
            for listener in self._listeners:
                for bound in await _bind(listener, self._premises.limits.backlog, reuse_port=self._reuse_port):
                    self._entrances.append(_Entrance(self._premises, listener, bound, made))
        except OSError as error:
            self._stop_listening()
            where = f"{listener.host}:{listener.port}"
            raise ListenerProblem(f"listener {listener.name}: cannot listen on {where}: {error.strerror}") from error
        for entrance in self._entrances:
            entrance.open()

    def renew(self, *, limits: Limits | None = None, tls_context: ssl.SSLContext | None = None) -> None:
        """Use other limits or another certificate for connections to come; running sessions keep theirs."""
        self._premises.limits = limits or self._premises.limits
        self._premises.tls_context = tls_context or self._premises.tls_context

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 - the deadline is this method's promise
        """
        Close in order: no new client; idle sessions hear 421 4.3.2; open transactions finish and hear it then.

        Args:
            timeout: Seconds after which whoever is not inside the reception hears 421 4.3.2 too.

        Returns:
            Whether all is quiet. If not, some message is still inside the reception: :meth:`close` leaves it there.
        """
        self._premises.draining = True
        self._stop_listening()
        for visitor in tuple(self._premises.visitors):
            visitor.wind_down()
        if await self._is_empty_within(timeout):
            return True
        for visitor in tuple(self._premises.visitors):
            visitor.cut_short()
        return await self._is_empty_within(self._premises.limits.linger_seconds)

    async def close(self) -> None:
        """Close now. Messages inside the reception run on and are counted when they end."""
        self._premises.draining = True
        self._stop_listening()
        for visitor in tuple(self._premises.visitors):
            visitor.cut_short()
            visitor.cut()
        await asyncio.sleep(0)

    async def _is_empty_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._premises.empty.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _stop_listening(self) -> None:
        for entrance in self._entrances:
            entrance.close()
        self._entrances.clear()


class _Entrance:
    """One listening socket."""

    def __init__(self, premises: Premises, listener: Listener, bound: socket.socket, made: dict[str, Any]) -> None:
        self.listener = listener
        self.address: tuple[str, int] = bound.getsockname()[:2]
        self._premises = premises
        self._bound = bound
        self._made = made
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
        self._premises.observe(
            Noted("error", "listener.accept-failed", {"listener": self.listener.name, "why": str(error)})
        )
        if error.errno in _OUT_OF_SOCKETS:
            self._loop.remove_reader(self._bound.fileno())
            self._loop.call_later(_BREATH_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._bound.fileno() >= 0:
            self.open()

    def _admit(self, client: socket.socket, peer: str) -> None:
        """Let a client in, or turn it away before it costs anything."""
        client.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        prefix = prefix_of(client_address(peer))
        refusal = self._refusal(prefix)
        if refusal is not None:
            self._turn_away(client, refusal)
            return
        self._premises.crowd.enter(prefix)
        visitor = Dialogue(self._premises, self.listener, peer, self._made)
        self._premises.enter(visitor)
        self._premises.run(self._introduce(client, visitor))

    def _refusal(self, prefix: Prefix) -> Reply | None:
        limits, crowd = self._premises.limits, self._premises.crowd
        if crowd.total >= limits.connections:
            return replies.TOO_BUSY
        if limits.connections_per_client is not None and crowd.of(prefix) >= limits.connections_per_client:
            return replies.TOO_MANY_FROM_YOU
        return None

    def _turn_away(self, client: socket.socket, refusal: Reply) -> None:
        """Say why, if the client can read it: behind implicit TLS there is no handshake for those turned away."""
        with client:
            try:
                if self.listener.tls != "implicit":
                    client.send(replies.on_the_wire(refusal))
                client.shutdown(socket.SHUT_WR)
            except OSError:
                return
            finally:
                self._premises.observe(Replied(self.listener.name, "connect", refusal.code))

    async def _introduce(self, client: socket.socket, visitor: Dialogue) -> None:
        """Give the socket to the loop; on an implicit listener the TLS handshake comes first, with its deadline."""
        implicit = self.listener.tls == "implicit"
        context = self._premises.tls_context if implicit else None
        handshake = self._premises.limits.tls_handshake_seconds if implicit else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: visitor, client, ssl=context, ssl_handshake_timeout=handshake
            )
        except OSError:  # no handshake, or gone before it
            self._never_came_in(client, visitor)
        except Exception as error:  # noqa: BLE001 - whatever it is, the books must stay right
            self._never_came_in(client, visitor)
            self._premises.observe(Incident(self._premises.new_id(), "-", error))

    def _never_came_in(self, client: socket.socket, visitor: Dialogue) -> None:
        client.close()
        self._premises.leave(visitor, visitor.prefix)


async def _bind(listener: Listener, backlog: int, *, reuse_port: bool) -> list[socket.socket]:
    """
    Bind every address that the host's name stands for.

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
            bound.append(_bound_socket(family, address, backlog, reuse_port=reuse_port))
    except OSError:
        for each in bound:
            each.close()
        raise
    return bound


def _bound_socket(family: int, address: tuple[Any, ...], backlog: int, *, reuse_port: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(backlog)
        made.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    except OSError:
        made.close()
        raise
    return made
