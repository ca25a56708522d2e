"""A relay needs nothing that the sandbox of its unit takes away."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment.units import calls_allowed, values_of
from tests.system.houses import House
from tests.system.relays import RunningRelay, clean_environ, ending
from tests.system.rows import PERMITTED, secret_of

#: ``MemoryDenyWriteExecute=`` by the kernel's own means: memory that was written is never executed from here on.
WITHOUT_WRITTEN_CODE = """
import ctypes, os, sys
print("refused" if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0 else "written code cannot be refused", flush=True)
os.execv(sys.executable, [sys.executable, "-m", "relay", *sys.argv[1:]])
"""
#: SQLite gives its files back to their owner where it runs as root, as tests may; the unit does not.
ROOTS_OWN = {"fchown"}


def launched(house: House, *before: str) -> RunningRelay:
    """Start the relay of a house behind other words on the command line, without written code."""
    words = [*before, sys.executable, "-c", WITHOUT_WRITTEN_CODE, "serve", "-c", str(house.settings)]
    log = house.folder / "sandboxed.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(words, stdout=sink, stderr=subprocess.STDOUT, env=clean_environ(), cwd=house.folder)
    return RunningRelay(process, log)


def test_a_day_of_a_relay_is_within_the_sandbox(house: House, tool: Callable[[str], str], tmp_path: Path) -> None:
    """It starts, spools, sends, reloads, shows metrics, stops: by allowed system calls and address families alone."""
    allowed = calls_allowed()
    trace = tmp_path / "trace"
    house.keep("spool")
    relay = launched(house, tool("strace"), "-D", "-f", "-qq", "-o", str(trace))
    with ending(relay):
        relay.addresses = relay.wait_for("relay.ready")
        if not relay.text.startswith("refused"):
            pytest.skip("this kernel cannot refuse written code (Linux 6.3 can)")
        row = PERMITTED[0]
        with relay.client(row.delegate, secret_of(row.delegate)) as client:
            assert client.hand_over(row.mail_from, row.recipients, row.raw).startswith("250")
        relay.wait_for_messages(1)
        assert relay.reload()["event"] == "relay.reloaded"
        assert "process_start_time_seconds" in relay.get("/metrics")
    written = trace.read_text()
    made = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", written, re.MULTILINE))
    families = set(re.findall(r" socket\((AF_[A-Z0-9]+)", written))

    assert {"execve", "openat", "fdatasync"} <= made
    assert made - allowed - ROOTS_OWN == set()
    assert families - set(values_of("RestrictAddressFamilies")[0].split()) == set()
