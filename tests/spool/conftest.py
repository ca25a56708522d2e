"""What lets a test lie to a process about its disk."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def _allowed(arguments: list[str], what: str) -> None:
    tried = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"{what} is forbidden here: {tried.stderr.strip()}")


@pytest.fixture
def strace(tool: Callable[[str], str]) -> str:
    """The tracer. Skipped where the kernel forbids tracing, as in some containers."""
    path = tool("strace")
    _allowed([path, "-o", "/dev/null", "true"], "tracing processes (CAP_SYS_PTRACE)")
    return path


@pytest.fixture
def small_disk(tool: Callable[[str], str], tmp_path: Path) -> Callable[[list[str]], list[str]]:
    """
    Wrap a command that writes to ``tmp_path/disk``, so that this is a disk of 4 MiB; what is left of it is then in
    ``tmp_path/left``. Skipped where the kernel forbids namespaces.
    """
    unshare = [tool("unshare"), "--map-root-user", "--mount"]
    disk, left = tmp_path / "disk", tmp_path / "left"
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    disk.mkdir()
    _allowed([*unshare, *mount], "mounting in a namespace of one's own")

    def wrapped(command: list[str]) -> list[str]:
        script = '"$@" && cp -a "$DISK" "$LEFT"'
        named = ["env", f"DISK={disk}", f"LEFT={left}", "sh", "-c", f"{' '.join(mount)} && {script}", "sh"]
        return [*unshare, *named, *command]

    return wrapped
