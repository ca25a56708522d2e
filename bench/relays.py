"""
CPU of whole relays for each message, beside what others take on the same machine in the same run.

``python -m bench.relays [--rounds N] [OCTETS ...]``. Every relay is a process of its own and sends to the same sink,
under TLS; its CPU time, of all threads, is read before and after. The contenders take turns, so that what else the
machine does meets all of them alike; the figures are medians of the rounds.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme

from bench.clock import head, row
from bench.messages import Load, hand_over
from tests.system.houses import House
from tests.system.relays import RunningRelay, clean_environ, spawn, split

SIZES: Final = (5_000, 100_000, 1_000_000)
#: Messages in a round, by octets: enough of them for half a second of CPU.
TIMES: Final = {5_000: 1000, 100_000: 400, 1_000_000: 60}
USER: Final = ("billing", "demo-billing-secret")
OPEN: Final = """
[[listener]]
address = "127.0.0.1:0"
tls = "off"
require_auth = false
"""


@dataclass(frozen=True)
class Contender:
    """One of those that are measured: a process that listens, and how mail is brought to it."""

    name: str
    pid: int
    port: int
    load: Callable[[int], Load]


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, all threads, those that ended too (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


@contextmanager
def stage(delay: float = 0) -> Iterator[tuple[str, dict[str, str], Path]]:
    """
    Run a sink under TLS that answers after *delay* seconds; yield its address, the environment that trusts it, and a
    folder.
    """
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert("localhost", "relay", key_type=trustme.KeyType.ECDSA)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chain, key, trusted = folder / "c.pem", folder / "k.pem", folder / "ca.pem"
        chain.write_bytes(issued.cert_chain_pems[0].bytes())
        key.write_bytes(issued.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(trusted))
        with listening("bench.far_side", str(delay), str(chain), str(key)) as (_, port):
            environ = {"SSL_CERT_FILE": str(trusted), "AWS_CA_BUNDLE": str(trusted)}
            yield f"https://localhost:{port}", environ, folder


@contextmanager
def listening(module: str, *arguments: str, environ: dict[str, str] | None = None) -> Iterator[tuple[int, int]]:
    """Run a module that prints the port it listens on; yield its process id and port."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, env=clean_environ(environ)
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@contextmanager
def relay(  # noqa: PLR0913 - what differs between those that are compared, all but five by name
    endpoint: str,
    environ: dict[str, str],
    folder: Path,
    name: str,
    mode: str,
    *,
    journal: str = "",
    delegate: str = "",
    limits: str = "",
    furnish: Callable[[House], None] = lambda _: None,
    program: Sequence[str] = ("-m", "relay"),
) -> Iterator[tuple[int, int, int]]:
    """
    Run our relay; yield its process id, and the ports with and without AUTH.

    *journal*, *delegate* and *limits* are for its settings, *furnish* for whatever else its folder is to have.
    """
    house = House(folder / name, (folder / "c.pem", folder / "k.pem"), ses=endpoint)
    house.edit('refresh_interval = "100ms"', 'refresh_interval = "60s"')
    house.edit('name = "newsletter"', 'name = "newsletter"\nrate = "1000000/s"')
    house.edit('region = "us-east-1"', 'region = "us-east-1"\nmax_send_rate = 1000000')
    text = house.settings.read_text().replace("[[delegate]]", f"{OPEN}\n[[delegate]]", 1)
    text = text.replace('name = "billing"', 'name = "billing"\ntrusted_networks = ["127.0.0.1/32"]\n' + delegate, 1)
    house.settings.write_text(f"{text}\n[limits]\nconnections_per_client = 0\n{limits}\n\n[journal]\n{journal}\n")
    if mode != "direct":
        house.keep(mode)
    furnish(house)
    log = house.folder / "relay.log"
    process = spawn(["serve", "-c", str(house.settings)], log, environ, program=program)
    try:
        yield process.pid, *ports_of(process, log)
    finally:
        process.terminate()
        process.wait()


def ports_of(process: "subprocess.Popen[bytes]", log: Path) -> tuple[int, int]:
    """Wait for the relay; return the ports with and without AUTH."""
    listeners = RunningRelay(process, log).wait_for("relay.ready")["listeners"]
    return split(listeners[0])[1], split(listeners[1])[1]


@contextmanager
def contenders() -> Iterator[tuple[str, dict[str, str], list[Contender]]]:
    """Start all of them."""
    with ExitStack() as stack:
        endpoint, environ, folder = stack.enter_context(stage())
        pid, port, plain = stack.enter_context(relay(endpoint, environ, folder, "direct", "direct"))
        none_pid, _, none = stack.enter_context(
            relay(endpoint, environ, folder, "no-journal", "direct", journal="entries = 0")
        )
        file = f'path = "{folder / "journal.db"}"\nentries = 5000'
        file_pid, _, on_disk = stack.enter_context(relay(endpoint, environ, folder, "journal", "direct", journal=file))
        kept_pid, _, kept = stack.enter_context(relay(endpoint, environ, folder, "spool", "spool"))
        v2_pid, _, v2 = stack.enter_context(  # v2 alone has a word for a tenant
            relay(endpoint, environ, folder, "v2", "direct", delegate='tenant = "bench"')
        )
        naive = stack.enter_context(listening("bench.naive", "us-east-1", endpoint, environ=environ))
        alone = stack.enter_context(listening("bench.naive", "us-east-1", "-", environ=environ))
        yield (
            endpoint,
            environ,
            [
                Contender("naive: aiosmtpd and boto3 in threads", *naive, Load),
                Contender("aiosmtpd alone, nothing sent", *alone, Load),
                Contender("ses-relay", pid, plain, Load),
                Contender("ses-relay, no journal", none_pid, none, Load),
                Contender("ses-relay, journal on disk", file_pid, on_disk, Load),
                Contender("ses-relay, sessions reused", pid, plain, lambda octets: Load(octets, reuses=True)),
                Contender("ses-relay, SendEmail of v2", v2_pid, v2, Load),
                Contender("ses-relay, AUTH PLAIN", pid, port, lambda octets: Load(octets, user=USER)),
                Contender(
                    "ses-relay, STARTTLS and AUTH", pid, port, lambda octets: Load(octets, user=USER, starttls=True)
                ),
                Contender("ses-relay, mode spool", kept_pid, kept, lambda octets: Load(octets, clients=32)),
            ],
        )


def measured(contender: Contender, octets: int, times: int) -> tuple[float, float]:
    """CPU seconds of the relay for one message, and messages a second."""
    began, spent = time.monotonic(), cpu_of(contender.pid)
    asyncio.run(hand_over(contender.port, contender.load(octets), times))
    if "spool" in contender.name:
        time.sleep(1.0)  # the courier's share counts, too
    return (cpu_of(contender.pid) - spent) / times, times / (time.monotonic() - began)


def bound(endpoint: str, environ: dict[str, str], octets: int, times: int) -> float:
    """CPU seconds of encoding, signing and sending one message, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.bound", endpoint, str(octets), str(times)],
        env=clean_environ(environ),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print a table for each size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("octets", nargs="*", type=int, default=SIZES)
    asked = parser.parse_args(arguments)
    with contenders() as (endpoint, environ, all_of_them):
        for octets in asked.octets:
            times = TIMES.get(octets, 100)
            for each in all_of_them:
                measured(each, octets, max(20, times // 10))  # logged in, connected, warm
            cpu: dict[str, list[float]] = {each.name: [] for each in all_of_them}
            least: list[float] = []
            for _ in range(asked.rounds):
                for each in all_of_them:
                    cpu[each.name].append(measured(each, octets, times)[0])
                least.append(bound(endpoint, environ, octets, times))
            tell(octets, cpu | {"encoded, signed and sent, nothing else": least})


def tell(octets: int, cpu: dict[str, list[float]]) -> None:
    """Print the CPU of each for a message of so many octets."""
    head(f"a message of {octets / 1000:,.0f} KB", "CPU a message", "spread", "naive / this")
    naive = statistics.median(next(iter(cpu.values())))
    for name, spent in cpu.items():
        middle = statistics.median(spent)
        spread = (max(spent) - min(spent)) / middle
        row(name, f"{middle * 1e3:.3f} ms", f"{spread:.0%}", f"{naive / middle:.1f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
