"""Whatever the disk does, an answer is a value, what was acknowledged stays, and the spool works again with it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from relay.spool.entries import Entry
from tests.spool.trials import assert_owes, command, owed, said_by, trace


async def after(folder: Path, said: Sequence[str]) -> dict[str, Entry]:
    """The next start owes what was said."""
    spool, entries = await owed(folder)
    assert_owes(entries, said)
    await spool.close()
    return entries


@pytest.mark.parametrize("how", ["seen", "unseen"])
async def test_full_disk(tmp_path, small_disk, how):
    """
    On a tmpfs of 4 MiB: refused as full, nothing lost, and usable again as soon as there is room (C10).
    """
    said = said_by(small_disk(command("full_disk", tmp_path / "disk", how)))
    kept = [line for line in said if line.startswith("kept m")]
    assert len(kept) > 40
    assert said[len(kept)] == f"Full m{len(kept)}"
    assert said[len(kept) + 1] == "Full none"
    assert said[-2:] == ["kept later", "kept latest"]
    entries = await after(tmp_path / "left", said)
    assert "none" not in entries
    assert not list((tmp_path / "left" / "spool.db.messages").glob("*.new"))


async def test_file_size_limit(tmp_path):
    """
    What no look at the disk foretells, as a quota: a message is refused, a short write leaves nothing (C12).
    """
    said = said_by(command("short_files", tmp_path))
    assert said[0] == "Full large"
    assert said[1] == "kept m0"
    assert said[-2].startswith(("Full", "Unavailable"))
    assert said[-1] == "kept later"
    await after(tmp_path, said)
    assert len(list((tmp_path / "spool.db.messages").iterdir())) == 2, "the mark and one message"


async def test_no_file_can_be_opened(tmp_path):
    """
    Small messages are kept, a large one is refused, what is kept is not taken for damaged (C12).
    """
    said = said_by(command("few_files", tmp_path))
    assert said == [
        "kept first",
        "Unavailable large",
        "kept small",
        "Unavailable(why='the spool: Too many open files')",
        "kept later",
    ]
    await after(tmp_path, said)


@pytest.mark.parametrize(
    ("kind", "call", "times"),
    [
        ("small", "fdatasync", range(6, 10)),
        ("small", "pwrite64", range(50, 80, 7)),
        ("large", "fsync", [2]),
        ("large", "write", [2]),
        ("large", "?rename,?renameat,?renameat2", [2]),
    ],
    ids=["sync-of-the-log", "write-to-the-log", "sync-of-a-file", "write-to-a-file", "rename"],
)
async def test_failing_disk(tmp_path, strace, kind, call, times):
    """
    A failed sync or write is refused as temporary; nothing new is taken until the disk was seen to work (C11).
    """
    calls = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2"
    refusals = 0
    for number in times:
        folder = tmp_path / str(number)
        folder.mkdir()
        await after(folder, [])  # made without faults: strace counts the calls of each thread, this one's too
        fault = f"{call}:error=EIO:when={number}"
        said = said_by([*trace(strace, calls, fault), *command("trouble", folder, kind)])
        kept = [line for line in said if line.startswith("kept")]
        refused = [line for line in said if line.startswith(("Unavailable", "Full"))]
        refusals += len(refused)
        assert kept[-1] == "kept m7"
        assert said[-1] == "room"
        entries = await after(folder, said)
        assert len(kept) <= len(entries) <= len(kept) + len(refused)
    assert refusals, "no fault came"
