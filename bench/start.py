"""
``python -m bench.start``: what starting costs, of the relay and of the commands that are run again and again.

The program is the one that is installed beside this Python; the relay is the demo's, with a spool, before the embedded
SES. CPU time is that of the processes; the time until ready is on a clock, so it says something of the machine as well.

The floor is a bare Python that imports what the relay imports of others, and does nothing.
"""

import os
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

from bench.clock import head, row
from tests.system.houses import House
from tests.system.relays import clean_environ, started_ses

ROUNDS: Final = 7
PROGRAM: Final = str(Path(sys.executable).with_name("ses-relay"))
IDLE_SECONDS: Final = 3
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
    with tempfile.TemporaryDirectory() as folder, started_ses(Path(folder)) as ses:
        house = House(Path(folder) / "house", certificate(Path(folder)), ses=ses.url).keep("fallback")
        ready, spent, resident = [], [], []
        for _ in range(ROUNDS):
            began = time.monotonic()
            with house.serve() as relay:
                ready.append(time.monotonic() - began)
                spent.append(cpu_of(relay.process.pid))
                if len(ready) == ROUNDS:
                    probe = cpu_of_command("healthcheck", "--admin", relay.addresses["admin"])
                    time.sleep(IDLE_SECONDS)
                resident.append(resident_of(relay.process.pid))
        cpu, memory = floor()
        head("Starting", "median", "of the floor")
        row("the floor: what it imports of others, CPU", f"{cpu:.2f} s")
        row(
            "the relay: until it is ready, CPU",
            f"{statistics.median(spent):.2f} s",
            f"{statistics.median(spent) / cpu:.1f}",
        )
        row("the relay: until it is ready, on a clock", f"{statistics.median(ready):.2f} s")
        row("the floor: resident", f"{memory / 1024:.0f} MiB")
        more = (statistics.median(resident) - memory) / 1024
        row("the relay: resident while idle", f"{statistics.median(resident) / 1024:.0f} MiB", f"+ {more:.0f} MiB")
        row("ses-relay healthcheck, CPU", f"{probe * 1000:.0f} ms")
        row("ses-relay --version, CPU", f"{cpu_of_command('--version') * 1000:.0f} ms")


def floor() -> tuple[float, int]:
    """CPU seconds and resident KiB, medians, of a Python that imports what the relay does of others."""
    names = _printed(OF_OTHERS).split()
    cpu, resident = zip(*(map(float, _printed(BARE, *names).split()) for _ in range(ROUNDS)), strict=True)
    return statistics.median(cpu), int(statistics.median(resident))


def _printed(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def certificate(folder: Path) -> tuple[Path, Path]:
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    chain, key = folder / "certificate.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_of(pid: int) -> int:
    """KiB of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def cpu_of_command(*arguments: str) -> float:
    """Median CPU seconds of a whole command."""
    return statistics.median(_once(arguments) for _ in range(ROUNDS))


def _once(arguments: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([PROGRAM, *arguments], env=clean_environ(), stdout=subprocess.DEVNULL, check=True, timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
