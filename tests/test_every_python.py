"""Messages and policies mean the same on every Python that is there: in Debian's, and in those that developers keep."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verdicts import verdicts

ROOT = Path(__file__).parents[1]
OWN = ".".join(map(str, sys.version_info[:3]))


def others() -> dict[str, str]:
    """Every Python from 3.11 on at hand but the one that runs this, by its version."""
    names = [f"python3.{minor}" for minor in range(11, 16)]
    found = [shutil.which(name, path=path) for name in names for path in (None, "/usr/bin", "/usr/local/bin")]
    found += [str(path) for path in Path.home().glob(".pyenv/versions/3.*/bin/python")]
    versions: dict[str, str] = {}
    for program in filter(None, found):
        asked = [program, "-c", "import sys; print(*sys.version_info[:3], sep='.')"]
        version = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        if version and version != OWN and tuple(map(int, version.split("."))) >= (3, 11):
            versions.setdefault(version, program)
    return versions


OTHERS = others()


@pytest.mark.skipif(not OTHERS, reason="no other Python from 3.11 on is here")
def test_messages_and_policies_mean_the_same():
    here = verdicts()
    assert len(here) > 5_000
    for version, program in OTHERS.items():
        done = subprocess.run([program, "-m", "tests.verdicts"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{version}: {done.stderr}"
        differing = [pair for pair in zip(here, done.stdout.splitlines(), strict=True) if len(set(pair)) > 1]
        assert differing == [], version
