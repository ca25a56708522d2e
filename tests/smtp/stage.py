"""A street door with small stand-ins behind it, and a client that says exactly what it is told, octet for octet."""

from __future__ import annotations

import asyncio
import base64
import itertools
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from relay.observe.events import Event, MessageEnded, MessageReceived, Replied
from relay.smtp.door import StreetDoor
from relay.smtp.limits import Limits
from relay.smtp.listeners import Listener
from relay.smtp.ports import ClientAddress, RecipientDomains
from relay.words.addresses import NullPath
from relay.words.certificates import CertificateName
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session
from relay.words.unavailable import Unavailable

MESSAGE = b"From: App One <app1@example.com>\r\nTo: bob@rcpt.example\r\nSubject: s\r\n\r\nhello\r\n"
KIBIBYTE = 1024
ALLOWED = ("app1@example.com", "bounce@example.com")

#: Nothing waits in tests unless a test is about waiting.
QUICK = Limits(
    connections_per_client=None,
    auth_failures_per_minute=None,
    auth_failures_per_day=None,
    auth_delay_step_seconds=0,
    over_recipients="452",
    linger_seconds=0.5,
)

STARTTLS = Listener("starttls", "127.0.0.1", 0, "starttls")
IMPLICIT = Listener("implicit", "127.0.0.1", 0, "implicit")
PLAIN = Listener("plain", "127.0.0.1", 0, "off", allow_plaintext_auth=True)
TRUSTED = Listener("trusted", "127.0.0.1", 0, "off", require_auth=False)
DEMO = Listener("demo", "127.0.0.1", 0, "starttls", allow_plaintext_auth=True)


@dataclass
class Reception:
    """Takes what has a From field and comes from an allowed reverse-path, and remembers it."""

    taken: list[tuple[Session, Envelope, bytes]] = field(default_factory=list)
    before: Callable[[], Any] | None = None
    early: Callable[[Session, Envelope], Ending | None] | None = None
    mends: bool = False
    full: Callable[[int], Ending | None] | None = None

    def early_answer(self, session: Session, envelope: Envelope) -> Ending | None:
        if self.early is not None:
            return self.early(session, envelope)
        reverse_path = envelope.reverse_path
        if reverse_path is NullPath.NULL or str(reverse_path) not in ALLOWED:
            return Ending(Outcome.REJECTED, Reason.POLICY_NOT_ALLOWED, Reply(550, (5, 7, 1), "Access denied"))
        return None

    def room(self, octets: int) -> Ending | None:
        return None if self.full is None else self.full(octets)

    def mends_line_feeds(self, session: Session) -> bool:
        return self.mends

    async def receive(self, session: Session, envelope: Envelope, raw: bytes, *, is_checked: bool = False) -> Ending:
        if self.before is not None:
            await self.before()
        if b"from:" not in raw.partition(b"\r\n\r\n")[0].lower():
            return Ending(Outcome.REJECTED, Reason.MESSAGE_FORM, Reply(550, (5, 6, 0), "No From field"))
        self.taken.append((session, envelope, raw))
        return Ending(Outcome.ACCEPTED, Reason.NONE, Reply(250, (2, 0, 0), f"Ok {envelope.id}"))

    @property
    def raws(self) -> list[bytes]:
        return [raw for _, _, raw in self.taken]


@dataclass
class Delegates:
    """Two delegates with the passwords of the attack cases."""

    secrets: Mapping[str, str] = field(default_factory=lambda: {"app1": "s3cret-app1", "app2": "s3cret-app2"})
    away: bool = False
    network: str | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def knows(self, name: str, password: str, client: ClientAddress) -> bool:
        return name in self.known and self.secrets.get(name) == password

    async def verify(self, name: str, password: str, client: ClientAddress) -> str | Unavailable | None:
        self.asked.append(name)
        if self.away:
            return Unavailable("the store is away")
        return name if self.secrets.get(name) == password else None

    @property
    def takes_tokens(self) -> bool:
        return bool(self.tokens)

    async def by_token(self, token: str, client: ClientAddress) -> str | Unavailable | None:
        self.asked.append("token")
        return Unavailable("the issuer is away") if self.away else self.tokens.get(token)

    def by_certificate(self, names: frozenset[CertificateName], client: ClientAddress) -> frozenset[str]:
        return frozenset(delegate for delegate, name in self.certificates.items() if name in map(str, names))

    def by_network(self, client: ClientAddress) -> str | None:
        return self.network


class NothingKnown:
    """Recipients' domains of which nothing is known: each has to be asked for."""

    def knows(self, domain: str) -> bool:
        return False

    def known_refusal(self, domain: str) -> Reply | None:
        raise AssertionError(f"{domain} is not known")


@dataclass
class Stage:
    """An open door and all that happened behind it."""

    door: StreetDoor
    reception: Reception
    delegates: Delegates
    events: list[Event]
    tls: ssl.SSLContext
    clients: list[Client] = field(default_factory=list)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def endings(self) -> list[tuple[str, str]]:
        return [(str(event.outcome), str(event.reason)) for event in self.of(MessageEnded)]

    @property
    def replies(self) -> Counter[tuple[str, int]]:
        self.door._premises.said.tell()
        counted: Counter[tuple[str, int]] = Counter()
        for event in self.of(Replied):
            counted[event.command, event.code] += event.times
        return counted

    def is_balanced(self) -> bool:
        """Whether every message received has ended, once."""
        return len(self.of(MessageReceived)) == len(self.of(MessageEnded))

    async def settled(self) -> None:
        """Wait until no connection is left, and nothing is under way."""
        await asyncio.wait_for(self.door._premises.emptied(), 10)

    async def client(self, listener: str = "starttls") -> Client:
        host, port = self.door.addresses[listener][0]
        client = await Client.connect(host, port, None if listener != "implicit" else self.tls)
        self.clients.append(client)
        return client

    async def greeted(self, listener: str = "starttls") -> Client:
        client = await self.client(listener)
        assert (await client.reply()).startswith("220")
        assert (await client.says("EHLO client.test")).startswith("250")
        return client

    async def over_tls(self) -> Client:
        client = await self.greeted()
        assert (await client.says("STARTTLS")).startswith("220")
        await client.start_tls(self.tls)
        return client

    async def authenticated(self, listener: str = "starttls", name: str = "app1") -> Client:
        if listener == "starttls":
            client = await self.over_tls()
            assert (await client.says("EHLO client.test")).startswith("250")
        else:
            client = await self.greeted(listener)
        token = base64.b64encode(f"\0{name}\0s3cret-{name}".encode()).decode()
        assert (await client.says(f"AUTH PLAIN {token}")).startswith("235")
        return client


def make_record(**facts: Any) -> dict[str, Any]:
    """A record as plain as can be."""
    return {"id": facts["message_id"], "reply": str(facts["ending"].reply), "size": facts["size"]}


@asynccontextmanager
async def stage(
    authority: Any,
    *listeners: Listener,
    limits: Limits = QUICK,
    record: Callable[..., dict[str, Any]] = make_record,
    monotonic: Callable[[], float] = time.monotonic,
    recipient_domains: RecipientDomains | None = None,
    **changed: Any,
) -> AsyncIterator[Stage]:
    """Open a door on loopback; close it at the end."""
    events: list[Event] = []
    reception, delegates = Reception(), Delegates()
    numbers = itertools.count(1)
    door = StreetDoor(
        listeners or (STARTTLS, IMPLICIT, PLAIN),
        limits=replace(limits, **changed),
        hostname="relay.test",
        tls_context=authority.server,
        reception=reception,
        delegates=delegates,
        observe=events.append,
        make_record=record,
        new_id=lambda: f"id{next(numbers)}",
        recipient_domains=recipient_domains,
        monotonic=monotonic,
    )
    await door.open()
    opened = Stage(door, reception, delegates, events, authority.client)
    try:
        yield opened
    finally:
        for client in opened.clients:
            await client.close()
        await door.close()
        await opened.settled()


class Client:
    """Says octets, reads replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, host: str, port: int, tls: ssl.SSLContext | None = None) -> Client:
        reader, writer = await asyncio.open_connection(
            host, port, ssl=tls, server_hostname="relay.test" if tls else None
        )
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(reader, writer)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context, server_hostname="relay.test", ssl_handshake_timeout=5)

    async def send(self, octets: bytes) -> None:
        if self.writer.is_closing():
            raise ConnectionResetError("hung up")
        self.writer.write(octets)
        await self.writer.drain()

    async def trickle(self, octets: bytes, sizes: Callable[[], int]) -> None:
        """Send in segments of the given sizes, each read by the server before the next."""
        while octets:
            size = sizes()
            piece, octets = octets[:size], octets[size:]
            if self.writer.is_closing():
                raise ConnectionResetError("hung up")
            self.writer.write(piece)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def reply(self, seconds: float = 5) -> str:
        """Return the next reply, its lines joined by `` | ``; ``CLOSED`` or ``TIMEOUT`` if there is none."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    line = await self.reader.readline()
                    if not line:
                        return "CLOSED" if not lines else " | ".join(lines)
                    lines.append(line.decode("latin-1").rstrip("\r\n"))
                    if line[3:4] != b"-":
                        return " | ".join(lines)
        except TimeoutError:
            return "TIMEOUT"
        except OSError:
            return "CLOSED"

    async def says(self, command: str | bytes) -> str:
        """Send one command line and return its reply."""
        await self.send((command.encode("ascii") if isinstance(command, str) else command) + b"\r\n")
        return await self.reply()

    async def hands_in(
        self, raw: bytes = MESSAGE, sender: str = "app1@example.com", to: str = "bob@rcpt.example"
    ) -> str:
        """Hand in one message; return the reply to its end, or the first refusal."""
        for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
            answer = await self.says(command)
            if answer[0] not in "23":
                return answer
        stuffed = (b"." if raw.startswith(b".") else b"") + raw.replace(b"\r\n.", b"\r\n..")
        await self.send(stuffed + b".\r\n")
        return await self.reply()

    async def is_closed(self, seconds: float = 5) -> bool:
        """Whether the server hangs up without another word."""
        return await self.reply(seconds) == "CLOSED"

    def shut(self) -> None:
        """Send a FIN and go on reading."""
        self.writer.write_eof()

    async def close(self) -> None:
        """Hang up, whatever state the connection is in."""
        self.vanish()
        with suppress(OSError):
            await self.writer.wait_closed()

    def vanish(self) -> None:
        """Hang up at once."""
        self.writer.transport.abort()


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def plain(name: str, password: str, authzid: str = "") -> str:
    return "AUTH PLAIN " + base64.b64encode(f"{authzid}\0{name}\0{password}".encode()).decode()


async def in_transaction(client: Client) -> None:
    """Bring a client to the point where octets of a message are next."""
    assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("250")
    assert (await client.says("RCPT TO:<bob@rcpt.example>")).startswith("250")
    assert (await client.says("DATA")).startswith("354")
