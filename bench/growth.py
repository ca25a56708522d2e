"""
Whether a relay stays as fast when all of it grows: ``python -m bench.growth``.

CPU of a message by the number of delegates and identities; messages a second by the number of calls to SES at once,
each taking 100 ms; memory of connections that say nothing. What is compared takes turns, in the same run.
"""

import asyncio
import re
import resource
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import uvloop

from bench.clock import head, row
from bench.messages import Client, Load, hand_over
from bench.relays import cpu_of, relay, stage
from bench.start import resident_of
from tests.system.houses import OWNED, House

SIZE: Final = 5_000
ROUNDS, TIMES = 7, 400
DELAY: Final = 0.1
AT_ONCE: Final = (1, 20, 50, 100, 200)
IDLE: Final = 10_000


def with_delegates(number: int) -> Callable[[House], None]:
    def furnish(house: House) -> None:
        text = house.settings.read_text()
        (secret,) = re.findall(r'(password_hash = "[^"]+")', text)[:1]
        tables = (
            f'[[delegate]]\nname = "d{n}"\nprincipal = "arn:aws:iam::111111111111:user/d{n}"\n{secret}\n'
            for n in range(number)
        )
        (house.folder / "more.toml").write_text("\n".join(tables))
        house.settings.write_text(f'{text}\n[delegates]\nfile = "more.toml"\n')

    return furnish


def with_identities(number: int) -> Callable[[House], None]:
    def furnish(house: House) -> None:
        house.edit('refresh_interval = "60s"', 'refresh_interval = "1h"')
        for n in range(number):
            (house.folder / OWNED / f"n{n}.example.org").mkdir()

    return furnish


def with_calls(house: House) -> None:
    house.edit("max_send_rate = 1000000", f"max_send_rate = 1000000\nmax_connections = {max(AT_ONCE)}")


GROWN: Final = (
    ("10 delegates", with_delegates(10)),
    ("10,000 delegates", with_delegates(10_000)),
    ("10 identities", with_identities(10)),
    ("100,000 identities", with_identities(100_000)),
)


def cpu() -> None:
    head("CPU of a message, 5 KB, sessions reused", "median", "resident")
    with ExitStack() as stack:
        endpoint, environ, folder = stack.enter_context(stage())
        relays = [
            (name, *stack.enter_context(relay(endpoint, environ, folder, name.replace(" ", "-"), "direct", furnish=f)))
            for name, f in GROWN
        ]
        for _, pid, *_ in relays:
            settle(pid)
        spent: dict[str, list[float]] = {name: [] for name, *_ in relays}
        for turn in range(ROUNDS + 1):
            for name, pid, _, port in relays:
                before = cpu_of(pid)
                uvloop.run(hand_over(port, Load(SIZE, reuses=True), TIMES))
                if turn:  # the first one warms up
                    spent[name].append((cpu_of(pid) - before) / TIMES)
        for name, pid, *_ in relays:
            row(name, f"{statistics.median(spent[name]) * 1e3:.3f} ms", f"{resident_of(pid) / 1024:.0f} MiB")


def settle(pid: int) -> None:
    """Wait until a relay has read all there is, twice: a folder that changes meanwhile is read again."""
    before = -1.0
    while cpu_of(pid) - before > 0.02:
        before = cpu_of(pid)
        time.sleep(1)


def calls() -> None:
    head(f"calls to SES at once, of {DELAY * 1e3:.0f} ms each", "messages", "of what they could")
    with ExitStack() as stack:
        endpoint, environ, folder = stack.enter_context(stage(DELAY))
        _, _, port = stack.enter_context(relay(endpoint, environ, folder, "calls", "direct", furnish=with_calls))
        for clients in AT_ONCE:
            load, times = Load(SIZE, clients=clients, reuses=True), clients * 20
            uvloop.run(hand_over(port, load, clients))
            began = time.monotonic()
            uvloop.run(hand_over(port, load, times))
            rate = times / (time.monotonic() - began)
            row(f"{clients}", f"{rate:,.0f} /s", f"{rate / (clients / DELAY):.0%}")


async def open_idle(port: int, number: int) -> list[Client]:
    found: list[Client] = []
    while len(found) < number:
        some = range(min(100, number - len(found)))
        found += await asyncio.gather(*(Client.of(port, Load(SIZE)) for _ in some))
    return found


async def idle_memory(pid: int, port: int, number: int) -> float:
    """KiB of each of so many connections that said EHLO and nothing else."""
    await hand_over(port, Load(SIZE), 200)
    before = resident_of(pid)
    clients = await open_idle(port, number)
    each = (resident_of(pid) - before) / number
    for client in clients:
        client.writer.close()
    return each


def idle() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    number = IDLE if most == resource.RLIM_INFINITY else min(IDLE, most - 200)
    limits = f"connections = {number + 100}"
    with stage() as (endpoint, environ, folder):
        with relay(endpoint, environ, folder, "idle", "direct", limits=limits) as (pid, _, port):
            each = uvloop.run(idle_memory(pid, port, number))
        head("connections that are idle", "memory of each")
        row(f"{number:,}", f"{each:.1f} KiB")


def main() -> None:
    cpu()
    calls()
    idle()


if __name__ == "__main__":
    main()
