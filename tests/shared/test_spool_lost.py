"""What a server did unheard, and what a promoted one does not know: nothing stays *sending* that nobody sends."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from relay.courier.recovery import after_loss
from relay.courier.schedule import Schedule
from relay.shared import spool_scripts as scripts
from relay.shared.scripts import Script
from relay.shared.spool import RedisSpool
from relay.spool.entries import Entry, State
from relay.spool.ports import Full, Wanted
from relay.spool.problems import SpoolProblem
from relay.words.unavailable import Unavailable
from tests.contracts.spool import begun, changed, due, found, ids, kept
from tests.shared.servers import RedisServer
from tests.shared.spools import Open, end_lease, vanish
from tests.shared.waiting import until
from tests.spool.building import NOON, RAW, entry

ROOT = "{ses-relay:spool}"
LEASE = 0.8
#: A replica's state at a moment: it is taken back by what comes after ``FALL_BACK``.
NOTE = "for _, key in ipairs(redis.call('KEYS', '{*')) do redis.call('COPY', key, 'noted:' .. key, 'REPLACE') end"
FALL_BACK = """
for _, key in ipairs(redis.call('KEYS', '{*')) do redis.call('DEL', key) end
for _, key in ipairs(redis.call('KEYS', 'noted:*')) do redis.call('COPY', key, string.sub(key, 7)) end
"""


class Wire:
    """Carries to the server and back, but for answers to ``lose``: there it ends the connection; at ``drop`` before."""

    def __init__(self) -> None:
        self.lose: Script | None = None
        self.drop: Script | None = None

    @asynccontextmanager
    async def up(self, folder: Path, server: RedisServer) -> AsyncIterator[str]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                there = await asyncio.open_unix_connection(str(server.socket))
                while asked := await reader.read(1 << 20):
                    if _names(self.drop, asked):
                        self.drop = None
                        break
                    there[1].write(asked)
                    answer = await there[0].read(1 << 20)
                    if _names(self.lose, asked) and not answer.startswith(b"-NOSCRIPT"):
                        self.lose = None
                        break
                    writer.write(answer)
                there[1].close()
            writer.close()

        listener = await asyncio.start_unix_server(serve, folder / "wire")
        yield f"unix://{folder / 'wire'}"
        listener.close()


def _names(script: Script | None, asked: bytes) -> bool:
    return script is not None and (script.digest.encode() in asked or script.text.encode() in asked)


@pytest.fixture
def lease() -> float:
    return LEASE


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def behind_wire(wire: Wire, server: RedisServer, open_one: Open) -> AsyncIterator[RedisSpool]:
    async with wire.up(server.directory, server) as url:
        spool = await open_one(url=url)
        yield spool
        await spool.close()


async def unattended(spool: RedisSpool, *busy: str) -> list[str]:
    """What *spool* names within two leases, looking as often as a courier."""
    ends = time.monotonic() + 2 * LEASE
    while time.monotonic() < ends:
        named = await spool.unattended(busy)
        if named and not isinstance(named, Unavailable):
            return ids(named)
        await asyncio.sleep(LEASE / 20)
    return []


async def one_of(spool: RedisSpool, name: str = "a1") -> Entry:
    listed = await spool.find(Wanted(ids=(name,)), limit=1)
    assert not isinstance(listed, Unavailable)
    return listed[0]


async def test_taken_over_unheard_it_is_tried_again(
    open_one: Open, behind_wire: RedisSpool, wire: Wire, server: RedisServer
):
    """Of the dead one's mail the server says that it is ours, and nobody told us so."""
    dead = await open_one()
    await kept(dead, entry("a1"))
    await begun(dead, entry("a1"))
    await vanish(server, dead)
    wire.lose = scripts.RECOVER
    assert isinstance(await behind_wire.recover(), Unavailable)
    assert server.ask("HGET", f"{ROOT}:e:a1", "by").startswith(b"$")
    await until(lambda: behind_wire._engine.state.is_up)
    assert await behind_wire.recover() == []
    assert await unattended(behind_wire) == ["a1"]


async def test_a_server_that_goes_away_at_the_start_is_found_later(
    open_one: Open, wire: Wire, server: RedisServer, tmp_path: Path
):
    """As one that was away before; a person beside the relays hears of it at once."""
    async with wire.up(tmp_path, server) as url:
        wire.drop = scripts.OPEN
        with pytest.raises(SpoolProblem, match="the connection was lost"):
            await open_one(url=url, visiting=True)
        wire.drop = scripts.OPEN
        spool = await open_one(url=url)
        await until(lambda: spool.room(1) is None)
        await kept(spool, entry("a1"))
        await spool.close()


async def test_kept_unheard_it_is_not_sent(behind_wire: RedisSpool, wire: Wire):
    """The client heard 451 and sends it again."""
    wire.lose = scripts.COMMIT
    assert behind_wire.lease._running is not None
    behind_wire.lease._running.cancel()
    assert isinstance(await behind_wire.commit(entry("a1"), RAW), Unavailable)
    await until(lambda: behind_wire._engine.state.is_up)
    assert await found(behind_wire) == ["a1"]
    assert await due(behind_wire) == []
    await behind_wire._settle_doubts()
    assert await found(behind_wire) == []


async def test_begun_unheard_it_waits_again(behind_wire: RedisSpool, wire: Wire):
    await kept(behind_wire, entry("a1"))
    wire.lose = scripts.WRITE
    assert isinstance(await behind_wire.begin(entry("a1"), NOON), Unavailable)
    await until(lambda: not behind_wire._doubts)
    assert (await one_of(behind_wire)).state is State.DUE


async def test_what_was_not_begun_unheard_and_then_was_is_not_put_back(behind_wire: RedisSpool, wire: Wire):
    """The first attempt never came to the server; the second is under way, and another relay must not make a third."""
    await kept(behind_wire, entry("a1"))
    wire.drop = scripts.WRITE
    assert isinstance(await behind_wire.begin(entry("a1"), NOON), Unavailable)
    await until(lambda: behind_wire._engine.state.is_up)
    sending = await begun(behind_wire, entry("a1"))
    await behind_wire._settle_doubts()
    assert await one_of(behind_wire) == sending


async def test_what_is_under_way_is_nobodys_to_pick_up(open_one: Open):
    spool = await open_one()
    await kept(spool, entry("a1"))
    await begun(spool, entry("a1"))
    assert await unattended(spool, "a1") == []


async def test_put_off_and_promoted_away_it_is_tried_again(open_one: Open, server: RedisServer):
    """We wrote that it waits; the server that leads now has it *sending* by us, and we live."""
    spool, other = await open_one(), await open_one()
    await kept(spool, entry("a1"))
    sending = await begun(spool, entry("a1"))
    server.ask("EVAL", NOTE, "0")
    await changed(spool, replace(sending, state=State.DUE, due_at=NOON))
    server.ask("EVAL", FALL_BACK, "0")
    assert await other.recover() == []
    assert await unattended(spool) == ["a1"]
    (again,) = after_loss([sending], Schedule(), NOON, 0.5)
    assert (again.state, again.maybe, again.crashes) == (State.DUE, 1, 0)
    await changed(spool, again)
    assert await due(other, again.due_at) == ["a1"]


async def test_sent_and_promoted_away_it_is_removed_again(open_one: Open, server: RedisServer):
    """We know that SES has it: it need not be sent twice."""
    spool = await open_one()
    await kept(spool, entry("a1"))
    sending = await begun(spool, entry("a1"))
    server.ask("EVAL", NOTE, "0")
    assert await spool.remove(sending) is None
    server.ask("EVAL", FALL_BACK, "0")
    assert await found(spool) == ["a1"]
    assert await unattended(spool) == []
    assert await found(spool) == []


async def test_what_another_began_is_not_put_back(
    open_one: Open, behind_wire: RedisSpool, wire: Wire, server: RedisServer
):
    """Our attempt, of which nobody heard, is unknown to the server that leads now; another relay made its own."""
    other = await open_one()
    await kept(behind_wire, entry("a1"))
    server.ask("EVAL", NOTE, "0")
    wire.lose = scripts.WRITE
    assert behind_wire.lease._running is not None
    behind_wire.lease._running.cancel()
    assert isinstance(await behind_wire.begin(entry("a1"), NOON), Unavailable)
    server.ask("EVAL", FALL_BACK, "0")
    sending = await begun(other, entry("a1"))
    await until(lambda: behind_wire._engine.state.is_up)
    await behind_wire._settle_doubts()
    assert await one_of(other) == sending


async def test_a_dead_relay_whose_lease_nobody_knows_is_found(open_one: Open, server: RedisServer):
    living, dead = await open_one(), await open_one()
    await kept(dead, entry("a1"))
    await begun(dead, entry("a1"))
    assert await living.recover() == []
    await vanish(server, dead)
    server.ask("ZREM", f"{ROOT}:holders", dead.lease.holder)
    taken: list[str] = []

    async def is_taken() -> bool:
        told = await living.recover()
        assert not isinstance(told, Unavailable)
        taken.extend(ids(told))
        return bool(taken)

    await until(is_taken)
    assert taken == ["a1"]


async def test_times_of_a_clock_that_is_no_more_keep_nothing_for_long(open_one: Open, server: RedisServer):
    """The server that leads now is two hours behind the one that told when leases and reservations end."""
    spool, dead = await open_one(), await open_one()
    await kept(spool, entry("a1"))
    later = int(time.time()) + 7200
    server.ask("HSET", f"{ROOT}:reserved", "a1", f"{dead.lease.holder} {later}")
    assert await due(spool, NOON) == ["a1"]
    await vanish(server, dead)
    end_lease(server, dead)
    server.ask("ZADD", f"{ROOT}:holders", str(later), "gone")
    assert await spool.recover() == []
    assert server.ask("ZCOUNT", f"{ROOT}:holders", str(later - 6000), "+inf") == b":0"


async def test_before_the_server_told_its_time_nothing_is_stamped(open_one: Open, server: RedisServer):
    """The clock of a relay may be an hour wrong: what it put off by that would wait for an hour."""
    spool = await open_one()
    await kept(spool, entry("a1"))
    spool.lease.knows_time = False
    assert isinstance(await spool.recover(), Unavailable)
    assert isinstance(await spool.due(NOON, limit=9, per_delegate=9), Unavailable)
    assert isinstance(spool.room(1), Full)
    await until(lambda: spool.lease.knows_time)
    assert await due(spool, NOON) == ["a1"]
