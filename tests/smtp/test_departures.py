"""
Clients that leave at every point of the dialogue, by FIN, by RST or by half, while something is under way for them or
just as it ends: nothing of them stays, and each message has its ending.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.smtp.points import LOOPS, POINTS, data, domain, is_nothing_left, slow_of, slow_stage
from tests.smtp.stage import DEMO, IMPLICIT, MESSAGE, Client, Stage, stage


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


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("point", POINTS, ids=[point.__name__ for point in POINTS])
def test_whoever_leaves_leaves_nothing_behind(authority, point, loop):
    faults: list[Any] = []

    async def leaves(listener: str, departure: Callable[[Client], None], *, is_late: bool) -> None:
        async with slow_stage(authority) as on:
            client = await point(on, listener)
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
