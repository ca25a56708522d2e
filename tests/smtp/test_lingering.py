"""Clients that stay at some point of the dialogue and say nothing more, or an octet now and then: each is sent away."""

import asyncio
from contextlib import suppress

import pytest

from relay.observe.events import SessionClosed
from tests.smtp.points import (
    LOOPS,
    Point,
    authenticated,
    content,
    data,
    envelope,
    greeted,
    half_a_command,
    handshake,
    is_nothing_left,
    slow_stage,
)
from tests.smtp.stage import Client, Stage, b64


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


STAYING: list[Point] = [
    *(greeted, half_a_command, unsecured, challenged, challenged_again, authenticated),
    *(envelope, data, content, told_to_go),
]
#: All of them short.
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
@pytest.mark.parametrize("point", STAYING, ids=[point.__name__ for point in STAYING])
def test_whoever_lingers_is_sent_away(authority, point, loop):
    """At every point, in silence and by an octet now and then, which begins no time anew."""

    async def lingers(on: Stage, listener: str, trickle: bytes) -> None:
        client = await point(on, listener)
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
