"""
``python -m bench.start``: what starting costs, of the relay and of the commands that are run again and again.

The program is the one that is installed beside this Python; the relay is the demo's, with a spool, before the embedded
SES. CPU time is that of the processes; the time until ready is on a clock, so it says something of the machine as well.

The floor is a bare Python that imports what the relay imports of others, and does nothing.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trustme

from bench.arithmetic import Spread, ratios
from bench.machine import MEASURED, cpu_of, on, resident_of
from bench.record import figure, head, row
from bench.trees import ROOT, environ_of
from tests.system.houses import House
from tests.system.relays import clean_environ, started_ses

ROUNDS: Final = 15
PROGRAM: Final = str(Path(sys.executable).with_name("ses-relay"))
IDLE_SECONDS: Final = 3
MIB: Final = 1 << 20
#: Prints the modules of others that the relay loads, in the order in which they are.
OF_OTHERS: Final = """
import sys, relay.cli.serve, uvloop
ours = {*sys.stdlib_module_names, "relay", "__main__"}
print(*(name for name in sys.modules if name.partition(".")[0] not in ours))
"""
#: Imports them and prints CPU seconds and resident KiB. Some are names that only their own package can import.
BARE: Final = """
import contextlib, importlib, resource, sys
for name in sys.argv[1:]:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
used = resource.getrusage(resource.RUSAGE_SELF)
resident = open("/proc/self/status").read().partition("VmRSS:")[2].split()[0]
print(used.ru_utime + used.ru_stime, resident)
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, on(MEASURED), started_ses(Path(folder)) as ses:
        house = House(Path(folder) / "house", certificate(Path(folder)), ses=ses.url).keep("fallback")
        ready, spent, floors, resident = [], [], [], []
        names = _printed(OF_OTHERS).split()
        for turn in range(ROUNDS):
            floors.append(floor(names))
            began = time.monotonic()
            with house.serve(environ_of(ROOT)) as relay:
                ready.append(time.monotonic() - began)
                spent.append(cpu_of(relay.process.pid))
                if turn == ROUNDS - 1:
                    probe = cpu_of_command("healthcheck", "--admin", relay.addresses["admin"])
                    time.sleep(IDLE_SECONDS)
                resident.append(resident_of(relay.process.pid) / MIB)
    tell([cpu for cpu, _ in floors], spent, ready)
    tell_resident([memory for _, memory in floors], resident)
    head("commands", "CPU ms")
    for name, seconds in (("healthcheck", probe), ("--version", cpu_of_command("--version"))):
        row(f"ses-relay {name}", f"{seconds * 1e3:.0f}")
        figure(name, seconds)


def tell(floors: list[float], spent: list[float], ready: list[float]) -> None:
    head("starting", "seconds", "of the floor")
    row("the floor: what it imports of others, CPU", Spread.of(floors).text(".2f"))
    over = ratios(spent, floors)
    row("the relay: until it is ready, CPU", Spread.of(spent).text(".2f"), over.text(".2f"))
    row("the relay: until it is ready, on a clock", Spread.of(ready).text(".2f"))
    figure("start", over.middle)


def tell_resident(floors: list[float], resident: list[float]) -> None:
    bare, idle = Spread.of(floors).middle, Spread.of(resident).middle
    head("resident", "MiB", "over the floor")
    row("the floor", f"{bare:.0f}")
    row("the relay while idle", f"{idle:.0f}", f"{idle - bare:.0f}")
    figure("resident", idle - bare)


def floor(names: Sequence[str]) -> tuple[float, float]:
    """CPU seconds and resident MiB of a Python that imports these modules."""
    cpu, kib = _printed(BARE, *names).split()
    return float(cpu), float(kib) / 1024


def _printed(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    environ = clean_environ(environ_of(ROOT))
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout


def certificate(folder: Path) -> tuple[Path, Path]:
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    chain, key = folder / "certificate.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key


def cpu_of_command(*arguments: str) -> float:
    """Median CPU seconds of a whole command."""
    return statistics.median(_once(arguments) for _ in range(ROUNDS))


def _once(arguments: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [PROGRAM, *arguments], env=clean_environ(environ_of(ROOT)), stdout=subprocess.DEVNULL, check=True, timeout=30
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
