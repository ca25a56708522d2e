"""A tiny real SES: speaks HTTP on loopback, remembers every request, and misbehaves as it is told."""

import asyncio
import socket
import struct
import uuid
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from urllib.parse import parse_qsl

NAMESPACE = 'xmlns="http://ses.amazonaws.com/doc/2010-12-01/"'


@dataclass
class Request:
    head: bytes
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def raw(self) -> bytes:
        return b64decode(self.fields["RawMessage.Data"])


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    first: bytes = b""

    async def head(self) -> tuple[bytes, dict[str, str]]:
        head = self.first + await self.reader.readuntil(b"\r\n\r\n")
        lines = head.decode().split("\r\n")[1:-2]
        return head, {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}

    async def request(self) -> Request:
        head, headers = await self.head()
        return Request(head, headers, await self.reader.readexactly(int(headers["content-length"])))

    async def reply(self, status: int, body: bytes, **headers: str) -> None:
        fields = {"Content-Type": "text/xml", "Content-Length": str(len(body)), **headers}
        lines = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in fields.items())
        self.writer.write(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST, as a crashed peer does."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Step = Callable[["Listener", Connection], Awaitable[None]]


def success(message_id: str | None = None) -> bytes:
    message_id = message_id or f"0100{uuid.uuid4().hex[:12]}-{uuid.uuid4()}-000000"
    return (
        f"<SendRawEmailResponse {NAMESPACE}>"
        f"<SendRawEmailResult><MessageId>{message_id}</MessageId></SendRawEmailResult>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></SendRawEmailResponse>"
    ).encode()


def error(code: str, message: str) -> bytes:
    return (
        f"<ErrorResponse {NAMESPACE}><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    ).encode()


async def accept(ses: "Listener", connection: Connection) -> None:
    ses.requests.append(await connection.request())
    await connection.reply(200, success())


async def hangs(ses: "Listener", connection: Connection) -> None:
    """Takes the message and says nothing."""
    ses.requests.append(await connection.request())
    ses.arrived.set()
    await ses.released.wait()


def answer(status: int, body: bytes, **headers: str) -> Step:
    async def step(ses: "Listener", connection: Connection) -> None:
        ses.requests.append(await connection.request())
        await connection.reply(status, body, **headers)

    return step


@dataclass
class Listener:
    """``script``: what the next requests meet, one step each; when it is empty, success. ``deaf``: hangs up at once."""

    script: list[Step] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    url: str = ""
    deaf: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        self.connections.append(connection)
        try:
            while not self.deaf and not writer.is_closing():
                connection.first = await reader.readexactly(1)
                step = self.script.pop(0) if self.script else accept
                await step(self, connection)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(tls: SSLContext | None = None) -> AsyncIterator[Listener]:
    ses = Listener()
    server = await asyncio.start_server(ses.serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    port = server.sockets[0].getsockname()[1]
    ses.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield ses
    finally:
        ses.released.set()
        server.close()
        for connection in ses.connections:
            if not connection.writer.is_closing():  # asyncio before 3.11.4 cannot abort TLS that has ended
                connection.writer.transport.abort()
        await asyncio.sleep(0)
