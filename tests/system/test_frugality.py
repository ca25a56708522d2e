"""What a burst of large messages took is given back."""

import ctypes
import subprocess
import sys

import pytest

from relay.cli import frugality

pytestmark = pytest.mark.system

BURST = """
import re, sys
from pathlib import Path
from relay.cli.frugality import be_frugal

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

if sys.argv[1] == "frugal":
    be_frugal()
for size in (10 << 20, 1 << 20, 200 << 10):
    held = [b"x" * size for _ in range((40 << 20) // size)]
    small = [bytes(100) for _ in range(1000)]
    del held
print(resident())
"""


def test_memory_is_given_back_after_a_burst() -> None:
    def after(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", BURST, how], capture_output=True, check=True, timeout=30)
        return int(done.stdout)

    assert after("frugal") < 40_000


def test_where_there_is_no_glibc_the_interpreter_is_frugal_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def nowhere(library: object) -> None:
        asked.append(library)
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", nowhere)
    monkeypatch.setattr(sys, "setswitchinterval", asked.append)

    frugality.be_frugal()

    assert asked == [0.001, None]


def test_what_there_is_at_the_start_is_looked_at_no_more() -> None:
    """
    A look for garbage takes as long as there are objects: those of a hundred thousand identities would hold up mail.
    """
    script = "import gc; from relay.cli.frugality import settle; settle(); print(gc.get_freeze_count())"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=30, text=True)

    assert int(done.stdout) > 1000
