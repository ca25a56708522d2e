"""People at a spool that somebody else sends from at the same time."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from relay.spool.actions import Action, Impossible
from relay.spool.desk import PAGE, Desk, Done, states_of
from relay.spool.entries import Batch, Entry, State
from relay.spool.ports import Spool, Wanted
from relay.spool.sqlite import open_spool
from relay.spool.told import brief, whole
from relay.words.unavailable import Unavailable
from tests.spool.building import NOON, RAW, entry
from tests.spool.memory import MemorySpool


def desk_of(spool: Spool) -> Desk:
    return Desk(spool, now=lambda: NOON + 60, keep_failed=1000)


async def kept(spool: Spool, *entries: Entry) -> None:
    for one in entries:
        assert await spool.commit(one, RAW) is None


async def one_of(spool: Spool, name: str = "a1") -> Entry:
    found = await spool.find(Wanted(ids=(name,)), limit=1)
    assert not isinstance(found, Unavailable)
    return found[0]


async def test_it_works_beside_the_relay_that_has_the_spool(tmp_path):
    """
    The relay sees each change at once, and whoever began first is not overwritten.
    """
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 20)
    visiting = await open_spool(tmp_path / "spool.db", max_bytes=1 << 20, visiting=True)
    desk = desk_of(visiting)
    await kept(spool, entry("a1"), entry("b2"))
    try:
        assert isinstance(await desk.act("a1", Action.HOLD), Done)
        assert (await one_of(spool)).state is State.HELD
        assert await spool.begin(entry("a1"), NOON) is None
        assert isinstance(await spool.begin(entry("b2"), NOON), Entry)
        assert isinstance(await desk.act("b2", Action.DELETE), Impossible)
        assert await desk.act("a1", Action.DELETE) == Done(None)
        assert await spool.find(Wanted(ids=("a1",)), limit=1) == []
    finally:
        await visiting.close()
        await spool.close()


async def test_what_changes_between_look_and_act_is_looked_at_again():
    """
    A deletion never takes away what is being sent by then.
    """
    spool = MemorySpool()
    await kept(spool, entry())
    find = spool.find

    async def find_and_begin(wanted: Wanted, *, limit: int, after: str = "") -> object:
        found = await find(wanted, limit=limit, after=after)
        assert not isinstance(found, Unavailable)
        await spool.begin(found[0], NOON)
        return found

    spool.find = find_and_begin  # type: ignore[method-assign,assignment]  # the courier, at the worst moment
    done = await desk_of(spool).act("a1", Action.DELETE)

    assert isinstance(done, Impossible)
    assert spool._entries["a1"].state is State.SENDING


async def test_what_is_no_longer_wanted_is_left_alone():
    """
    Retry of all that failed does not touch what a colleague has released meanwhile.
    """
    spool = MemorySpool()
    await kept(spool, entry())

    assert await desk_of(spool).act("a1", Action.RETRY, Wanted(states=(State.FAILED,))) is None
    assert (await one_of(spool)).version == 0


async def test_a_crash_in_the_middle_of_a_deletion_sends_nothing():
    spool = MemorySpool()
    await kept(spool, entry())
    spool.remove = lambda entry: _unavailable()  # type: ignore[method-assign]  # the process is gone
    assert isinstance(await desk_of(spool).act("a1", Action.DELETE), Unavailable)

    after = spool.crashed()

    assert await after.due(NOON + 60, limit=9, per_delegate=9) == []
    assert len(await after.sweep(NOON + 60)) == 1


async def _unavailable() -> Unavailable:
    return Unavailable("EIO")


async def test_trouble_of_the_disk_is_said():
    spool = MemorySpool()
    spool.trouble = Unavailable("EIO")

    assert await desk_of(spool).act("a1", Action.RETRY) == Unavailable("EIO")
    assert [page async for page in desk_of(spool).pages(Wanted())] == [Unavailable("EIO")]


async def test_pages_are_all_of_them():
    spool = MemorySpool()
    await kept(spool, *(entry(f"a{number:04}") for number in range(PAGE + 1)))

    pages = [page async for page in desk_of(spool).pages(Wanted())]

    assert [len(page) for page in pages if not isinstance(page, Unavailable)] == [PAGE, 1]


async def test_an_unreadable_entry_is_told_and_deleted(tmp_path: Path):
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 20)
    await kept(spool, entry())
    await spool._written(lambda connection: connection.execute("UPDATE entries SET size = size + 1"))
    try:
        found = await one_of(spool)
        assert brief(found, NOON)["is_readable"] is False
        assert isinstance(await desk_of(spool).act("a1", Action.RETRY), Impossible)
        assert await desk_of(spool).act("a1", Action.DELETE) == Done(None)
    finally:
        await spool.close()


def test_what_is_told_is_json_and_names_each_fate():
    batches = (Batch(("ann@example.net",), ses_id="0100"), Batch(("bob@example.net",), refused="554 5.6.0 no"))
    told = whole(entry(batches=batches, state=State.FAILED, due_at=1e300), NOON + 60)

    assert json.loads(json.dumps(told)) == told
    assert [(one["recipient"], one["fate"]) for one in told["fates"]] == [
        ("ann@example.net", "sent"),
        ("bob@example.net", "refused"),
    ]
    assert (told["age"], told["next_attempt_at"], told["kept_until"]) == (60, None, None)
    assert told["accepted_at"] == "2025-10-09T08:53:20.000Z"
    assert whole(replace(entry(), details={"again": f"{NOON:.0f}"}), NOON)["retried_at"] == "2025-10-09T08:53:20.000Z"


def test_states_are_read_by_their_names():
    assert states_of(["due", "held"]) == (State.DUE, State.HELD)
    with pytest.raises(ValueError, match="'lost' is no state: due, sending, held, failed, quarantined"):
        states_of(["lost"])
