"""
A process that keeps messages, to be killed, starved and lied to: ``python -m tests.spool.child SCENE FOLDER ...``.

It says each thing on standard output once it is so, one line each, unbuffered: ``kept a1``.
"""

import asyncio
import hashlib
import os
import random
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from relay.spool import sqlite_rows, sqlite_schema
from relay.spool.entries import Entry, State
from relay.spool.sqlite import SqliteSpool, open_spool
from tests.spool.building import NOON, RAW, entry

LARGE = 200_000


def message(name: str, size: int) -> bytes:
    """The message that goes with an id: both sides know it."""
    seed = hashlib.sha256(name.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


def size_of(name: str) -> int:
    """Every seventh message is large enough for a file of its own."""
    number = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    return LARGE + number % 1000 if number % 7 == 0 else number % 9000


def say(what: str) -> None:
    """Speak by a system call that the spool does not use, so that faults of the others leave it alone."""
    os.writev(1, [f"{what}\n".encode()])


async def opened(folder: Path, *, idle: float = 0.02) -> SqliteSpool:
    return await open_spool(folder / "spool.db", max_bytes=1 << 30, idle=idle)


async def keep(spool: SqliteSpool, name: str, size: int) -> Entry:
    """Commit a message and say what came of it."""
    raw = message(name, size)
    one = entry(name, raw=raw)
    outcome = await spool.commit(one, raw)
    say(f"kept {name}" if outcome is None else f"{type(outcome).__name__} {name}")
    return one


async def settle(spool: SqliteSpool, one: Entry, rng: random.Random) -> None:
    """What a courier does with an entry, or part of it."""
    begun = await spool.begin(one, NOON)
    assert isinstance(begun, Entry), begun
    say(f"begun {one.id}")
    if rng.random() < 0.3:
        changed = await spool.change(replace(begun, state=State.HELD, last="try later"))
        assert isinstance(changed, Entry), changed
        say(f"held {one.id}")
    elif rng.random() < 0.7:
        say(f"removing {one.id}")
        assert await spool.remove(begun) is None
        say(f"removed {one.id}")


async def until_room(spool: SqliteSpool, octets: int) -> None:
    """Wait as a client does: it asks again."""
    for _ in range(1000):
        if spool.room(octets) is None:
            return
        await asyncio.sleep(0.01)
    say(f"no room: {spool.room(octets)}")


async def load(folder: Path, seed: str) -> None:
    """Eight at once keep messages and settle some of them, for ever."""
    spool = await opened(folder)

    async def client(number: int) -> None:
        rng = random.Random(f"{seed}-{number}")
        for count in range(1_000_000):
            name = f"{seed}-{number}-{count}"
            one = await keep(spool, name, size_of(name))
            if rng.random() < 0.6:
                await settle(spool, one, rng)

    await asyncio.gather(*(client(number) for number in range(8)))


async def life(folder: Path, _: str) -> None:
    """One small and one large message, each through its whole life, and one of each that stays."""
    spool = await opened(folder, idle=60)
    for name, size in (("small", 500), ("large", LARGE)):
        one = await keep(spool, name, size)
        begun = await spool.begin(one, NOON)
        assert isinstance(begun, Entry)
        say(f"begun {name}")
        say(f"removing {name}")
        assert await spool.remove(begun) is None
        say(f"removed {name}")
    await keep(spool, "stays", 700)
    await keep(spool, "remains", LARGE)
    await spool.close()


async def trouble(folder: Path, kind: str) -> None:
    """Keep messages of one *kind* every now and then, and say when there is room."""
    spool = await opened(folder)
    for number in range(8):
        await keep(spool, f"m{number}", LARGE if kind == "large" else 500)
        await asyncio.sleep(0.05)
        room = spool.room(500)
        say("room" if room is None else f"no room: {room.why}")
    await spool.close()


async def few_files(folder: Path, _: str) -> None:
    """No file can be opened for a while."""
    spool = await opened(folder)
    await keep(spool, "first", LARGE)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(1), limits[1]))  # the lowest that is free
    await keep(spool, "large", LARGE)
    await keep(spool, "small", 500)
    say(str(await spool.body(entry("first"))))
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    await keep(spool, "later", LARGE)
    await spool.close()


async def short_files(folder: Path, _: str) -> None:
    """Files may grow to 300 kB, which is what a quota looks like: nothing can be seen beforehand."""
    spool = await opened(folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    await keep(spool, "large", 400_000)
    for number in range(60):
        await keep(spool, f"m{number}", 9_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    await until_room(spool, 500)
    await keep(spool, "later", 400_000)
    await spool.close()


async def full_disk(folder: Path, how: str) -> None:
    """Keep messages until there is no room, take the rest of the disk too, give it back, and go on."""
    spool = await opened(folder)
    if how == "unseen":
        spool._room.look = lambda: None  # type: ignore[method-assign]  # the disk fills up between two looks
        spool._room._free = replace(spool._room._free, octets=1 << 40)
    number = 0
    while await _fits(spool, f"m{number}"):
        number += 1
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while _written(file.write):
            pass
    await keep(spool, "none", LARGE)
    await keep(spool, "nil", 500)
    say(f"change {type(await spool.change(replace(entry('m0', raw=message('m0', size_of('m0'))), last='x'))).__name__}")
    ballast.unlink()
    for gone in range(number // 2):
        say(f"removing m{gone}")
        assert await spool.remove(entry(f"m{gone}")) is None
        say(f"removed m{gone}")
    await until_room(spool, LARGE)
    await keep(spool, "later", 500)
    await keep(spool, "latest", LARGE)
    await spool.close()


async def _fits(spool: SqliteSpool, name: str) -> bool:
    raw = message(name, size_of(name))
    kept = await spool.commit(entry(name, raw=raw), raw)
    say(f"kept {name}" if kept is None else f"{type(kept).__name__} {name}")
    return kept is None


def _written(write: Callable[[bytes], int]) -> bool:
    try:
        return write(bytes(4096)) > 0
    except OSError:
        return False


async def queue(folder: Path, number: str) -> None:
    """Fill the spool behind its back, as far as its own code allows: *number* entries of twenty delegates."""
    await (await opened(folder)).close()
    connection = sqlite_schema.connect(folder / "spool.db")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    for count in range(int(number)):
        one = entry(f"n{count}", delegate=f"delegate{count * count % 20}", due_at=NOON + count % 1000)
        sqlite_rows.insert(connection, [sqlite_rows.Arriving(one, hashlib.sha256(RAW).digest(), RAW)])
    connection.execute("COMMIT")
    connection.close()


async def start(folder: Path, _: str) -> None:
    """Start on what is there and do what a courier does first; say how long and how much memory it took."""
    begun = time.perf_counter()
    spool = await opened(folder)
    due = await spool.due(NOON + 500, limit=100, per_delegate=100)
    assert isinstance(due, list)
    for one in due[:10]:
        assert isinstance(await spool.begin(one, NOON), Entry)
        assert await spool.body(one) == RAW
    say(f"{len(due)} due after {time.perf_counter() - begun:.3f} s")
    begun = time.perf_counter()
    await spool.due(NOON + 500, limit=100, per_delegate=100)
    say(f"again after {time.perf_counter() - begun:.4f} s")
    begun = time.perf_counter()
    say(f"next at {await spool.next_due(NOON + 500)}, counted {await spool.census()}")
    say(f"after {time.perf_counter() - begun:.4f} s")
    say(f"memory {peak() // 1024} MiB")
    await spool.close()


def peak() -> int:
    """The most memory of this program, in KiB; getrusage would count what the process was before it became this one."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


SCENES: dict[str, Callable[[Path, str], Awaitable[None]]] = {
    one.__name__: one for one in (load, life, trouble, few_files, short_files, full_disk, queue, start)
}


async def main(scene: str, folder: str, how: str = "") -> None:
    await SCENES[scene](Path(folder), how)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
