"""What a disk changes behind the relay's back is found out, set aside and told of, and is never sent."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from relay.spool.entries import Entry, State
from relay.spool.entry_text import write_entry
from relay.spool.ports import Census, Damaged, Wanted
from relay.spool.sqlite import SqliteSpool, open_spool
from relay.words.unavailable import Unavailable
from tests.spool.building import NOON, RAW, entry
from tests.spool.child import message

LARGE = message("large", 200_000)


@pytest.fixture
async def spool(tmp_path):
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 30, idle=60)
    assert await spool.commit(entry("other", delegate="other"), RAW) is None
    assert await spool.commit(entry("hurt"), RAW) is None
    yield spool
    await spool.close()


def disk_changes(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "spool.db") as disk:
        assert disk.execute(statement).rowcount == 1
    disk.close()


async def assert_set_aside(spool: SqliteSpool, why: str) -> None:
    """Neither due nor to be begun, counted and listed as quarantined, told once; a person can remove it."""
    due = await spool.due(NOON * 2, limit=9, per_delegate=9)
    assert due == [entry("other", delegate="other")]
    census = await spool.census()
    assert isinstance(census, Census)
    assert census.messages[State.QUARANTINED] == 1
    told = await spool.sweep(0)
    assert told == [Damaged(f"hurt: quarantined, {why}")]
    assert await spool.sweep(0) == []
    listed = await spool.find(Wanted(ids=("hurt",)), limit=9)
    assert not isinstance(listed, Unavailable)
    assert [one.id for one in listed if one.state is State.QUARANTINED] == ["hurt"]
    for one in listed:
        assert await spool.begin(one, NOON) is None
    assert await spool.remove(entry("hurt")) is None
    assert await spool.find(Wanted(ids=("hurt",)), limit=9) == []


@pytest.mark.parametrize(
    "change",
    [
        "entry = replace(entry, 'ann@example.net', 'eve@example.net')",
        "entry = substr(entry, 1, 40)",
        "entry = ''",
        "entry = CAST(x'7bff' AS TEXT)",
        "delegate = 'billinG'",
        "due_at = due_at + 1",
        "accepted_at = 0",
        "size = size + 1",
        "version = version + 1",
        "digest = x'00'",
        "seal = x''",
    ],
)
async def test_changed_row(tmp_path, spool, change):
    """
    Each column of a row is covered by its seal (C24).
    """
    disk_changes(tmp_path, f"UPDATE entries SET {change} WHERE id = 'hurt'")
    assert [one.id for one in await spool.due(NOON * 2, limit=9, per_delegate=9)] == ["other"]
    await assert_set_aside(spool, "its row is not what was written")


async def test_blank_of_a_changed_row_changes_nothing(tmp_path, spool):
    """A person may release what was quarantined, but not what nobody can read."""
    disk_changes(tmp_path, "UPDATE entries SET entry = '' WHERE id = 'hurt'")
    await spool.due(NOON, limit=9, per_delegate=9)
    (blank,) = await spool.find(Wanted(states=(State.QUARANTINED,)), limit=9)
    assert (blank.id, blank.last) == ("hurt", "its row is not what was written")
    assert await spool.change(replace(blank, state=State.DUE)) is None


@pytest.mark.parametrize(
    "alter",
    [
        lambda fields: fields | {"more": 1},
        lambda fields: {name: value for name, value in fields.items() if name != "kind"},
        lambda fields: fields | {"kind": "postcard"},
        lambda fields: fields | {"attempts": "3"},
        lambda fields: fields | {"attempts": True},
        lambda fields: fields | {"mail_from": "no address"},
        lambda fields: fields | {"recipients": ["ann@example.net", None]},
        lambda fields: fields | {"batches": [{"recipients": []}]},
        lambda fields: fields | {"session": None},
        lambda fields: fields | {"details": {"a": 1}},
        lambda fields: [fields],
    ],
)
async def test_row_of_another_version(tmp_path, spool, alter, monkeypatch):
    """
    A row that is whole but says what this version does not know is not guessed at.
    """
    monkeypatch.setattr("relay.spool.rows.write_entry", lambda one: json.dumps(alter(json.loads(write_entry(one)))))
    assert isinstance(await spool.change(entry("hurt")), Entry)
    monkeypatch.undo()
    await spool.due(NOON, limit=9, per_delegate=9)
    (told,) = await spool.sweep(0)
    assert isinstance(told, Damaged)
    assert told.why.startswith("hurt: quarantined, ")
    assert [one.id for one in await spool.due(NOON, limit=9, per_delegate=9)] == ["other"]


@pytest.mark.parametrize(
    "change",
    ["substr(octets, 1, 9)", "x''", "CAST(replace(octets, 'Y', 'y') AS BLOB)"],
    ids=["cut", "empty", "changed"],
)
async def test_changed_small_message(tmp_path, spool, change):
    disk_changes(tmp_path, f"UPDATE bodies SET octets = {change} WHERE id = 'hurt'")
    damaged = await spool.body(entry("hurt"))
    assert isinstance(damaged, Damaged)
    await assert_set_aside(spool, damaged.why)


@pytest.mark.parametrize(
    "octets", [LARGE[:-1], LARGE + b"x", b"y" + LARGE[1:], b""], ids=["cut", "longer", "changed", "empty"]
)
async def test_changed_large_message(tmp_path, spool, octets):
    assert await spool.remove(entry("hurt")) is None
    assert await spool.commit(entry("hurt", raw=LARGE), LARGE) is None
    (file,) = (tmp_path / "spool.db.messages").glob("hurt.*")
    file.write_bytes(octets)
    damaged = await spool.body(entry("hurt", raw=LARGE))
    assert damaged == Damaged("its message is not what was committed")
    await assert_set_aside(spool, damaged.why)


async def test_damaged_entry_that_was_sending_is_not_recovered(tmp_path, spool):
    assert isinstance(await spool.begin(entry("hurt"), NOON), Entry)
    disk_changes(tmp_path, "UPDATE entries SET entry = '' WHERE id = 'hurt'")
    assert await spool.recover() == []
    await assert_set_aside(spool, "its row is not what was written")


async def test_row_put_off_for_ever_by_the_disk_is_found(tmp_path, spool):
    """
    An entry that is due in no time is come upon when the queue is listed.
    """
    disk_changes(tmp_path, "UPDATE entries SET due_at = 1e300 WHERE id = 'hurt'")
    listed = await spool.find(Wanted(states=(State.DUE,)), limit=9)
    assert [(one.id, one.state) for one in listed] == [("hurt", State.QUARANTINED), ("other", State.DUE)]
    await assert_set_aside(spool, "its row is not what was written")


async def test_row_in_no_state_is_found_by_the_next_start(tmp_path, spool):
    disk_changes(tmp_path, "UPDATE entries SET state = 'dux' WHERE id = 'hurt'")
    await spool.close()
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 30, idle=60)
    await assert_set_aside(spool, "its row is not what was written")
    await spool.close()


async def test_interrupted_probe_is_no_finding(tmp_path, spool):
    await spool.close()
    for name in ("PROBE", "PROBE.new"):
        (tmp_path / "spool.db.messages" / name).write_bytes(b"?")
    spool = await open_spool(tmp_path / "spool.db", max_bytes=1 << 30, idle=60)
    assert await spool.sweep(0) == []
    assert [one.name for one in (tmp_path / "spool.db.messages").iterdir()] == ["SPOOL"]
    await spool.close()
