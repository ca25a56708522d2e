"""On what a spool starts, on what it refuses to, and what it puts in order first."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from relay.spool.entries import Entry
from relay.spool.ports import Census, Damaged, Wanted
from relay.spool.problems import SpoolProblem
from relay.spool.sqlite import SqliteSpool, open_spool
from relay.spool.sqlite_opening import path_of
from tests.spool.building import RAW, entry
from tests.spool.child import message
from tests.spool.trials import ROOT

LARGE = message("large", 200_000)


async def opened(folder: Path, *, visiting: bool = False) -> SqliteSpool:
    return await open_spool(folder / "spool.db", max_bytes=1 << 30, visiting=visiting, idle=60)


async def made(folder: Path) -> None:
    """A spool with a small message and a large one."""
    spool = await opened(folder)
    assert await spool.commit(entry("small"), RAW) is None
    assert await spool.commit(entry("large", raw=LARGE), LARGE) is None
    await spool.close()


async def problem(folder: Path, *, visiting: bool = False) -> str:
    with pytest.raises(SpoolProblem) as raised:
        await opened(folder, visiting=visiting)
    return str(raised.value)


async def told(folder: Path) -> list[str]:
    """What a start on the spool finds out of order; both messages are whole all the same."""
    spool = await opened(folder)
    assert await spool.body(entry("small")) == RAW
    assert await spool.body(entry("large", raw=LARGE)) == LARGE
    findings = await spool.sweep(0)
    await spool.close()
    return [found.why for found in findings if isinstance(found, Damaged)]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/ses-relay/spool.db", "/var/lib/ses-relay/spool.db"),
        ("sqlite:////var/lib/ses-relay/spool.db", "/var/lib/ses-relay/spool.db"),
        ("sqlite:///srv/my%20mail.db", "/srv/my mail.db"),
    ],
)
def test_url_of_a_file(url, path):
    assert path_of(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    ["sqlite://spool.db", "sqlite:spool.db/", "sqlite:///", "redis://h/0", "sqlite:///a?mode=ro", "/var/spool.db"],
)
def test_url_of_no_file(url):
    with pytest.raises(SpoolProblem, match=r"spool\.url: .* names no file; write sqlite:///"):
        path_of(url)


async def test_second_relay_refuses_to_start(tmp_path):
    """It says which process has the spool; when that one ends, however it ends, the next may start."""
    script = "import asyncio, sys; from tests.spool.test_opening import hold; asyncio.run(hold(sys.argv[1]))"
    holder = subprocess.Popen(  # noqa: ASYNC220  # nothing else runs in this loop
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    said = await problem(tmp_path)
    holder.kill()
    holder.communicate()
    assert f"spool.db is in use by process {holder.pid} on " in said
    await made(tmp_path)


async def hold(folder: str) -> None:
    await opened(Path(folder))
    os.write(1, b"held\n")
    await asyncio.sleep(60)


async def test_files_are_for_the_relay_alone(tmp_path):
    """Whatever the umask, and whatever the modes were before."""
    folder = tmp_path / "new"
    await made(folder)
    (folder / "spool.db").chmod(0o644)
    (folder / "spool.db.messages").chmod(0o755)
    umask = os.umask(0)
    try:
        spool = await opened(folder)
        assert await spool.commit(entry("x", raw=LARGE), LARGE) is None
        modes = {one: stat.S_IMODE(one.stat().st_mode) for one in [folder, *folder.rglob("*")]}
        await spool.close()
    finally:
        os.umask(umask)
    assert {mode for one, mode in modes.items() if one.is_dir()} == {0o700}
    assert {mode for one, mode in modes.items() if one.is_file()} == {0o600}
    assert len(modes) == 9


async def test_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert "the relay must be able to write beside" in await problem(tmp_path / "file")
    (tmp_path / "spool.db").mkdir()
    assert "the relay must be able to write beside" in await problem(tmp_path)


async def test_database_of_another_program_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "spool.db") as other:
        other.execute("CREATE TABLE notes (text)")
    other.close()
    before = (tmp_path / "spool.db").read_bytes()
    assert "is a database of another program" in await problem(tmp_path)
    assert (tmp_path / "spool.db").read_bytes() == before


async def test_database_of_a_newer_release_is_left_alone(tmp_path):
    await made(tmp_path)
    with sqlite3.connect(tmp_path / "spool.db") as newer:
        newer.execute("PRAGMA user_version = 2")
    newer.close()
    assert "written by a newer ses-relay (schema 2, this one knows 1)" in await problem(tmp_path)


@pytest.mark.parametrize("damage", ["no-database", "cut", "page-of-zeros"])
async def test_damaged_database_is_not_started_on(tmp_path, damage):
    """The relay says what to move away, and touches nothing."""
    await made(tmp_path)
    database = tmp_path / "spool.db"
    octets = database.read_bytes()
    damaged = {
        "no-database": b"x" * len(octets),
        "cut": octets[:8192],
        "page-of-zeros": octets[:4096] + bytes(4096 * 9) + octets[4096 * 10 :],
    }[damage]
    database.write_bytes(damaged)
    said = await problem(tmp_path)
    assert "spool.db is damaged" in said
    assert "spool.db.messages to start with an empty spool" in said
    assert database.read_bytes() == damaged
    assert len(list((tmp_path / "spool.db.messages").iterdir())) == 2


async def test_leftovers_of_a_crash_are_removed(tmp_path):
    """A message half written, and one whose row was never committed, or is gone: nobody was promised them."""
    await made(tmp_path)
    folder = tmp_path / "spool.db.messages"
    (folder / "half.0123456789abcdef.new").write_bytes(b"Fro")
    (folder / "whole.0123456789abcdef").write_bytes(LARGE)
    assert await told(tmp_path) == []
    assert sorted(one.name.partition(".")[0] for one in folder.iterdir()) == ["SPOOL", "large"]


async def test_foreign_files_are_set_aside(tmp_path):
    """What nobody here wrote is kept, out of the way, and told of."""
    await made(tmp_path)
    folder = tmp_path / "spool.db.messages"
    (folder / "notes.txt").write_bytes(b"mine")
    (folder / "folder").mkdir()
    (folder / "large.0123456789abcdef").write_bytes(b"another message under this id")
    findings = await told(tmp_path)
    assert len(findings) == 3
    assert "notes.txt is none of the spool's files: set aside as spool.db.quarantine/" in findings[2]
    assert "large.0123456789abcdef is not the message of the entry" in findings[1]
    aside = sorted(one.name.partition("-")[2] for one in (tmp_path / "spool.db.quarantine").iterdir())
    assert aside == ["folder", "large.0123456789abcdef", "notes.txt"]
    assert await told(tmp_path) == []


async def test_messages_of_another_spool_are_set_aside(tmp_path):
    """A new database beside old messages: they may be the only copies, and are not taken for leftovers."""
    await made(tmp_path)
    for file in tmp_path.glob("spool.db*"):
        if file.is_file():
            file.unlink()
    spool = await opened(tmp_path)
    (told,) = await spool.sweep(0)
    await spool.close()
    assert isinstance(told, Damaged)
    assert "holds the messages of another spool: set aside as spool.db.messages.foreign-" in told.why
    aside = [one for one in tmp_path.iterdir() if ".messages.foreign-" in one.name]
    assert len(aside) == 1
    assert len(list(aside[0].iterdir())) == 2


async def test_visitor_sees_and_changes_what_the_relay_has_open(tmp_path):
    """A person's command beside the running relay: no lock, one change at a time, each version seen by both."""
    assert await problem(tmp_path, visiting=True) == f"{tmp_path}/spool.db: there is no spool"
    spool = await opened(tmp_path)
    for name, raw in (("small", RAW), ("large", LARGE)):
        assert await spool.commit(entry(name, raw=raw), raw) is None
    visitor = await opened(tmp_path, visiting=True)
    found = await visitor.find(Wanted(ids=("small",)), limit=9)
    assert found == [entry("small")]
    assert isinstance(await visitor.change(entry("small")), Entry)
    assert await spool.begin(entry("small"), 0) is None, (
        "the version that the relay has read is no longer the stored one"
    )
    assert await visitor.remove(entry("large", raw=LARGE)) is None
    census = await spool.census()
    assert isinstance(census, Census)
    assert sum(census.messages.values()) == 1
    await visitor.close()
    assert await spool.commit(entry("after"), RAW) is None
    await spool.close()
