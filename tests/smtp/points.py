"""Points of the dialogue that a client may come to, at a door behind which all takes time; and the books afterwards."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from relay.observe.events import Incident, SessionClosed, SessionOpened
from relay.words.replies import Reply
from relay.words.unavailable import Unavailable
from tests.smtp.stage import (
    DEMO,
    IMPLICIT,
    KIBIBYTE,
    MESSAGE,
    Client,
    Delegates,
    NothingKnown,
    Stage,
    b64,
    plain,
    stage,
)
from tests.smtp.stage import in_transaction as in_data

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Point = Callable[[Stage, str], Awaitable[Client]]


class Slow:
    """Whoever is asked takes until ``released``; ``begun``: somebody was asked."""

    def __init__(self) -> None:
        self.begun, self.released = asyncio.Event(), asyncio.Event()

    async def wait(self) -> None:
        self.begun.set()
        await self.released.wait()


class SlowDelegates(Delegates):
    """Look long at what they are told, but for app1's password."""

    slow: Slow

    async def verify(self, name: str, *rest: Any) -> str | Unavailable | None:
        if name != "app1":
            await self.slow.wait()
        return await super().verify(name, *rest)

    async def by_token(self, *asked: Any) -> str | Unavailable | None:
        await self.slow.wait()
        return await super().by_token(*asked)


class SlowDomains(NothingKnown):
    """The DNS takes long, and then says yes."""

    def __init__(self, slow: Slow) -> None:
        self.slow = slow

    def knows(self, domain: str) -> bool:
        return domain == "rcpt.example"

    def known_refusal(self, domain: str) -> Reply | None:
        return None

    async def refusal(self, domain: str, patience: float) -> Reply | None:
        await self.slow.wait()
        await asyncio.sleep(0.01)  # each of several takes its time
        return None


# How far they come


async def greeted(on: Stage, listener: str) -> Client:
    return await on.greeted(listener)


async def half_a_command(on: Stage, listener: str) -> Client:
    client = await on.greeted(listener)
    await client.send(b"MAIL FR")
    return client


async def authenticated(on: Stage, listener: str) -> Client:
    return await on.authenticated(listener)


async def handshake(on: Stage, listener: str) -> Client:
    client = await on.greeted(listener)
    await client.says("STARTTLS")  # refused where there is TLS
    return client


async def login(on: Stage, listener: str) -> Client:
    client = await on.greeted(listener)
    assert (await client.says("AUTH LOGIN")).startswith("334")
    await client.send(b64(b"app2").encode())
    return client


async def password(on: Stage, listener: str) -> Client:
    client = await on.greeted(listener)
    await client.send(plain("app2", "s3cret-app2").encode() + b"\r\n")
    await slow_of(on).begun.wait()
    return client


async def wrong_password(on: Stage, listener: str) -> Client:
    """Its answer comes late."""
    client = await on.greeted(listener)
    await client.send(plain("app1", "guess").encode() + b"\r\n")
    return client


async def token(on: Stage, listener: str) -> Client:
    client = await on.greeted(listener)
    said = b64(b"user=app2\x01auth=Bearer abc\x01\x01")
    await client.send(f"AUTH XOAUTH2 {said}\r\n".encode())
    if listener == "implicit":
        await slow_of(on).begun.wait()
    return client


async def envelope(on: Stage, listener: str) -> Client:
    client = await on.authenticated(listener)
    await client.says("MAIL FROM:<app1@example.com>")
    await client.says("RCPT TO:<bob@rcpt.example>")
    return client


async def domain(on: Stage, listener: str) -> Client:
    client = await on.authenticated(listener)
    await client.send(b"MAIL FROM:<app1@example.com>\r\nRCPT TO:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n")
    await slow_of(on).begun.wait()
    return client


async def no_room(on: Stage, listener: str) -> Client:
    client = await on.authenticated(listener)
    await taken_room(on)
    await client.says(f"MAIL FROM:<app1@example.com> SIZE={60 * KIBIBYTE}")
    await client.says("RCPT TO:<bob@rcpt.example>")
    await client.send(b"DATA\r\n")
    return client


async def no_room_for_more(on: Stage, listener: str) -> Client:
    client = await on.authenticated(listener)
    await in_data(client)
    await taken_room(on)
    await client.send(MESSAGE + b"x" * 45 * KIBIBYTE + b"\r\n.\r\n")
    return client


async def data(on: Stage, listener: str) -> Client:
    client = await on.authenticated(listener)
    await in_data(client)
    return client


async def content(on: Stage, listener: str) -> Client:
    client = await data(on, listener)
    await client.send(MESSAGE + b"\r\n.")
    return client


async def reception(on: Stage, listener: str) -> Client:
    client = await data(on, listener)
    await client.send(MESSAGE + b".\r\nMAIL FROM:<app1@example.com>\r\nNOOP\r\n")
    await slow_of(on).begun.wait()
    return client


async def unread(on: Stage, listener: str) -> Client:
    client = await on.authenticated(listener)
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await client.send(b"MAIL FROM:<app1@example.com>\r\n" + b"HELP\r\n" * 4000)
    return client


async def dismissed(on: Stage, listener: str) -> Client:
    client = await on.authenticated(listener)
    await client.send(b"MAIL FROM:<app1@example.com>\r\nGET / HTTP/1.1\r\n" + b"x" * 3000)
    return client


async def quitting(on: Stage, listener: str) -> Client:
    client = await envelope(on, listener)
    await client.send(b"QUIT\r\n")
    return client


POINTS: list[Point] = [
    *(greeted, half_a_command, handshake, login, password, wrong_password, token, authenticated),
    *(envelope, domain, no_room, no_room_for_more, data, content, reception, unread, dismissed, quitting),
]


def slow_of(on: Stage) -> Slow:
    assert isinstance(on.delegates, SlowDelegates)
    return on.delegates.slow


async def taken_room(on: Stage) -> None:
    """Have a message of somebody else fill all room, until ``released``."""
    other = await on.authenticated("demo")
    await in_data(other)
    await other.send(MESSAGE + b"x" * 45 * KIBIBYTE + b"\r\n.\r\n")
    await slow_of(on).begun.wait()


@asynccontextmanager
async def slow_stage(authority: Any, **changed: float) -> AsyncIterator[Stage]:
    slow = Slow()
    bounds: dict[str, Any] = {"auth_delay_step_seconds": 0.05, "inflight_bytes": 0, "message_bytes": 64 * KIBIBYTE}
    bounds |= {"inflight_seconds": 20, "linger_seconds": 0.1, **changed}
    async with stage(authority, DEMO, IMPLICIT, recipient_domains=SlowDomains(slow), **bounds) as on:
        on.delegates = on.door._premises.delegates = SlowDelegates(tokens={"abc": "app2"})
        on.delegates.slow = slow
        on.reception.before = slow.wait
        yield on


def is_nothing_left(on: Stage) -> None:
    """Look into every book."""
    premises = on.door._premises
    assert (premises.crowd.total, dict(premises.crowd.prefixes), premises.ledger.used) == (0, {}, 0)
    assert premises.guesses._open == {}
    assert (
        len(on.of(SessionOpened)) == len(on.of(SessionClosed)) == len({each.session for each in on.of(SessionClosed)})
    )
    assert on.is_balanced()
    assert on.of(Incident) == []
    assert on.endings.count(("accepted", "none")) == len(on.reception.taken)
