"""What is said at one end of a wire is heard at the other: all of it, in order, and at the latest when the end is."""

import asyncio
import marshal
import os
import pickle
import random
import socket
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from relay.words.endings import Reason
from relay.workers.wire import Message, Wire, packed


@dataclass
class End:
    """One end, and what was heard there."""

    wire: Wire | None = None
    heard: list[Message] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, batch: list[Message]) -> None:
        self.heard += batch
        self.more.set()

    async def until(self, number: int) -> list[Message]:
        async with asyncio.timeout(10):
            while len(self.heard) < number:
                self.more.clear()
                await self.more.wait()
        return self.heard


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Wire, End]]:
    """A wire to speak into, and the other end of it."""
    here, there = socket.socketpair()
    speaker = Wire(here, lambda _: None, lambda: None)
    end = End()
    end.wire = Wire(there, end.hear, end.gone.set)
    end.wire.open()
    yield speaker, end
    speaker.close()
    end.wire.close()


async def test_all_arrives_in_the_order_in_which_it_was_said(ends: tuple[Wire, End]) -> None:
    """Whether at once or mentioned, words that are more than words, and octets that are no text."""
    speaker, end = ends
    said: list[Message] = [("a", 1), ("b", None, "\udc80", b"\0\xff"), ("c", Reason.RATE), ("d", (1.5, [{"x": True}]))]
    for number, message in enumerate(said):
        if number % 2:
            speaker.mention(message)
        else:
            speaker.say(*message)

    assert await end.until(4) == said


async def test_more_than_the_kernel_holds_arrives_whole(ends: tuple[Wire, End]) -> None:
    """Large messages and many small ones, cut anywhere on the way."""
    speaker, end = ends
    octets = random.Random(1).randbytes(3_000_000)
    speaker.say("large", octets)
    speaker.flush()
    for number in range(1000):
        speaker.say("small", number, "x" * 500)
    speaker.flush()

    heard = await end.until(1001)

    assert heard[0] == ("large", octets)
    assert [number for _, number, _ in heard[1:]] == list(range(1000))


async def test_what_is_mentioned_is_said_soon(ends: tuple[Wire, End]) -> None:
    speaker, end = ends
    speaker.mention(("late",))

    assert end.heard == []
    assert await end.until(1) == [("late",)]


async def test_what_was_handed_to_the_kernel_outlives_the_speaker() -> None:
    """A worker that is killed in the next moment has told the end of its message: nobody counts it twice or not."""
    here, there = socket.socketpair()
    end = End()
    end.wire = Wire(there, end.hear, end.gone.set, rest=0.05)
    end.wire.open()
    pid = os.fork()
    if pid == 0:
        here.send(packed([("told", 1), ("told", 2)]))
        os._exit(1)
    here.close()
    await asyncio.wait_for(end.gone.wait(), 10)
    await asyncio.to_thread(os.waitpid, pid, 0)

    assert end.heard == [("told", 1), ("told", 2)]


async def test_the_end_of_one_is_told_to_the_other(ends: tuple[Wire, End]) -> None:
    speaker, end = ends
    speaker.say("last words")
    speaker.close()
    await asyncio.wait_for(end.gone.wait(), 10)
    speaker.say("too late")
    await asyncio.sleep(0)

    assert end.heard == [("last words",)]


def test_a_word_of_an_enumeration_travels_as_itself() -> None:
    assert pickle.loads(packed([("why", Reason.RATE)])[5:]) == [("why", Reason.RATE)]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(packed([("half",)])[:-1], id="cut"),
        pytest.param(packed([("half",)])[:3], id="cut in its head"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no head"),
        pytest.param(struct.pack("!IB", 4, 0) + b"\xff\xff\xff\xff", id="no marshal"),
        pytest.param(struct.pack("!IB", 4, 1) + b"\xff\xff\xff\xff", id="no pickle"),
        pytest.param(struct.pack("!IB", 5, 0) + marshal.dumps(7, 2), id="no messages"),
    ],
)
async def test_what_cannot_be_read_ends_the_wire(octets: bytes) -> None:
    """Once, and what was whole before it was heard."""
    here, there = socket.socketpair()
    end = End()
    end.wire = Wire(there, end.hear, end.gone.set)
    end.wire.open()
    here.sendall(packed([("whole", 1)]))
    await end.until(1)
    here.sendall(octets)
    here.shutdown(socket.SHUT_WR)
    await asyncio.wait_for(end.gone.wait(), 10)
    here.close()

    assert end.heard == [("whole", 1)]


async def test_who_says_much_at_both_ends_waits_for_nobody() -> None:
    """More than the kernel holds in both directions, before either has listened."""
    here, there = socket.socketpair()
    ends = End(), End()
    wires = [Wire(one, end.hear, end.gone.set) for one, end in zip((here, there), ends, strict=True)]
    for wire in wires:
        for number in range(200):
            wire.say(number, b"x" * 20_000)
        wire.flush()
    for wire in wires:
        wire.open()

    for end in ends:
        assert [number for number, _ in await end.until(200)] == list(range(200))
    for wire in wires:
        wire.close()


async def test_more_than_the_kernel_holds_is_heard_also_of_who_hangs_up() -> None:
    """As far as it has patience: the ends of all messages that a drain has cut short come at once."""
    here, there = socket.socketpair()
    speaker = Wire(here, lambda _: None, lambda: None)
    said = [("ended", number, "x" * 1000) for number in range(3000)]
    for message in said:
        speaker.mention(message)
    speaker.flush()
    heard = asyncio.create_task(asyncio.to_thread(_all_of, there))
    await asyncio.sleep(0.05)

    speaker.mention(("last words",))
    speaker.close(patience=5.0)

    assert await heard == packed(said) + packed([("last words",)])


def test_who_hangs_up_waits_no_longer_for_an_end_that_does_not_listen() -> None:
    here, there = socket.socketpair()

    async def speak() -> float:
        speaker = Wire(here, lambda _: None, lambda: None)
        speaker.say("much", b"x" * 3_000_000)
        began = asyncio.get_running_loop().time()
        speaker.close(patience=0.2)
        return asyncio.get_running_loop().time() - began

    assert 0.1 < asyncio.run(speak()) < 2.0
    there.close()


def _all_of(end: socket.socket) -> bytes:
    """Read slowly, to the end."""
    end.setblocking(True)
    found = bytearray()
    with end:
        while octets := end.recv(1 << 16):
            found += octets
            time.sleep(0.002)
    return bytes(found)
