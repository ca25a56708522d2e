"""
``python -m bench.fleet``: what a fleet costs its Redis, at 1, 2, 4 and 8 relays, beside the model of docs/scaling.md.

Whole relays that share their pace and budgets, before a recording SES; then the pace's script alone, asked as 1,000
relays would ask it.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from redis import Redis

from bench.record import head, row
from relay.shared.scripts import script_of
from tests.shared.servers import RedisServer
from tests.torture.clients import Crowd
from tests.torture.field import Field, far_ses, kill

RELAYS: Final = (1, 2, 4, 8)
#: Recipients a second that all relays together may send, and clients of all of them that want more.
RATE: Final = 100
CLIENTS: Final = 32
#: Seconds: until the pace is even, of the measurement.
EVEN, MEASURED = 4.0, 5.0
#: For all relays to start, on a machine that is busy.
START_SECONDS: Final = 180.0
#: As relay/shared/lua/pace.lua has it: seconds between two questions of a relay, and what each relay adds.
TICK, MORE = 0.1, 0.0005


@dataclass(frozen=True)
class Cost:
    """What a Redis has to do: ``scripts`` and ``commands`` a second, connections, octets, and its share of a core."""

    messages: float
    scripts: float
    commands: float
    connections: int
    octets: int
    core: float


def tick_of(relays: int) -> float:
    """Seconds between two questions of one relay about one account and region."""
    return max(TICK, relays * MORE)


def scripts_of(relays: int, upkeep: float) -> float:
    """Scripts a second: of one account and region, and what relays ask whether or not there is mail."""
    return relays * (1 / tick_of(relays) + upkeep)


@contextmanager
def redis() -> Iterator[tuple[RedisServer, Redis]]:
    """Run a server; a client of it beside."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not installed")
    server = RedisServer(program).start()
    client = Redis(unix_socket_path=str(server.socket), protocol=2)
    try:
        yield server, client
    finally:
        client.close()
        server.close()


@contextmanager
def relays(number: int, url: str) -> Iterator[tuple[list[Crowd], Field]]:
    """Run relays at *url*, and clients for each, who rest; the field of the first has the SES of all."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ses = stack.enter_context(far_ses("bench"))
        fields = [Field(folder / f"r{n}", ses, "direct", ses_options=f"max_send_rate = {RATE}") for n in range(number)]
        crowds = []
        for n, field in enumerate(fields):
            settings = field.folder / "relay.toml"
            settings.write_text(f'{settings.read_text()}\n[shared]\nurl = "{url}"\n')
            stack.callback(kill, field.launch())
            crowds.append(Crowd(f"r{n}", CLIENTS // number, kind="small"))
        for crowd, field in zip(crowds, fields, strict=True):
            (relay,) = field.relays
            relay.addresses = relay.wait_until(partial(relay.lines, "relay.ready"), "relay", START_SECONDS)[0]
            crowd.address = relay.smtp
        yield crowds, fields[0]


def measured(number: int, *, with_mail: bool) -> Cost:
    """What *number* relays cost."""
    with redis() as (server, client), ExitStack() as stack:
        before = client.info("memory")["used_memory"]
        crowds, field = stack.enter_context(relays(number, server.url))
        for crowd in crowds if with_mail else ():
            stack.enter_context(crowd.busy())
        time.sleep(EVEN if with_mail else 1.0)
        sent, cpu = field.ses.book().taken, client.info("cpu")
        client.config_resetstat()
        began = time.monotonic()
        time.sleep(MEASURED)
        stats, seconds = client.info("commandstats"), time.monotonic() - began
        after, messages = client.info("cpu"), len(field.ses.book().taken) - len(sent)
        calls = {name.removeprefix("cmdstat_"): told["calls"] for name, told in stats.items()}
        core = sum(after[name] - cpu[name] for name in ("used_cpu_user", "used_cpu_sys")) / seconds
        octets = client.info("memory")["used_memory"] - before
        connections = client.info("clients")["connected_clients"] - 1
        scripts = calls.get("evalsha", 0) + calls.get("eval", 0)
        return Cost(messages / seconds, scripts / seconds, sum(calls.values()) / seconds, connections, octets, core)


def asked_as(number: int, seconds: float = 4.0, delegates: int = 4) -> tuple[float, float, float]:
    """Ask the pace's script as *number* relays would; microseconds a call, calls a second, seconds to join."""
    needs = json.dumps([[f"d{n}", 10.0, 1] for n in range(delegates)])
    keys = [f"{{bench}}:{name}" for name in ("lane", "told", "rates")]
    with redis() as (_, client):
        digest = client.script_load(script_of("pace").text)

        def ask(n: int) -> None:
            client.evalsha(digest, 3, *keys, f"r{n}", 50_000, "", 4, 0, 6, 1, 0, needs, 0, 0.1)

        came = time.monotonic()
        for n in range(number):
            ask(n)
        began, turns = time.monotonic(), 0
        client.config_resetstat()
        while time.monotonic() - began < seconds:
            for n in range(number):
                due = began + (turns + n / number) * tick_of(number)
                time.sleep(max(0.0, due - time.monotonic()))
                ask(n)
            turns += 1
        told = client.info("commandstats")["cmdstat_evalsha"]
        return told["usec_per_call"], told["calls"] / (time.monotonic() - began), began - came


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the model beside it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("relays", nargs="*", type=int, default=RELAYS)
    asked = parser.parse_args(arguments)
    idle = measured(1, with_mail=False)
    head(f"Relays at one Redis, {RATE} a second in all", "scripts/s", "the model", "commands", "connections", "memory")
    row(
        "one, without mail",
        f"{idle.scripts:.1f}",
        "",
        f"{idle.commands:.0f}/s",
        str(idle.connections),
        octets(idle.octets),
    )
    for number in asked.relays:
        cost = measured(number, with_mail=True)
        row(
            f"{number}, {cost.messages:.0f} messages a second",
            f"{cost.scripts:.1f}",
            f"{scripts_of(number, idle.scripts):.1f}",
            f"{cost.commands:.0f}/s",
            str(cost.connections),
            octets(cost.octets),
        )
    head("The pace's script, asked as so many relays do", "a call", "calls/s", "the model", "of a core", "all join")
    for number in (8, 100, 1000):
        micros, calls, joined = asked_as(number)
        of_a_core = f"{100 * micros * calls / 1e6:.1f} %"
        row(
            f"{number} relays",
            f"{micros:.0f} us",
            f"{calls:.0f}",
            f"{number / tick_of(number):.0f}",
            of_a_core,
            f"{joined:.1f} s",
        )


def octets(number: int) -> str:
    return f"{number / 1000:.0f} KB"


if __name__ == "__main__":
    main()
