"""
Whether a relay stays as fast when all of it grows: ``python -m bench.growth``.

CPU of a message by the number of delegates and identities; messages a second by the number of calls to SES at once,
each taking 100 ms; memory of connections that say nothing. What is compared takes turns, in the same run.
"""

import asyncio
import re
import resource
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import uvloop

from bench.arithmetic import Spread, ratios
from bench.contenders import relay
from bench.machine import REST, cpu_of, on, resident_of, wait_for_calm
from bench.messages import Client, Load, hand_over, smtp_source
from bench.record import figure, head, row
from bench.ses import stage
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


def with_calls(number: int) -> Callable[[House], None]:
    def furnish(house: House) -> None:
        house.edit("max_send_rate = 1000000", f"max_send_rate = 1000000\nmax_connections = {number}")

    return furnish


GROWN: Final = (
    ("10 delegates", with_delegates(10)),
    ("10,000 delegates", with_delegates(10_000)),
    ("10 identities", with_identities(10)),
    ("100,000 identities", with_identities(100_000)),
)


def cpu() -> None:
    with ExitStack() as stack:
        on_it = stack.enter_context(stage())
        relays = [
            (name, *stack.enter_context(relay(on_it, name.replace(" ", "-"), furnish=furnish)))
            for name, furnish in GROWN
        ]
        for _, pid, *_ in relays:
            wait_for_calm(pid)
        spent: dict[str, list[float]] = {name: [] for name, *_ in relays}
        for turn in range(ROUNDS + 1):
            for name, pid, _, port in relays:
                before = cpu_of(pid)
                uvloop.run(hand_over(port, Load(SIZE, reuses=True), TIMES))
                if turn:  # the first one warms up
                    spent[name].append((cpu_of(pid) - before) / TIMES)
        head("CPU of a message, 5 KB, sessions reused", "ms", "of the one above", "resident")
        for number, (name, pid, *_) in enumerate(relays):
            grown = ratios(spent[name], spent[relays[number - 1][0]]) if number % 2 else None
            told = grown.text(".2f") if grown else ""
            row(name, Spread.of(spent[name]).text(".2f", 1e3), told, f"{resident_of(pid) >> 20} MiB")
            if grown:
                figure(name, grown.middle)


def calls() -> None:
    """There are more clients than calls at once: while some say their next message others' calls are under way."""
    head(f"calls to SES at once, of {DELAY * 1e3:.0f} ms each", "messages", "of what they could")
    with stage(DELAY) as on_it:
        for number in AT_ONCE:
            load, times = Load(SIZE, clients=number + 1 + number // 4, reuses=True), number * 40
            with relay(on_it, f"calls-{number}", furnish=with_calls(number)) as (_, _, port):
                smtp_source(port, load, load.clients, on_it.folder)
                began = time.monotonic()
                smtp_source(port, load, times, on_it.folder)
                rate = times / (time.monotonic() - began)
            row(f"{number}", f"{rate:,.0f} /s", f"{rate / (number / DELAY):.0%}")
            figure(f"{number} calls", rate / (number / DELAY))


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
    each = (resident_of(pid) - before) / number / 1024
    for client in clients:
        client.close()
    return each


def idle() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    number = IDLE if most == resource.RLIM_INFINITY else min(IDLE, most - 200)
    limits = f"connections = {number + 100}"
    with stage() as on_it, relay(on_it, "idle", limits=limits) as (pid, _, port):
        each = uvloop.run(idle_memory(pid, port, number))
    head("connections that are idle", "memory of each")
    row(f"{number:,}", f"{each:.1f} KiB")
    figure("idle connection", each)


def main() -> None:
    with on(REST):
        cpu()
        calls()
        idle()


if __name__ == "__main__":
    main()
