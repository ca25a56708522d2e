"""
HTTP to AWS: one POST, one answer, and when there is none, whether the request may have arrived.

No more of HTTP than that takes: no redirects, cookies, compression or proxies, and no request goes out twice. The one
thing repeated is the choice of a connection, when the one offered was found closed and nothing was written on it.
"""

import asyncio
import ssl
from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from relay.sending.connection import Connection
from relay.sending.dialling import Dialler, Place
from relay.sending.http_answers import Answer
from relay.sending.signing import Target
from relay.words.values import dataclass

#: A connection idle for longer is not used again: load balancers forget theirs after 60 s, without a word.
IDLE_SECONDS: Final = 25.0
#: Connections tried when those offered turn out closed. Nothing was written on any but the last.
CONNECTIONS_TRIED: Final = 3

_LONGEST_WHY: Final = 200
_SUCCESS: Final = 2
_ORDINARY_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing came back. ``maybe_arrived``: the last octet of the request may have left."""

    maybe_arrived: bool
    why: str


class _Origin(NamedTuple):
    """Whom a connection is to; those to one serve all its paths."""

    place: Place
    is_tls: bool


class Wire:
    """
    Kept-alive connections to any number of hosts. As many as there are calls at a time: callers take turns.

    Args:
        connect_timeout: Seconds for name, connection and TLS handshake together.
        read_timeout: Seconds without progress while the body leaves, and then for the whole answer.
        user_agent: For the HTTP header.
        tls: Whom to trust; None for the system's authorities.

    Raises:
        ValueError: A header would end before its end.

    """

    def __init__(
        self, *, connect_timeout: float, read_timeout: float, user_agent: str, tls: ssl.SSLContext | None = None
    ) -> None:
        self._connect_timeout = connect_timeout
        self._connection = partial(Connection, read_timeout)
        if not user_agent.isprintable():
            raise ValueError("a header of several lines")
        self._user_agent = user_agent
        self._tls = tls
        self._dialler = Dialler()
        self._is_started = self._is_closed = False
        self._idle: dict[_Origin, list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def start(self, *, is_tls: bool = True) -> None:
        """
        Open for business; connections are made when needed.

        *is_tls*: Read now who is trusted, which takes a while; if not, when it is needed after all.
        """
        if is_tls:
            self._trust()
        self._is_started, self._is_closed = True, False

    def _trust(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    async def close(self) -> None:
        """Close every connection. Calls that still run get no answer, and those to come make no connection."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in (*self._busy, *(each for idle in self._idle.values() for each in idle)):
            connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # for the loop to let go of them

    async def post(
        self, target: Target, fields: str, pieces: Iterable[bytes], size: int | None = None
    ) -> Answer | NoAnswer:
        """
        Send one request, at most once.

        Args:
            target, fields: Where to, signed; see :meth:`relay.sending.signing.Seal.fields`.
            pieces: The body, one piece or more; walked over once a connection.
            size: Its octets, where they are known already.

        """
        if not self._is_started:
            raise RuntimeError("the wire was not started")
        octets = sum(map(len, pieces)) if size is None else size
        fields += f"user-agent: {self._user_agent}\r\ncontent-length: {octets}\r\n"
        head = f"POST {target.path} HTTP/1.1\r\n{fields}\r\n".encode("ascii")
        origin = _origin_of(target.url)
        connection = self._kept(origin) or await self._made(origin)
        if isinstance(connection, NoAnswer):
            return connection
        self._busy.add(connection)
        try:
            answer = await connection.carry(head, pieces)
        except OSError as error:
            return NoAnswer(connection.complete, _describe(error))
        finally:
            self._busy.discard(connection)
        if not connection.complete and answer.status // 100 == _SUCCESS:
            return NoAnswer(maybe_arrived=True, why="a success before the end of the request: another one's, perhaps")
        self._keep(connection, origin)
        return answer

    def _kept(self, origin: _Origin) -> Connection | None:
        """Return the connection that was used last, if a request may be written: the others may then grow old."""
        idle = self._idle.get(origin)
        while idle and not idle[-1].is_old(IDLE_SECONDS):
            connection = idle.pop()
            if connection.is_open:
                return connection
            connection.close()
        return None

    async def _made(self, origin: _Origin) -> Connection | NoAnswer:
        """Return a new connection that a request may be written on, or why there is none."""
        for _ in range(CONNECTIONS_TRIED):
            if self._is_closed:
                break
            try:
                connection = await self._new(origin)
            except TimeoutError:
                return NoAnswer(maybe_arrived=False, why=f"no connection in {self._connect_timeout:g} s")
            except OSError as error:
                return NoAnswer(maybe_arrived=False, why=_describe(error))
            if connection.is_open:
                return connection
            connection.close()
        tried = f"{CONNECTIONS_TRIED} connections were closed before the first octet"
        return NoAnswer(maybe_arrived=False, why="closed here" if self._is_closed else tried)

    async def _new(self, origin: _Origin) -> Connection:
        """Connect. Raises OSError: nobody answered in time, or not as they must."""
        loop, host = asyncio.get_running_loop(), origin.place[0].rstrip(".") if origin.is_tls else None
        async with asyncio.timeout(self._connect_timeout):
            opened = await self._dialler.dial(origin.place)
            tls = self._trust() if origin.is_tls else None
            _, connection = await loop.create_connection(self._connection, sock=opened, ssl=tls, server_hostname=host)
        if self._is_closed:  # meanwhile
            connection.close()
        return connection

    def _keep(self, connection: Connection, origin: _Origin) -> None:
        if not connection.is_closing and not self._is_closed:
            self._idle.setdefault(origin, []).append(connection)
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._drop_the_old)

    def _drop_the_old(self) -> None:
        """Close what was not used for long, and look again as long as there is anything."""
        self._sweep = None
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.is_old(IDLE_SECONDS):
                    connection.close()
            self._idle[origin] = [each for each in idle if not each.is_closing]
            if not self._idle[origin]:
                del self._idle[origin]
        if self._idle:
            self._sweep = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._drop_the_old)


@lru_cache(maxsize=256)
def _origin_of(url: str) -> _Origin:
    parts = urlsplit(url)
    return _Origin((parts.hostname or "", parts.port or _ORDINARY_PORTS[parts.scheme]), parts.scheme == "https")


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:_LONGEST_WHY]
