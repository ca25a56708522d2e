"""Doors of several relays, whose clients have one budget."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from relay.background import call_off
from relay.observe.events import Event, Noted
from relay.shared.budgets import SharedBudgets
from relay.shared.engine import Engine
from relay.shared.prefixes import travels
from relay.smtp.budgets import Crowd, Guesses, client_address, prefix_of
from relay.smtp.gossip import Gossip, Guess
from relay.smtp.regulars import Regulars
from tests.shared.relays import Make
from tests.shared.servers import RedisServer
from tests.shared.waiting import until

CLIENT = prefix_of(client_address("192.0.2.1"))
STREAM = "{ses-relay:budgets}:guesses"


class Door:
    """The books of one street door, and the budgets that its relay shares."""

    def __init__(self, engine: Engine) -> None:
        self.gossip = Gossip()
        self.guesses = Guesses(time.monotonic, self.gossip)
        self.regulars = Regulars(time.monotonic, gossip=self.gossip)
        self.crowd = Crowd()
        self.engine = engine
        self.events: list[Event] = []
        self.budgets = SharedBudgets(engine, self, self.events.append)
        self._running: asyncio.Task[None] | None = None

    def heard(self, guess: Guess, ago: float = 0.0) -> None:
        self.guesses.heard(guess, ago)
        self.regulars.heard(guess, ago)

    async def open(self) -> "Door":
        await self.budgets.begin()
        self._running = asyncio.create_task(self.budgets.run())
        return self

    async def close(self) -> None:
        await call_off(self._running)

    @property
    def count(self) -> int:
        """How many wrong passwords of the day it counts for the client."""
        return next(n for n in range(2000) if not self.guesses.exhausted(CLIENT, per_minute=None, per_day=n + 1))

    def faults(self) -> list[Event]:
        return [event for event in self.events if isinstance(event, Noted) and event.level == "error"]


Open = Callable[..., Awaitable[Door]]


@pytest.fixture
async def open_door(redis_server: RedisServer, engine_at: Make) -> AsyncIterator[Open]:
    doors: list[Door] = []

    async def open_one(url: str = redis_server.url) -> Door:
        door = Door(await engine_at(url))
        doors.append(door)
        return await door.open()

    yield open_one
    for door in doors:
        await door.close()
    assert not [fault for door in doors for fault in door.faults()]


async def test_guesses_spread_over_three_relays_are_counted_once(open_door: Open):
    doors = [await open_door() for _ in range(3)]
    for number in range(10):
        for door in doors:
            door.guesses.failed(CLIENT, f"app{number}")
    await until(lambda: all(door.count >= 30 for door in doors))
    await asyncio.sleep(0.2)

    assert [door.count for door in doors] == [30, 30, 30]


async def test_a_right_password_at_one_relay_gives_back_its_failures_at_all(open_door: Open):
    doors = [await open_door() for _ in range(3)]
    for door in doors:
        door.guesses.failed(CLIENT, "mine")
    doors[0].guesses.failed(CLIENT, "theirs")
    await until(lambda: all(door.count == 4 for door in doors))
    doors[1].guesses.succeeded(CLIENT, "mine")
    await until(lambda: all(door.count == 1 for door in doors))


async def test_a_relay_that_starts_knows_what_was_guessed_in_the_last_day(open_door: Open):
    first = await open_door()
    for _ in range(250):
        first.guesses.failed(CLIENT, "app")
    await until(lambda: not first.budgets.has_news)
    second = await open_door()

    assert second.count == 250
    assert second.guesses.exhausted(CLIENT, per_minute=250, per_day=None)


async def test_what_was_guessed_long_ago_is_as_old_as_it_is(open_door: Open, redis_server: RedisServer):
    """The name of an entry is the server's time."""
    for ago, number in ((90_000, 1), (4000, 2), (30, 3)):
        at = int((time.time() - ago) * 1000)
        told = json.dumps(["other", number, [[*CLIENT, 7, "wrong", 0.0]]])
        assert redis_server.ask("XADD", STREAM, f"{at}-0", "g", told)
    door = await open_door()

    assert door.count == 2
    assert door.guesses.exhausted(CLIENT, per_minute=1, per_day=None)
    assert not door.guesses.exhausted(CLIENT, per_minute=2, per_day=None)


async def test_without_redis_each_counts_for_itself_and_tells_when_it_is_back(
    open_door: Open, own_server: Callable[..., RedisServer]
):
    server = own_server()
    doors = [await open_door(server.url) for _ in range(2)]
    doors[0].guesses.failed(CLIENT, "app")
    await until(lambda: doors[1].count == 1)
    server.pause()
    for door in doors:
        for _ in range(3):
            door.guesses.failed(CLIENT, "app")
    await until(lambda: not any(door.engine.state.is_up for door in doors))
    assert [door.count for door in doors] == [4, 4]
    server.resume()
    await until(lambda: all(door.count == 7 for door in doors))
    await asyncio.sleep(0.2)

    assert [door.count for door in doors] == [7, 7]


async def test_no_name_is_told(open_door: Open, redis_server: RedisServer):
    """What leaves is a mark under a key: a name may be a password, typed in the wrong place."""
    first, second = await open_door(), await open_door()
    first.guesses.failed(CLIENT, "hunter2")
    await until(lambda: second.count == 1)
    answer = await first.engine.command("XRANGE", STREAM, "-", "+")

    assert b"hunter2" not in repr(answer).encode()
    assert str(first.gossip.mark("hunter2")) in repr(answer)
    assert first.gossip.key == second.gossip.key


@pytest.mark.parametrize(
    "word",
    [
        "\x00\xff",
        "[]",
        '["other", 1, [[4, 1, 2, "wrong", NaN]]]',
        '["other", "x", [[4, 3221225985, 2, "wrong", 0]]]',
        '["other", 1, [[4, 3221225985, 99999999999, "wrong", 0]]]',
        '["other", 1, [[4, 3221225985, 2, "wrong", -5]]]',
        '["other", 1, [[[], {}, 2, "wrong", 0]]]',
        '["other", 1, [[4, 3221225985, 2, "else", 0]]]',
        "[" * 8000,
        "x" * 40_000,
    ],
)
async def test_what_makes_no_sense_is_passed_over(open_door: Open, redis_server: RedisServer, word: str):
    redis_server.ask("XADD", STREAM, "*", "g", word)
    redis_server.ask("XADD", STREAM, "*", "else", word)
    door = await open_door()
    for channel in ("guesses", "crowds"):
        for payload in (word, f"9999999999999-0 {word}", f"x {word}"):
            redis_server.ask("PUBLISH", f"ses-relay:budgets:{channel}", payload)
    other = await open_door()
    other.guesses.failed(CLIENT, "app")
    await until(lambda: other.count == 1)

    await until(lambda: door.count == 1)


async def test_connections_at_all_relays_count_together(open_door: Open):
    doors = [await open_door() for _ in range(3)]
    for door in doors:
        door.crowd.enter(CLIENT)
    await until(lambda: all(door.crowd.of(CLIENT) == 3 for door in doors))
    late = await open_door()
    await until(lambda: late.crowd.of(CLIENT) == 3)
    for door in doors:
        door.crowd.leave(CLIENT)
    await until(lambda: all(door.crowd.of(CLIENT) == 0 for door in (*doors, late)))


async def test_connections_of_a_relay_that_is_gone_are_forgotten(open_door: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("relay.shared.crowds.PRESENT", 0.2)
    monkeypatch.setattr("relay.shared.crowds.SILENCE", 1.0)
    one, other = await open_door(), await open_door()
    one.crowd.enter(CLIENT)
    await until(lambda: other.crowd.of(CLIENT) == 1)
    await one.engine.close()
    await until(lambda: other.crowd.of(CLIENT) == 0)


async def test_connections_are_told_again_after_redis_was_away(
    open_door: Open, own_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
):
    server = own_server()
    doors = [await open_door(server.url) for _ in range(2)]
    doors[0].crowd.enter(CLIENT)
    await until(lambda: doors[1].crowd.of(CLIENT) == 1)
    server.kill()
    doors[0].crowd.leave(CLIENT)
    doors[1].crowd.enter(CLIENT)
    await until(lambda: not any(door.engine.state.is_up for door in doors))
    server.start()
    await until(lambda: [door.crowd.of(CLIENT) for door in doors] == [1, 1])


@pytest.mark.parametrize(
    ("address", "is_shared"),
    [
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("169.254.1.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1", False),
        ("febf::1", False),
        ("10.0.0.1", True),
        ("192.0.2.1", True),
        ("fec0::1", True),
        ("2001:db8::1", True),
    ],
)
def test_who_is_another_at_each_relay_shares_no_budget(address: str, is_shared: bool):
    assert travels(prefix_of(client_address(address))) is is_shared
