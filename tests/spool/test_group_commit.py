"""Many commits at once cost one sync, and one that goes wrong takes no other with it."""

import asyncio
import contextlib
import sqlite3
import threading
from typing import Any

import pytest

from relay.spool import sqlite_writer
from relay.spool.ports import Full
from relay.spool.sqlite import open_spool
from relay.words.unavailable import Unavailable
from tests.spool.building import NOON, RAW, entry
from tests.spool.child import message

LARGE = message("large", 200_000)


@pytest.fixture
async def spool(tmp_path):
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 30, idle=60)
    yield spool
    await spool.close()


async def test_what_is_asked_for_together_is_committed_together(spool):
    statements: list[str] = []
    spool._writer._connection.set_trace_callback(statements.append)
    outcomes = await asyncio.gather(*(spool.commit(entry(f"n{n}"), RAW) for n in range(100)))
    assert outcomes == [None] * 100
    assert 2 <= statements.count("COMMIT") < 20


async def test_a_group_waits_for_what_each_turn_of_the_loop_brings_while_there_is_much_to_do(spool, monkeypatch):
    """Where the last group was large. One that comes by itself is passed on when the loop has gone round."""
    monkeypatch.setattr(sqlite_writer, "_COMPANY", 60.0)
    statements: list[str] = []
    spool._writer._connection.set_trace_callback(statements.append)

    async def ask_turn_by_turn(number: int) -> int:
        statements.clear()
        asked = []
        for _ in range(number):
            asked.append(spool._writer.ask(lambda connection: connection.in_transaction))
            await asyncio.sleep(0)
        assert await asyncio.wait_for(asyncio.gather(*asked), 30) == [True] * number
        return statements.count("COMMIT")

    spool._writer.ask(lambda connection: None)
    await asyncio.sleep(0)
    assert not spool._writer._gathering
    assert await asyncio.gather(*(spool.commit(entry(f"n{n}"), RAW) for n in range(9))) == [None] * 9
    assert await ask_turn_by_turn(20) == 1
    assert await ask_turn_by_turn(3) == 1


async def test_one_id_too_many_concerns_nobody_else(spool):
    """Of a group the one whose id is kept already is refused, and all others are kept, with their messages."""
    assert await spool.commit(entry("n7"), RAW) is None
    outcomes = await asyncio.gather(*(spool.commit(entry(f"n{n}"), RAW) for n in range(40)))
    assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [7]
    assert isinstance(outcomes[7], Unavailable)
    for n in range(40):
        assert await spool.body(entry(f"n{n}")) == RAW


async def test_what_goes_together_goes_each_with_its_message(tmp_path, spool):
    """Small and large, and one that is gone already."""
    assert [await spool.commit(entry(f"s{n}"), RAW) for n in range(20)] == [None] * 20
    assert [await spool.commit(entry(f"l{n}", raw=LARGE), LARGE) for n in range(3)] == [None] * 3
    going = [entry(f"s{n}") for n in (*range(19), 3)] + [entry(f"l{n}", raw=LARGE) for n in range(2)]
    assert await asyncio.gather(*map(spool.remove, going)) == [None] * len(going)
    kept = await spool.due(NOON, limit=99, per_delegate=99)
    assert [one.id for one in kept] == ["l2", "s19"]
    assert [await spool.body(one) for one in kept] == [LARGE, RAW]
    assert [each.name.partition(".")[0] for each in (tmp_path / "spool.db.messages").glob("[ls]*")] == ["l2"]
    assert spool._reading.execute("SELECT id FROM bodies").fetchall() == [("s19",)]


async def test_mistake_of_ours_concerns_nobody_else(spool):
    """A piece of work that cannot be done raises, and what shared its group is committed."""

    def mistaken(connection):
        raise KeyError("no such thing")

    asked = [spool.commit(entry("a1"), RAW), spool._writer.run(mistaken), spool.commit(entry("b2"), RAW)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [outcomes[0], type(outcomes[1]), outcomes[2]] == [None, KeyError, None]
    assert await spool.body(entry("a1")) == await spool.body(entry("b2")) == RAW


@pytest.mark.parametrize("raw", [RAW, LARGE], ids=["small", "large"])
async def test_cancelled_commit_is_whole_or_nothing(tmp_path, spool, raw):
    """The client hangs up: no file without a row stays, no row without its message."""
    for number in range(20):
        committing = asyncio.ensure_future(spool.commit(entry(f"n{number}", raw=raw), raw))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        committing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await committing
    await spool.close()
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 30, idle=60)
    kept = await spool.due(NOON, limit=99, per_delegate=99)
    for one in kept:
        assert await spool.body(one) == raw
    files = list((tmp_path / "spool.db.messages").glob("n*"))
    assert len(files) == (len(kept) if raw is LARGE else 0)
    await spool.close()


async def test_promises_count_while_they_are_kept(tmp_path):
    """Of many that come at once only as many are taken as fit."""
    spool = await open_spool(tmp_path / "small" / "spool.db", max_bytes=1 << 20, idle=60)
    outcomes = await asyncio.gather(*(spool.commit(entry(f"n{n}", raw=LARGE), LARGE) for n in range(8)))
    assert [type(outcome) for outcome in outcomes].count(Full) == 3
    assert spool.room(len(LARGE)) is not None
    assert spool.room(10_000) is None
    await spool.close()


@pytest.mark.parametrize("raw", [RAW, LARGE], ids=["small", "large"])
async def test_a_promise_ends_with_its_commit(spool, raw):
    """Whether it was kept, its id was taken, or who asked went away before anything was begun or meanwhile."""
    nothing = spool._room.bound.promised_with(0)
    for number in range(8):
        committing = asyncio.ensure_future(spool.commit(entry(f"n{number // 4}", raw=raw), raw))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        if number % 4 < 3:
            committing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await committing
    await spool.close()
    assert spool._room.bound.promised_with(0) == nothing


async def test_no_memory_is_temporary_and_ends_with_it(spool, monkeypatch):
    """SQLite has none for a while, not even to roll back: everybody is answered, then as afterwards."""
    assert await spool.commit(entry("n1"), RAW) is None
    has_memory = threading.Event()

    class Connection:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            if not has_memory.is_set() and not statement.startswith("BEGIN"):
                raise MemoryError
            return self._connection.execute(statement, *values)

    monkeypatch.setattr(spool._writer, "_connection", Connection(spool._writer._connection))
    monkeypatch.setattr(spool, "_reading", Connection(spool._reading))
    asked = spool.commit(entry("n2"), RAW), spool.change(entry("n1")), spool.remove(entry("n1")), spool.census()
    outcomes = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 4

    has_memory.set()
    await asyncio.wait_for(spool._writer.ask(lambda _: None), 30)  # which finds a transaction open, and ends it
    await asyncio.wait_for(spool._writer.ask(lambda _: None), 30)
    assert await asyncio.wait_for(spool.commit(entry("n3"), RAW), 30) is None
    assert sorted(one.id for one in await spool.due(NOON, limit=9, per_delegate=9)) == ["n1", "n3"]


async def test_a_promise_ends_where_nothing_is_written(spool, monkeypatch):
    """By a mistake of ours, or since the writer has closed meanwhile."""
    nothing = spool._room.bound.promised_with(0)

    def mistaken(*_):
        raise RuntimeError("a mistake")

    monkeypatch.setattr(spool._files, "write", mistaken)
    with pytest.raises(RuntimeError):
        await spool.commit(entry("n1", raw=LARGE), LARGE)
    await spool._writer.close()
    assert await spool.commit(entry("n2", raw=RAW), RAW) == Unavailable("the spool: closed")
    assert spool._room.bound.promised_with(0) == nothing


async def test_closed_spool_refuses(spool):
    """Who comes after the end hears so, and does not wait for ever."""
    await spool.close()
    await spool.close()
    assert isinstance(await spool.commit(entry(), RAW), Unavailable)
    assert isinstance(await spool.change(entry()), Unavailable)
    assert isinstance(await spool.due(NOON, limit=1, per_delegate=1), Unavailable)
