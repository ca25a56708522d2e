"""Killed at any moment, the spool owes every message that it acknowledged, whole, and none that it said was gone."""

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.spool.building import entry
from tests.spool.child import message
from tests.spool.trials import ROOT, assert_owes, command, owed, said_by, trace

KILLS = int(os.environ.get("SPOOL_KILLS", "10"))
AFTER = message("another", 700)
WHOLE_LIFE = range(10)  # what the scene "life" says in all
WRITING = "openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat"


def killed_under_load(folder: Path, seed: str, seconds: float) -> list[str]:
    """Kill a busy process some time after its first acknowledgement; return what it said."""
    process = subprocess.Popen(command("load", folder, seed), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    return [first.strip(), *process.communicate()[0].splitlines()]


async def test_killed_at_random_moments_under_load(tmp_path):
    """
    Acknowledged ⊆ recovered, over starts that each find what the last death left.
    """
    rng = random.Random(7)
    said: list[str] = []
    for kill in range(KILLS):
        said += killed_under_load(tmp_path, f"r{kill}", rng.random() * 0.15)
        spool, entries = await owed(tmp_path)
        assert_owes(entries, said)
        await spool.close()
    assert sum(line.startswith("kept") for line in said) > 10 * KILLS


@pytest.mark.parametrize(
    ("call", "times"),
    [
        ("fsync", range(1, 9)),
        ("fdatasync", range(1, 17)),
        ("?rename,?renameat,?renameat2", range(1, 4)),
        ("?unlink,?unlinkat", range(1, 6)),
        ("pwrite64", range(3, 120, 9)),
        ("ftruncate", range(1, 4)),
    ],
    ids=["fsync", "fdatasync", "rename", "unlink", "pwrite", "ftruncate"],
)
async def test_killed_at_each_system_call(tmp_path, strace, call, times):
    """
    Whatever system call is the last one, of making the spool, committing, beginning and removing (C1-C4, C6, C8).
    """
    ends = []
    for number in times:
        folder = tmp_path / str(number)
        folder.mkdir()
        wrapped = [*trace(strace, WRITING, f"{call}:signal=KILL:when={number}"), *command("life", folder)]
        said = said_by(wrapped, killed=True)
        spool, entries = await owed(folder)
        assert_owes(entries, said)
        assert await spool.commit(entry("another", raw=AFTER), AFTER) is None
        await spool.close()
        ends.append(said)
    assert min(map(len, ends)) < len(WHOLE_LIFE) == max(map(len, ends)), "kills from the first such call to the last"
