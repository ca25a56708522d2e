"""Messages, and clients that hand them over as fast as they are taken."""

import asyncio
import os
import shutil
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FROM: Final = "billing@example.com"
TO: Final = "bob@example.net"
#: Seconds after which clients give up, whatever they bring.
PATIENCE: Final = 120
_HEADER: Final = (
    b"From: Billing <billing@example.com>\r\nTo: Bob <bob@example.net>\r\nSubject: Your invoice\r\n"
    b"Date: Sat, 21 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@client.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
)
_LINE: Final = b"All work and no play makes Jack a dull boy. All work and no play makes J.\r\n"
_SAID: Final = (
    (f"MAIL FROM:<{FROM}>\r\n".encode(), b"250"),
    (f"RCPT TO:<{TO}>\r\n".encode(), b"250"),
    (b"DATA\r\n", b"354"),
)


def message(octets: int) -> bytes:
    """A message of about so many octets."""
    return _HEADER + _LINE * max(1, (octets - len(_HEADER)) // len(_LINE))


def size_of(octets: int) -> str:
    return f"{octets // 1000} KB" if octets < 1_000_000 else f"{octets // 1_000_000} MB"


@dataclass(frozen=True)
class Load:
    """
    How mail comes: ``octets`` a message, ``clients`` at once, whether a session carries one message or all of a
    client's, who it says it is, and whether it is the bench's own client even where Postfix's could bring it.
    """

    octets: int
    clients: int = 20
    reuses: bool = False
    user: tuple[str, str] | None = None
    starttls: bool = False
    own: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether Postfix's smtp-source can bring it, which takes less of the machine than we do."""
        return self.user is None and not self.starttls and not self.own


def smtp_source(port: int, load: Load, times: int, folder: Path) -> None:
    """Hand *times* messages over by Postfix's load generator; each must be taken."""
    letter = folder / f"{load.octets}.eml"
    if not letter.exists():
        letter.write_bytes(message(load.octets).replace(b"\r\n", b"\n"))
    program = shutil.which("smtp-source", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise SystemExit("bench: smtp-source is not installed; tests/provide brings it with Postfix")
    often = ["-s", str(min(load.clients, times)), "-m", str(times), *(["-d"] if load.reuses else [])]
    who = ["-M", "bench.example", "-f", FROM, "-t", TO, "-F", str(letter)]
    done = subprocess.run([program, *often, *who, f"127.0.0.1:{port}"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: smtp-source: {done.stderr[-500:]}")


async def hand_over(port: int, load: Load, times: int) -> list[float]:
    """Hand *times* messages over; each must be taken. Return the seconds from the end of each to its reply, sorted."""
    left, waits = iter(range(times)), list[float]()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(_some(port, load, left, waits) for _ in range(min(load.clients, times))))
    return sorted(waits)


async def _some(port: int, load: Load, left: Iterator[int], waits: list[float]) -> None:
    """What one client does, while there are messages that no other client has taken."""
    data = message(load.octets) + b".\r\n"
    client: Client | None = None
    for _ in left:
        if client is None:
            client = await Client.of(port, load)
        for line, wanted in _SAID:
            await client.say(line, wanted)
        began = time.perf_counter()
        await client.say(data, b"250")
        waits.append(time.perf_counter() - began)
        if not load.reuses:
            await client.say(b"QUIT\r\n", b"221")
            await client.hangs_up()
            client = None
    if client is not None:
        await client.hangs_up()


class Client(asyncio.Protocol):
    """One SMTP session; what is not answered as it should be ends the measurement."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._heard = b""
        self._reply: asyncio.Future[None] | None = None
        self._lost = asyncio.Event()

    @classmethod
    async def of(cls, port: int, load: Load) -> "Client":
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(cls, "127.0.0.1", port)
        await client.hears(b"220")
        await client.say(b"EHLO bench\r\n", b"250")
        if load.starttls:
            await client.say(b"STARTTLS\r\n", b"220")
            client._transport = await loop.start_tls(client._transport, client, _TRUSTING)  # type: ignore[arg-type]  # noqa: SLF001 - we made it, and it is connected
            await client.say(b"EHLO bench\r\n", b"250")
        if load.user is not None:
            name, secret = load.user
            response = b64encode(f"\0{name}\0{secret}".encode())
            await client.say(b"AUTH PLAIN " + response + b"\r\n", b"235")
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream

    def data_received(self, data: bytes) -> None:
        self._heard += data
        last = self._heard.rfind(b"\n", 0, -1) + 1
        if self._heard.endswith(b"\n") and self._heard[last + 3 : last + 4] != b"-":
            self._wake()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._lost.set()
        self._wake()

    def _wake(self) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(None)

    async def say(self, line: bytes, wanted: bytes) -> None:
        assert self._transport is not None
        self._transport.write(line)
        await self.hears(wanted)

    async def hears(self, wanted: bytes) -> None:
        if not self._heard and not self._lost.is_set():
            self._reply = asyncio.get_running_loop().create_future()
            await self._reply
        heard, self._heard = self._heard, b""
        assert heard.startswith(wanted), heard or "hung up"

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    async def hangs_up(self) -> None:
        """Close, and wait until that is done."""
        self.close()
        await self._lost.wait()


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


_TRUSTING: Final = _trusting()
