"""Messages, and clients that hand them over as fast as they are taken."""

import asyncio
import ssl
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

_HEADER: Final = (
    b"From: Billing <billing@example.com>\r\nTo: Bob <bob@example.net>\r\nSubject: Your invoice\r\n"
    b"Date: Sat, 21 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@client.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
)
_LINE: Final = b"All work and no play makes Jack a dull boy. All work and no play makes J.\r\n"


def message(octets: int) -> bytes:
    """A message of about so many octets."""
    return _HEADER + _LINE * max(1, (octets - len(_HEADER)) // len(_LINE))


@dataclass(frozen=True)
class Load:
    """
    How mail comes: ``octets`` a message, ``clients`` at once, whether a session carries one message or all of a
    client's, and who it says it is.
    """

    octets: int
    clients: int = 20
    reuses: bool = False
    user: tuple[str, str] | None = None
    starttls: bool = False


async def hand_over(port: int, load: Load, times: int) -> None:
    """Hand *times* messages over; each must be taken."""
    left = iter(range(times))
    await asyncio.gather(*(_some(port, load, left) for _ in range(min(load.clients, times))))


async def _some(port: int, load: Load, left: "object") -> None:
    data = message(load.octets) + b".\r\n"
    client: Client | None = None
    for _ in left:  # type: ignore[attr-defined] # an iterator that all clients share
        if client is None:
            client = await Client.of(port, load)
        await client.say(b"MAIL FROM:<billing@example.com>\r\n", b"250")
        await client.say(b"RCPT TO:<bob@example.net>\r\n", b"250")
        await client.say(b"DATA\r\n", b"354")
        await client.say(data, b"250")
        if not load.reuses:
            await client.say(b"QUIT\r\n", b"221")
            client.writer.close()
            client = None
    if client is not None:
        client.writer.close()


class Client:
    """One SMTP session; what is not answered as it should be ends the measurement."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def of(cls, port: int, load: Load) -> "Client":
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        await client.hears(b"220")
        await client.say(b"EHLO bench\r\n", b"250")
        if load.starttls:
            await client.say(b"STARTTLS\r\n", b"220")
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await client.writer.start_tls(context)
            await client.say(b"EHLO bench\r\n", b"250")
        if load.user is not None:
            name, secret = load.user
            response = b64encode(f"\0{name}\0{secret}".encode())
            await client.say(b"AUTH PLAIN " + response + b"\r\n", b"235")
        return client

    async def say(self, line: bytes, wanted: bytes) -> None:
        self.writer.write(line)
        await self.hears(wanted)

    async def hears(self, wanted: bytes) -> None:
        while (line := await self.reader.readline())[3:4] == b"-":
            pass
        assert line.startswith(wanted), line
