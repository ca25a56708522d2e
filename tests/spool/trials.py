"""Running ``tests.spool.child``, and telling whether a spool owes what that process said."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from relay.spool.entries import Entry, State
from relay.spool.ports import Wanted
from relay.spool.sqlite import SqliteSpool, open_spool
from relay.words.unavailable import Unavailable
from tests.spool.child import message

ROOT = Path(__file__).parents[2]


def command(scene: str, folder: Path, how: str = "") -> list[str]:
    return [sys.executable, "-m", "tests.spool.child", scene, str(folder), *([how] if how else [])]


def said_by(arguments: Sequence[str], *, killed: bool = False) -> list[str]:
    """Run a process to its end, or to its death; return what it said."""
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert killed or done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def trace(tool: str, expression: str, *injections: str) -> list[str]:
    """The beginning of a command line that runs the rest under strace."""
    injected = [part for one in injections for part in ("-e", f"inject={one}")]
    return [tool, "-f", "-qq", "-y", "-s", "200", "-o", os.devnull, "-e", f"trace={expression}", *injected]


async def owed(folder: Path) -> tuple[SqliteSpool, dict[str, Entry]]:
    """Start on what a process left behind. Nothing may be damaged, and each message is whole."""
    spool = await open_spool(folder / "spool.db", max_bytes=1 << 30, idle=60)
    found = await spool.find(Wanted(), limit=1_000_000)
    assert not isinstance(found, Unavailable), found
    for one in found:
        assert one.state is not State.QUARANTINED, one.last
        assert await spool.body(one) == message(one.id, one.size), one.id
    assert await spool.sweep(0) == []
    return spool, {one.id: one for one in found}


def assert_owes(entries: dict[str, Entry], said: Sequence[str]) -> None:
    """What was said to be so is so: acknowledged messages are there, removed ones are not, attempts are registered."""
    told: dict[str, set[str]] = {}
    for line in said:
        verb, _, name = line.partition(" ")
        told.setdefault(verb, set()).add(name)
    kept, removing, removed = (told.get(verb, set()) for verb in ("kept", "removing", "removed"))
    assert kept - removing <= entries.keys()
    assert not removed & entries.keys()
    for name in told.get("begun", set()) & entries.keys():
        assert entries[name].attempts == 1
    for name in told.get("held", set()) & entries.keys():
        assert (entries[name].state, entries[name].last) == (State.HELD, "try later")
