"""What keeping a message costs: commits of 5 KB, and the whole life of an entry, on this disk."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.record import head, row
from relay.spool.entries import Batch, Entry
from relay.spool.ports import Spool
from relay.spool.sqlite import open_spool
from relay.words.addresses import parse_address
from relay.words.transactions import Envelope, Session

RAW = os.urandom(5 * 1024)
NOW = 1_760_000_000.0
Life = Callable[[Spool, str], Awaitable[None]]


def entry(name: str, delegate: str = "billing") -> Entry:
    session = Session("s1", "0.0.0.0:587", "192.0.2.7", "app.example.com", "ESMTPSA", delegate)
    envelope = Envelope(parse_address("bounces@example.com"), (parse_address("ann@example.net"),), name)
    return Entry(name, session, envelope, NOW, len(RAW), (Batch(("ann@example.net",)),), due_at=NOW)


async def commit(spool: Spool, name: str) -> None:
    assert await spool.commit(entry(name), RAW) is None


async def live(spool: Spool, name: str) -> None:
    """Committed, registered, read, removed: what mode "spool" does with each message."""
    assert await spool.commit(one := entry(name), RAW) is None
    assert isinstance(begun := await spool.begin(one, NOW), Entry)
    assert await spool.body(begun) == RAW
    assert await spool.remove(begun) is None


async def played(spool: Spool, life: Life, at_once: int, seconds: float, name: str) -> int:
    """Let so many clients do it for so long, and say what it cost; answers how often it was done."""
    waits: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        count = 0
        while (start := time.perf_counter()) < end:
            await life(spool, f"{life.__name__}-{number}-{count}")
            waits.append(time.perf_counter() - start)
            count += 1

    cpu, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(at_once)))
    cpu, elapsed = time.process_time() - cpu, time.perf_counter() - start
    said(name, waits, elapsed, cpu)
    return len(waits)


async def measured(life: Life, at_once: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        spool = await open_spool(Path(folder) / "spool.db", max_bytes=1 << 34)
        await played(spool, life, at_once, seconds, f"{life.__name__}, {at_once} at once")
        await spool.close()


def disk(times: int = 500) -> None:
    """What the disk takes by itself: to be set against the rest, for disks differ by two orders of magnitude."""
    waits = []
    with tempfile.TemporaryFile(dir=Path.cwd(), buffering=0) as file:
        cpu = time.process_time()
        for _ in range(times):
            start = time.perf_counter()
            file.write(RAW)
            os.fdatasync(file.fileno())
            waits.append(time.perf_counter() - start)
        cpu = time.process_time() - cpu
    said("append and fdatasync, nothing else", waits, sum(waits), cpu)


def said(name: str, waits: list[float], elapsed: float, cpu: float) -> None:
    waits.sort()
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    rate, cost = f"{len(waits) / elapsed:,.0f} /s", f"{cpu / len(waits) * 1e3:.3f} ms"
    row(name, rate, cost, f"{p50 * 1e3:.2f} ms", f"{p99 * 1e3:.2f} ms")


def main(seconds: float = 2.0) -> None:
    head("The spool, messages of 5 KB", "per second", "CPU", "p50", "p99")
    disk()
    for life in (commit, live):
        for at_once in (1, 8, 32, 128):
            asyncio.run(measured(life, at_once, seconds))


if __name__ == "__main__":
    main()
