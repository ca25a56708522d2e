"""What becomes of the spool when its server is full, slow, killed, replaced, or promises too little."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from relay.courier.clock import Steady
from relay.observe.events import Event, Noted
from relay.shared import spool_opening
from relay.shared.answers import Away
from relay.shared.spool_promise import Server, Wish, problem_with, promise_of, waiting_of, wish_of
from relay.spool.entries import Kind, State
from relay.spool.ports import Damaged, Full, Wanted
from relay.spool.problems import SpoolProblem
from relay.words.unavailable import Unavailable
from tests.contracts.spool import begun, changed, counted, due, found, kept
from tests.ports import free_port
from tests.shared.servers import RedisServer
from tests.shared.spools import DURABLE, Open
from tests.shared.waiting import until
from tests.spool.building import NOON, RAW, entry

Make = Callable[..., RedisServer]
KIB64 = bytes(64 * 1024)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes long takes too long."""
    monkeypatch.setattr(spool_opening, "CALL_SECONDS", 1.0)


@pytest.mark.parametrize(
    ("options", "parameters", "refused"),
    [
        ({"appendonly": "no"}, "", "keeps no log"),
        ({"appendonly": "no"}, "?durability=everysec", "keeps no log"),
        ({"appendonly": "no"}, "?durability=unchecked", None),
        ({"appendfsync": "everysec"}, "", "appendfsync everysec"),
        ({"appendfsync": "everysec"}, "?durability=everysec", None),
        ({"appendfsync": "no"}, "?durability=everysec", "appendfsync no"),
        ({}, "?durability=everysec", None),
        ({"maxmemory-policy": "allkeys-lru"}, "", "noeviction"),
        ({"maxmemory-policy": "volatile-lru"}, "?durability=unchecked", "noeviction"),
        ({"rename-command": 'CONFIG ""'}, "", "does not tell"),
        ({"rename-command": 'CONFIG ""'}, "?durability=unchecked", None),
    ],
)
async def test_a_server_that_promises_less_than_is_asked_is_not_used(
    own_server: Make, opened: Open, options: dict[str, str], parameters: str, refused: str | None
):
    """
    The relay does not start, and hears what to change; what may be lost must be asked for by name.
    """
    server = own_server(DURABLE | options)
    told: list[Event] = []
    if refused is not None:
        with pytest.raises(SpoolProblem, match=refused):
            await opened(server, parameters=parameters, observe=told.append)
        return
    spool = await opened(server, parameters=parameters, observe=told.append)
    assert spool.room(1) is None
    (promise,) = [each.details["promise"] for each in told if isinstance(each, Noted) and each.event == "spool.promise"]
    assert promise == spool.promise


async def test_a_promise_that_is_broken_later_ends_the_taking_of_mail(own_server: Make, opened: Open):
    """
    What is kept still leaves, and mail is taken again when the promise is kept again.
    """
    server = own_server(DURABLE)
    spool = await opened(server, lease=0.2)
    await kept(spool, entry())
    assert server.ask("CONFIG", "SET", "appendfsync", "everysec") == b"+OK"
    await until(lambda: spool.room(1) is not None)
    assert isinstance(await spool.commit(entry("b2"), RAW), Full)
    assert await spool.remove(await begun(spool, entry())) is None
    assert server.ask("CONFIG", "SET", "appendfsync", "always") == b"+OK"
    await until(lambda: spool.room(1) is None)
    await kept(spool, entry("b2"))


async def test_mail_is_refused_before_the_server_is_full(own_server: Make, opened: Open):
    """
    452 while there is memory left to settle what is kept; when that has left there is room again.
    """
    server = own_server(DURABLE | {"maxmemory": "16mb", "maxmemory-policy": "noeviction"})
    spool = await opened(server, lease=0.04)
    number = 0
    while spool.room(len(KIB64)) is None:
        assert await spool.commit(entry(f"n{number}", raw=KIB64), KIB64) is None, "the server itself never says no"
        number += 1
        await asyncio.sleep(0.005)
    assert 100 < number < 250
    assert isinstance(await spool.commit(entry("x", raw=KIB64), KIB64), Full)
    for each in range(number):
        assert await spool.remove(entry(f"n{each}")) is None
    await until(lambda: spool.room(len(KIB64)) is None)


async def test_on_a_full_server_what_is_kept_is_settled(own_server: Make, opened: Open):
    """
    Whoever else fills it: new mail is Full, and every change of what is there succeeds.
    """
    server = own_server(DURABLE | {"maxmemory-policy": "noeviction"})
    spool = await opened(server)
    await kept(spool, *(entry(f"n{n}") for n in range(4)), entry("f", state=State.FAILED))
    assert server.ask("CONFIG", "SET", "maxmemory", "1mb") == b"+OK"
    refused = [await spool.commit(entry("x", raw=raw), raw) for raw in (RAW, bytes(1 << 20))]
    assert all(isinstance(each, Full) for each in refused), refused
    assert len(await due(spool)) == 4
    sending = [await begun(spool, entry(f"n{n}")) for n in range(3)]
    await changed(spool, replace(sending[0], state=State.DUE, due_at=NOON + 5))
    await changed(spool, replace(sending[1], state=State.FAILED, due_at=NOON + 5))
    assert await spool.remove(sending[2]) is None
    assert len(await spool.sweep(NOON * 2)) == 2
    assert (await counted(spool)).messages[State.DUE] == 2
    spool._engine._note(Away("the connection was lost"))
    await until(lambda: spool._engine.state.is_up)
    assert await spool.remove(entry("n3")) is None


async def test_killed_while_it_commits_it_has_all_that_it_acknowledged(own_server: Make, opened: Open):
    """
    kill -9 under load, again and again: what was acknowledged is there, whole, and what was removed is not.
    """
    server = own_server(DURABLE)
    spool = await opened(server)
    committed: set[str] = set()
    removed: set[str] = set()
    names = iter(range(1 << 30))

    async def client() -> None:
        while True:
            name = f"n{next(names)}"
            raw = name.encode() * (90_000 if name.endswith("7") else 100)
            if await spool.commit(entry(name, raw=raw), raw) is not None:
                await asyncio.sleep(0.01)
                continue
            committed.add(name)
            if name.endswith(("3", "5")) and await spool.remove(entry(name)) is None:
                removed.add(name)

    for _ in range(2):
        clients = [asyncio.create_task(client()) for _ in range(16)]
        before = len(committed)
        await until(lambda: len(committed) > before + 100)  # noqa: B023 - asked at once
        server.kill()
        for each in clients:
            each.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        server.start()
        async with asyncio.timeout(20):
            while isinstance(listed := await spool.find(Wanted(), limit=1 << 20), Unavailable):  # noqa: ASYNC110  # a server
                await asyncio.sleep(0.05)
        await until(lambda: spool.room(1) is None)
        there = {one.id for one in listed}
        assert not removed & there
        maybe = {name for name in committed if name.endswith(("3", "5"))}  # killed between the two
        assert committed - maybe <= there
        for one in listed:
            body = await spool.body(one)
            assert isinstance(body, bytes), (one.id, body)
            assert len(body) == one.size
    assert await spool.sweep(0) == []


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_hangs_costs_one_deadline(own_server: Make, opened: Open):
    """
    Who asked meanwhile hears so, who asks afterwards at once; before 354 it is known, too.
    """
    server = own_server(DURABLE)
    spool = await opened(server, lease=0.4)
    server.pause()
    assert isinstance(await spool.commit(entry("a1"), RAW), Unavailable)
    started = time.monotonic()
    assert isinstance(await spool.commit(entry("c3"), RAW), Unavailable)
    assert time.monotonic() - started < 0.8, "nobody waits for a server that is known to be away"
    assert isinstance(spool.room(1), Full)
    server.resume()
    await until(lambda: spool.room(1) is None)
    await kept(spool, entry("b2"))


async def test_what_nobody_heard_was_written_is_undone(own_server: Make, opened: Open, monkeypatch: pytest.MonkeyPatch):
    """
    Done, and the answer is lost: the client heard 451 and sends again, so the first is removed unless somebody has it;
    no attempt stays registered that nobody makes. A notification stays: whoever wrote it looks for it.
    """
    spool = await opened(own_server(DURABLE), lease=0.4)
    await kept(spool, entry("b2"))
    engine, run = spool._engine, spool._engine.run

    async def unheard(*asked: Any) -> Away:
        await run(*asked)
        return Away("the connection was lost", maybe=True)

    with monkeypatch.context() as lossy:
        lossy.setattr(engine, "run", unheard)
        answers = [
            await spool.commit(entry("a1"), RAW),
            await spool.commit(entry("c3", state=State.SENDING, attempts=1), RAW),
            await spool.commit(entry("n1", kind=Kind.NOTIFICATION), RAW),
            await spool.begin(entry("b2"), NOON),
        ]
    assert all(isinstance(each, Unavailable) for each in answers)
    assert await found(spool) == ["a1", "b2", "c3", "n1"]
    await until(lambda: not spool._doubts)
    assert await due(spool) == ["b2", "n1"]
    assert await found(spool) == ["b2", "n1"]


async def test_a_server_that_is_away_at_the_start_is_found_when_it_comes(own_server: Make, opened: Open):
    """
    Until then nothing is kept, and everything else goes on; afterwards it is as if it had been there.
    """
    server = own_server(DURABLE)
    server.kill()
    spool = await opened(server, lease=0.4)
    assert isinstance(spool.room(1), Full)
    assert isinstance(await spool.commit(entry(), RAW), Unavailable)
    assert isinstance(await spool.recover(), Unavailable)
    assert "not been reached" in spool.promise
    with pytest.raises(SpoolProblem, match=r"No such file|refused"):
        await opened(server, visiting=True)
    server.start()
    await until(lambda: spool.room(1) is None)
    await kept(spool, entry())


async def test_stamps_follow_a_server_that_was_away_at_the_start(
    own_server: Make, opened: Open, monkeypatch: pytest.MonkeyPatch
):
    """
    The clock of a relay that starts before its server, and before its clock was set, may be a year wrong.
    """
    server = own_server(DURABLE)
    server.kill()
    true, told = time.time(), list[Event]()
    monkeypatch.setattr(time, "time", lambda: true + 31_536_000)
    spool = await opened(server, lease=0.4)
    clock = Steady(spool.wall, time.monotonic, told.append, spool.knows_time)
    assert clock.now() > true + 31_000_000
    monkeypatch.undo()
    server.start()
    await until(lambda: spool.room(1) is None)
    assert abs(clock.now() - time.time()) < 2
    assert told == []


async def test_a_server_that_lost_everything_is_told_of(own_server: Make, opened: Open):
    server = own_server(DURABLE)
    spool = await opened(server, lease=0.1)
    await kept(spool, entry())
    assert server.ask("FLUSHALL") == b"+OK"
    told: list[object] = []
    async with asyncio.timeout(10):
        while not told:
            told += await spool.sweep(0)
            await asyncio.sleep(0.02)
    assert told == [Damaged("the spool's server has lost all that it kept, or is another one")]
    await kept(spool, entry())


async def test_there_is_nothing_to_visit_where_no_relay_was(own_server: Make, opened: Open):
    server = own_server(DURABLE)
    with pytest.raises(SpoolProblem, match="there is none"):
        await opened(server, visiting=True)
    assert server.ask("HSET", "{ses-relay:spool}", "schema", "99") == b":1"
    with pytest.raises(SpoolProblem, match="another release"):
        await opened(server)


async def test_a_message_that_a_replica_has_survives_the_server(own_server: Make, opened: Open):
    """
    With replicas=1 all that was acknowledged is on the one that is promoted; without a replica nothing is acknowledged.
    """
    server = own_server(DURABLE | {"repl-diskless-sync-delay": "0"}, port=free_port())
    follows = {"replicaof": f"127.0.0.1 {server.port}", "repl-diskless-sync-delay": "0"}
    replica = own_server(DURABLE | follows)
    spool = await opened(server, parameters="?replicas=1", lease=0.4)
    assert "1 of its replicas" in spool.promise
    await until(lambda: server.ask("WAIT", "1", "100") == b":1")
    await kept(spool, entry("first"), *(entry(f"n{n}") for n in range(50)))
    server.kill()
    await spool.close()
    assert replica.ask("REPLICAOF", "NO", "ONE") == b"+OK"
    promoted = await opened(replica)
    assert set(await found(promoted)) == {"first", *(f"n{n}" for n in range(50))}
    alone = await opened(replica, parameters="?replicas=1", lease=0.4)
    unacknowledged = await alone.commit(entry("alone"), RAW)
    assert unacknowledged == Unavailable("the spool's server: 0 of 1 replicas have it")
    await until(lambda: not alone._doubts)
    assert "alone" not in await found(promoted)
    await alone.close()


async def test_what_waits_for_a_replica_is_sent_by_nobody(own_server: Make, opened: Open):
    """
    The client hears 451 and sends it again: nobody is told of what was not acknowledged, while it is there.
    """
    server = own_server(DURABLE)
    spool, other = await opened(server, parameters="?replicas=1"), await opened(server)
    committing = asyncio.create_task(spool.commit(entry("alone"), RAW))
    await until(lambda: server.ask("ZCARD", "{ses-relay:spool}:state:due") == b":1")
    assert (await due(other), await due(spool)) == ([], [])
    assert isinstance(await committing, Unavailable)
    assert await due(spool) == []
    await until(lambda: not spool._doubts)
    assert await found(other) == []


async def test_a_replica_is_not_written_to(own_server: Make, opened: Open):
    """
    A server that follows another since a failover says READONLY: nothing raises.
    """
    server = own_server(DURABLE)
    spool = await opened(server)
    await kept(spool, entry())
    assert server.ask("REPLICAOF", "127.0.0.1", str(free_port())) == b"+OK"
    assert isinstance(await spool.begin(entry(), NOON), Unavailable)
    assert isinstance(await spool.commit(entry("b2"), RAW), Unavailable)


@pytest.mark.parametrize(
    ("parameters", "wish"),
    [("", Wish()), ("?durability=everysec&replicas=2&prefix=x", Wish("everysec", 2)), ("?replicas=0", Wish())],
)
def test_what_the_url_asks_for(parameters: str, wish: Wish):
    assert wish_of(f"redis://h{parameters}") == wish


@pytest.mark.parametrize(
    "parameters", ["?durability=never", "?durability=", "?replicas=-1", "?replicas=9", "?replicas=x"]
)
def test_what_the_url_cannot_ask_for(parameters: str):
    with pytest.raises(SpoolProblem, match=r"^spool\.url: (durability|replicas) is "):
        wish_of(f"redis://:secret@h{parameters}")


def test_waiting_is_for_the_disks_of_replicas_where_the_server_can_tell():
    assert waiting_of(Wish(), "Redis 7.4", 2000) is None
    assert waiting_of(Wish(replicas=1), "Redis 7.0", 2000) == ("WAIT", 1, 2000)
    assert waiting_of(Wish(replicas=1), "Redis 7.2", 2000) == ("WAITAOF", 1, 1, 2000)
    assert waiting_of(Wish(replicas=2), "Valkey 8.1", 2000) == ("WAITAOF", 1, 2, 2000)
    assert waiting_of(Wish("unchecked", 1), "Valkey 8.1", 2000) == ("WAITAOF", 0, 1, 2000)


def test_a_server_that_is_too_old_is_none():
    server = Server(is_logging=True, fsync="always", policy="noeviction", used=0, limit=0)
    assert problem_with(server, "Redis 6.2", Wish()) == "Redis 6.2 is too old for a spool: 7.0 or later is needed"
    assert problem_with(server, "Redis 7.0", Wish()) is None
    assert "before it acknowledges" in promise_of(server, Wish())
