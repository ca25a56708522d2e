"""Several relays at one spool: each message is one relay's at a time, and a dead relay's is another's."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from relay.courier.books import Books
from relay.shared import spool_bodies
from relay.shared.spool import RedisSpool
from relay.spool.actions import Action
from relay.spool.desk import Desk, Done
from relay.spool.details import HOLD
from relay.spool.entries import Batch, Entry, State
from relay.spool.ports import Damaged, Wanted
from relay.words.unavailable import Unavailable
from tests.contracts.spool import begun, changed, due, found, ids, kept
from tests.shared.servers import RedisServer
from tests.shared.spools import Open, end_lease, vanish
from tests.spool.building import NOON, RAW, entry

E = "{ses-relay:spool}:e:"


async def one_of(spool: RedisSpool, name: str = "a1") -> Entry:
    listed = await spool.find(Wanted(ids=(name,)), limit=1)
    assert not isinstance(listed, Unavailable)
    return listed[0]


async def recovered(spool: RedisSpool) -> Sequence[Entry]:
    entries = await spool.recover()
    assert not isinstance(entries, Unavailable)
    return entries


async def test_what_is_due_is_named_to_one_relay_at_a_time(open_one: Open):
    """
    Relays that ask at the same time share a delegate's backlog; each is told again of what it was told before.
    """
    one, other = await open_one(), await open_one()
    await kept(one, *(entry(f"n{n:02}", due_at=NOON + n) for n in range(10)))
    first = await due(one, NOON + 99, per_delegate=4)
    second = await due(other, NOON + 99, per_delegate=4)
    assert first == ["n00", "n01", "n02", "n03"]
    assert second == ["n04", "n05", "n06", "n07"]
    assert await due(one, NOON + 99, per_delegate=4) == first
    assert await due(other, NOON + 99) == [*second, "n08", "n09"]
    assert await due(one, NOON + 99) == first


async def test_what_a_relay_was_told_and_does_not_send_is_soon_anybodys(open_one: Open, server: RedisServer):
    """
    Its reservation ends, is not made longer by asking again, and ends at once when the relay leaves.
    """
    one, other = await open_one(), await open_one()
    await kept(one, entry("a1"), entry("b2", due_at=NOON + 1))
    assert await due(one, NOON + 1) == ["a1", "b2"]
    assert await due(other, NOON + 1) == []
    assert server.ask("HSET", "{ses-relay:spool}:reserved", "a1", f"{one.lease.holder} 1.5") == b":0"
    assert await due(other, NOON + 1) == ["a1"]
    assert await due(one, NOON + 1) == ["b2"]
    await one.close()
    assert await due(other, NOON + 1) == ["a1", "b2"]


async def test_put_off_it_is_anybodys_when_it_is_due_again(open_one: Open):
    one, other = await open_one(), await open_one()
    await kept(one, entry("a1"))
    (mine,) = await one.due(NOON, limit=9, per_delegate=9)  # type: ignore[misc]  # a list
    await changed(one, replace(await begun(one, mine), state=State.DUE, due_at=NOON + 5))
    assert await due(other, NOON + 5) == ["a1"]


async def test_of_relays_that_begin_the_same_one_does(open_one: Open):
    spools = [await open_one() for _ in range(4)]
    await kept(spools[0], *(entry(f"n{n}") for n in range(25)))
    tries = [spool.begin(entry(f"n{n}"), NOON) for n in range(25) for spool in spools]
    begins = await asyncio.gather(*tries)
    assert sum(isinstance(each, Entry) for each in begins) == 25
    assert begins.count(None) == 75


async def test_the_living_lose_nothing(open_one: Open):
    """
    While its lease lasts nobody takes over what a relay sends, however long its call takes.
    """
    one, other = await open_one(lease=0.4), await open_one(lease=0.4)
    await kept(one, entry("a1"))
    sending = await begun(one, entry("a1"))
    for _ in range(6):
        await asyncio.sleep(0.2)
        assert await recovered(other) == []
    assert await one.body(sending) == RAW


async def test_each_dead_relays_mail_is_taken_over_once_and_apart(open_one: Open, server: RedisServer):
    """
    So it is known what was alone in flight; two that look at the same time do not both get it.
    """
    dead = [await open_one(), await open_one()]
    await kept(dead[0], *(entry(name) for name in ("a1", "b2", "c3")))
    for spool, name in ((dead[0], "a1"), (dead[1], "b2"), (dead[1], "c3")):
        await begun(spool, entry(name))
    living = [await open_one(), await open_one()]
    assert [await recovered(spool) for spool in living] == [[], []]
    for spool in dead:
        await vanish(server, spool)
    rounds = [await asyncio.gather(*map(recovered, living)) for _ in range(3)]
    taken = sorted(ids(each) for both in rounds for each in both if each)
    assert taken == [["a1"], ["b2", "c3"]]
    assert server.ask("ZCARD", "{ses-relay:spool}:holders") == b":2"


async def test_a_relay_that_was_paused_past_its_lease_settles_nothing(open_one: Open, server: RedisServer):
    """
    Another has its message by now: that one's state stands, whether it waits or sends, and the body is not handed out.
    """
    paused, other = await open_one(), await open_one()
    await kept(paused, entry("a1"))
    sending = await begun(paused, entry("a1"))
    paused.lease._held_until = time.monotonic() - 1
    end_lease(server, paused)
    assert isinstance(await paused.body(sending), Unavailable)

    (mine,) = await recovered(other)
    waits = await changed(other, replace(mine, state=State.DUE, due_at=NOON + 30, maybe=1))
    books = Books(paused, lambda _: None)
    failed = replace(sending, state=State.FAILED, last="no")
    assert await books.write(failed) == waits
    again = await begun(other, waits)
    assert await books.write(failed) == again
    assert await books.write(replace(sending, state=State.DUE, due_at=NOON)) == again
    assert await one_of(other) == again


async def test_that_ses_took_it_stays_true_whoever_has_it(open_one: Open, server: RedisServer):
    """
    A relay that was paused during the call may say so: what SES has need not be sent once more.
    """
    two = (Batch(("ann@example.net",)), Batch(("bob@example.net",)))
    paused, other = await open_one(), await open_one()
    await kept(paused, entry("a1", batches=two))
    sending = await begun(paused, entry("a1", batches=two))
    end_lease(server, paused)
    (mine,) = await recovered(other)
    waits = await changed(other, replace(mine, state=State.DUE, due_at=NOON + 30))

    books = Books(paused, lambda _: None)
    fate = (replace(two[0], ses_id="0100-x"), two[1])
    told = await books.write(replace(sending, batches=fate))
    assert told == replace(waits, batches=fate, version=waits.version + 1)
    await books.remove(sending)
    assert await found(other) == []
    assert await other.change(waits) is None


async def test_a_relay_that_leaves_in_order_leaves_nothing_to_wait_for(open_one: Open):
    one, other = await open_one(), await open_one()
    await kept(one, entry("a1"))
    sending = await begun(one, entry("a1"))
    await one.close()
    assert await recovered(other) == [sending]
    assert await recovered(other) == []


async def test_a_person_at_one_relay_acts_on_what_another_sends(open_one: Open):
    """
    Held when the attempt is over, deleted when it is nobody's.
    """
    one, visitor = await open_one(), await open_one(visiting=True)
    await kept(one, entry("a1"), entry("b2"))
    sending = await begun(one, entry("a1"))
    desk = Desk(visitor, now=visitor.wall, keep_failed=1000)
    assert isinstance(await desk.act("a1", Action.HOLD), Done)
    assert isinstance(await desk.act("b2", Action.DELETE), Done)
    settled = await Books(one, lambda _: None).write(replace(sending, state=State.DUE))
    assert settled is not None
    assert (settled.state, HOLD in settled.details) == (State.HELD, False)
    assert await found(one) == ["a1"]


async def test_stamps_are_in_the_servers_time(open_one: Open, monkeypatch: pytest.MonkeyPatch):
    """
    A relay whose clock is a day wrong stamps as all the others do.
    """
    true = time.time()
    monkeypatch.setattr(time, "time", lambda: true - 86_400)
    wrong = await open_one()
    monkeypatch.undo()
    right = await open_one()
    assert abs(wrong.wall() - right.wall()) < 1
    assert abs(wrong.wall() - time.time()) < 2


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("entry", "{}"),
        ("delegate", "billinG"),
        ("due_at", "nan"),
        ("accepted_at", "x"),
        ("size", "1e400"),
        ("digest", "00"),
        ("seal", ""),
        ("state", "dux"),
    ],
)
async def test_a_changed_column_is_found_out(open_one: Open, server: RedisServer, column: str, value: str):
    """
    Set aside, told of once, and removed by its id: whoever may write to the server cannot change what is sent (C24).
    """
    spool = await open_one()
    await kept(spool, entry("other", delegate="other"), entry("hurt"))
    assert server.ask("HSET", f"{E}hurt", column, value) == b":0"
    assert await due(spool, NOON * 2) == ["other"]
    listed = await spool.find(Wanted(), limit=9)
    assert not isinstance(listed, Unavailable)
    assert [(one.id, one.state, one.version) for one in listed] == [
        ("hurt", State.QUARANTINED, -1),
        ("other", State.DUE, 0),
    ]
    assert await spool.sweep(0) == [Damaged("hurt: quarantined, its row is not what was written")]
    assert await spool.sweep(0) == []
    assert await spool.begin(listed[0], NOON) is None
    assert await spool.remove(listed[0]) is None
    assert await found(spool) == ["other"]


async def test_a_changed_message_is_found_out(open_one: Open, server: RedisServer):
    spool = await open_one()
    await kept(spool, entry("hurt"))
    assert server.ask("HSET", f"{E}hurt", "raw", "another") == b":0"
    assert await spool.body(entry("hurt")) == Damaged("its message is not what was committed")
    assert (await one_of(spool, "hurt")).state is State.QUARANTINED


async def test_half_brought_messages_expire(open_one: Open, server: RedisServer):
    """
    A large message whose relay died while it brought the pieces is no entry, and is gone by itself.
    """
    spool = await open_one()
    brought = await spool_bodies.bring(spool._engine, spool._root, bytes(3 << 20))
    assert isinstance(brought, spool_bodies.Brought)
    left = server.ask("PTTL", f"{spool._root}:new:{brought.token}")
    assert 0 < int(left[1:]) <= 600_000
    assert await found(spool) == []


async def test_forty_mebibytes_come_back_whole(open_one: Open):
    spool = await open_one()
    raw = hashlib.sha256(b"x").digest() * (40 << 15)
    assert await spool.commit(entry("big", raw=raw), raw) is None
    assert await spool.body(entry("big", raw=raw)) == raw
