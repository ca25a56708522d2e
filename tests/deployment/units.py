"""The unit of systemd, taken apart, and systemd-analyze, which knows what its lines mean."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT

UNITS: Final = ROOT / "config" / "systemd"
UNIT: Final = UNITS / "ses-relay.service"
DROP_INS: Final = sorted((UNITS / "drop-ins").glob("*.conf"))


def values_of(key: str, *files: Path) -> list[str]:
    """Every value of a key in the unit, or in *files*, in order."""
    return [
        value for file in files or (UNIT,) for value in re.findall(rf"^{key}=(.*)$", file.read_text(), re.MULTILINE)
    ]


def analyzed(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze. Skipped where there is none: not every machine that builds has systemd."""
    path = shutil.which("systemd-analyze")
    if path is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=30)


def calls_allowed() -> set[str]:
    """The system calls that ``SystemCallFilter=`` leaves: the first line allows, a later one with ``~`` takes away."""
    allowed: set[str] = set()
    for value in values_of("SystemCallFilter"):
        calls = {call for name in value.removeprefix("~").split() for call in _calls_of(name)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def _calls_of(name: str) -> set[str]:
    """One call, or all calls of a set and of the sets in it."""
    if not name.startswith("@"):
        return {name}
    told = analyzed("syscall-filter", "--no-pager", name)
    assert told.returncode == 0, told.stderr
    names = [line.strip() for line in told.stdout.splitlines()[1:] if line.strip() and "#" not in line]
    return {call for each in names for call in _calls_of(each)}
