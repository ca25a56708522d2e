"""
HTTP to AWS: one POST, one answer, and when there is none, whether the request may have arrived.

aiohttp by itself repeats idempotent requests only, so never a POST. Redirects are not followed, cookies not kept, the
proxy settings of the environment not used. The one thing repeated here is the choice of a connection, when the one
offered was found closed and nothing was written on it.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from relay.sending.documents import LONGEST_DOCUMENT
from relay.sending.uploads import Upload

#: A connection idle for longer is not used again: load balancers forget theirs after 60 s, without a word.
IDLE_SECONDS: Final = 25.0
#: Connections tried when those offered turn out closed. Nothing was written on any but the last.
CONNECTIONS_TRIED: Final = 3

_LONGEST_WHY: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What came back. ``body`` is empty when it did not come whole, or was longer than any answer of AWS; ``error`` is the
    kind of error that a header names, where AWS answers in JSON.
    """

    status: int
    body: bytes
    date: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing came back. ``maybe_arrived``: the last octet of the request may have left."""

    maybe_arrived: bool
    why: str


class Wire:
    """
    Kept-alive connections to any number of hosts.

    Args:
        connect_timeout: Seconds for name, connection and TLS handshake together.
        read_timeout: Seconds without progress while the body leaves, and then for the whole answer.
        user_agent: For the HTTP header.
        tls: Whom to trust; None for the system's authorities.

    """

    def __init__(
        self, *, connect_timeout: float, read_timeout: float, user_agent: str, tls: ssl.SSLContext | None = None
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._user_agent = user_agent
        self._tls = tls
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open for business; connections are made when needed."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # callers take turns
                keepalive_timeout=IDLE_SECONDS,
                ttl_dns_cache=30,
                ssl=self._tls or ssl.create_default_context(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout),
            headers={"User-Agent": self._user_agent},
            skip_auto_headers=("Accept", "Accept-Encoding"),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection. Calls that still run get no answer."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def post(
        self, url: str, headers: Mapping[str, str], pieces: Iterable[bytes], size: int | None = None
    ) -> Answer | NoAnswer:
        """
        Send one request, at most once.

        Args:
            url, headers: Where to, signed.
            pieces: The body; walked over once a connection.
            size: Its octets, where they are known already.

        """
        octets = sum(map(len, pieces)) if size is None else size
        for _ in range(CONNECTIONS_TRIED):
            deadline = asyncio.timeout(self._connect_timeout + self._read_timeout)
            upload = Upload(pieces, octets, self._progress_of(deadline))
            try:
                async with deadline:
                    return await self._exchange(url, headers, upload)
            except (aiohttp.ClientError, OSError) as error:
                no_answer = NoAnswer(upload.complete, _describe(error))
            if not upload.found_closed:
                break
        return no_answer

    def _progress_of(self, deadline: asyncio.Timeout) -> Callable[[], None]:
        """Return what starts *deadline* again: a large body may take its time, a peer that vanished may not."""
        now = asyncio.get_running_loop().time

        def progress() -> None:
            if not deadline.expired():
                deadline.reschedule(now() + self._read_timeout)

        return progress

    async def _exchange(self, url: str, headers: Mapping[str, str], upload: Upload) -> Answer:
        if self._http is None:
            raise RuntimeError("the wire was not started")
        async with self._http.post(url, headers=headers, data=upload, allow_redirects=False) as response:
            body, said = await _read_bounded(response), response.headers
            return Answer(response.status, body, said.get("Date", ""), said.get("x-amzn-ErrorType", ""))


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """Read the body; empty when it is cut short or too long: the status alone then says what can be said."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > LONGEST_DOCUMENT:
                return b""
    except aiohttp.ClientError:
        return b""
    return bytes(body)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:_LONGEST_WHY]
