"""
Clients that leave at every point of the dialogue, by FIN, by RST or by half, while something is under way for them or
just as it ends: nothing of them stays, and each message has its ending.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
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
State = Callable[[Stage, str], Awaitable[Client]]


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


STATES: list[State] = [
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


# How they leave


def resets(client: Client) -> None:
    """RST, whatever lies unread."""
    connection = client.writer.get_extra_info("socket")
    if connection is not None:  # uvloop: the door has hung up
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.vanish()


def ends(client: Client) -> None:
    """FIN, or the end of TLS; what comes is not read any more."""
    client.writer.close()


def half_ends(client: Client) -> None:
    """FIN, and wait for what comes."""
    with suppress(OSError, RuntimeError):  # the door has hung up; RuntimeError: so uvloop calls it
        client.shut()


#: By listener; TLS knows no half-closed connection.
DEPARTURES = {"demo": [resets, ends, half_ends], "implicit": [resets, ends]}


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


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("state", STATES, ids=[state.__name__ for state in STATES])
def test_whoever_leaves_leaves_nothing_behind(authority, state, loop):
    faults: list[Any] = []

    async def leaves(listener: str, departure: Callable[[Client], None], *, is_late: bool) -> None:
        async with slow_stage(authority) as on:
            client = await state(on, listener)
            if is_late:
                slow_of(on).released.set()
            await asyncio.sleep(0.01)
            departure(client)
            await asyncio.sleep(0.01)
            slow_of(on).released.set()
            if departure is half_ends:
                while await client.reply(0.1) not in ("CLOSED", "TIMEOUT"):
                    pass
            for each in on.clients:
                await each.close()
            await on.settled()
            is_nothing_left(on)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        for listener, departures in DEPARTURES.items():
            for departure in departures:
                for is_late in (False, True):
                    await leaves(listener, departure, is_late=is_late)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(body())
    assert faults == []


async def test_w29_a_drain_waits_for_what_is_under_way_for_whoever_has_left(authority):
    """A message that nobody waits for is counted all the same, before the process may end."""
    async with slow_stage(authority) as on:
        resets(await domain(on, "demo"))
        while on.door.crowd.total:  # noqa: ASYNC110 - the door tells nobody
            await asyncio.sleep(0.01)
        drained = asyncio.create_task(on.door.drain(10))
        assert not (await asyncio.wait([drained], timeout=0.1))[0]

        slow_of(on).released.set()
        assert await drained
        assert on.endings == [("aborted", "client-gone")]


@pytest.mark.parametrize("listener", ["demo", "implicit"])
async def test_a_message_that_is_cut_at_any_octet_is_no_message(authority, listener):
    """Neither handed on nor taken for one that ends there; all of it is one."""
    octets = MESSAGE + b"..\r\n.\r\n"
    async with stage(authority, DEMO, IMPLICIT) as on:

        async def is_cut(at: int) -> None:
            client = await data(on, listener)
            await client.send(octets[:at])
            client.writer.close()

        await asyncio.gather(*(is_cut(at) for at in range(len(octets) + 1)))
        await on.settled()
        assert on.reception.raws == [MESSAGE + b".\r\n"]
        assert sorted(on.endings) == [("aborted", "client-gone")] * len(octets) + [("accepted", "none")]
        is_nothing_left(on)


def client_hello(context: ssl.SSLContext) -> bytes:
    """The first octets of a handshake."""
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(coming, going, server_hostname="relay.test").do_handshake()
    return going.read()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("departure", [resets, ends])
def test_a_handshake_that_is_cut_leaves_nothing_behind(authority, departure, loop):
    """After any octet of what a client says first, and behind all of it."""
    hello = client_hello(authority.client)
    faults: list[Any] = []

    async def is_cut(on: Stage, listener: str, at: int) -> None:
        client = await Client.connect(*on.door.addresses[listener][0])
        if listener == "demo":
            await client.says("EHLO client.test")
            await client.reply()
            await client.says("STARTTLS")
        await client.send(hello[:at])
        departure(client)

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        async with stage(authority, DEMO, IMPLICIT) as on:
            places = [*range(0, len(hello), 13), len(hello)]
            await asyncio.gather(*(is_cut(on, listener, at) for listener in ("demo", "implicit") for at in places))
            await on.settled()
            is_nothing_left(on)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(body())
    assert faults == []


# Those who stay, and say nothing more, or an octet now and then


async def mute(on: Stage, listener: str) -> Client:
    return await Client.connect(*on.door.addresses[listener][0])


async def unsecured(on: Stage, listener: str) -> Client:
    """Behind 220 a handshake is next; on the other listener, the handshake is."""
    if listener == "implicit":
        return await mute(on, listener)
    return await handshake(on, listener)


async def challenged(on: Stage, listener: str) -> Client:
    client = await on.greeted(listener)
    assert (await client.says("AUTH LOGIN")).startswith("334")
    return client


async def challenged_again(on: Stage, listener: str) -> Client:
    client = await challenged(on, listener)
    assert (await client.says(b64(b"app1"))).startswith("334")
    return client


async def told_to_go(on: Stage, listener: str) -> Client:
    """Goes on talking behind its last reply."""
    client = await on.greeted(listener)
    assert (await client.says("GET / HTTP/1.1")).startswith("521")
    return client


LINGERING: list[State] = [
    *(greeted, half_a_command, unsecured, challenged, challenged_again, authenticated),
    *(envelope, data, content, told_to_go),
]
#: All of them short, and none of them the one that is another's.
TIMES = {
    "stranger_seconds": 0.2,
    "idle_seconds": 0.2,
    "command_seconds": 0.3,
    "data_seconds": 0.3,
    "tls_handshake_seconds": 0.3,
    "linger_seconds": 0.2,
    "reply_seconds": 0.2,
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("state", LINGERING, ids=[state.__name__ for state in LINGERING])
def test_whoever_lingers_is_sent_away(authority, state, loop):
    """At every point, in silence and by an octet now and then, which begins no time anew."""

    async def lingers(on: Stage, listener: str, trickle: bytes) -> None:
        client = await state(on, listener)
        on.clients.append(client)
        heard = asyncio.create_task(client.reader.read())
        with suppress(OSError, RuntimeError):
            while not heard.done():
                await client.send(trickle)
                await asyncio.wait([heard], timeout=0.02)
        with suppress(OSError):
            await heard

    async def body() -> None:
        async with slow_stage(authority, **TIMES) as on, asyncio.timeout(10):
            await asyncio.gather(
                *(lingers(on, listener, trickle) for listener in ("demo", "implicit") for trickle in (b"", b"x"))
            )
            await on.settled()
            is_nothing_left(on)
            assert {each.why for each in on.of(SessionClosed)} <= {"timeout", "tls", "errors", "gone"}

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(body())
