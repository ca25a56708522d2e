"""Which checkout is measured: the one that the bench lies in, or another that it is compared with."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


def environ_of(tree: Path) -> dict[str, str]:
    """What makes a Python started anywhere import from *tree*, whatever else is installed."""
    return {"PYTHONPATH": str(tree)}


def prove(tree: Path) -> Path:
    """Return what a Python that is started as relays are imports as the relay; exit unless that is of *tree*."""
    asking = [sys.executable, "-c", "import relay; print(relay.__file__)"]
    environ = {**os.environ, **environ_of(tree)}
    said = subprocess.run(asking, cwd="/", env=environ, capture_output=True, text=True, check=True).stdout
    found = Path(said.strip()).resolve()
    if not found.is_relative_to(tree.resolve()):
        raise SystemExit(f"bench: {tree} was to be measured, but {found} would be")
    return found


def revision(tree: Path) -> str:
    """What git calls a tree, with a word when it holds changes; empty where there is no git."""
    asking = ["git", "-C", str(tree), "describe", "--always", "--dirty= and changes", "--exclude=*"]
    return subprocess.run(asking, capture_output=True, text=True, check=False).stdout.strip()


@contextmanager
def checked_out(repository: Path, name: str) -> Iterator[Path]:
    """Check a revision out into a folder beside the repository's own, for the time of the block."""
    git = ["git", "-C", str(repository), "worktree"]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tree = Path(folder) / "tree"
        added = subprocess.run(
            [*git, "add", "--quiet", "--detach", str(tree), name], capture_output=True, text=True, check=False
        )
        if added.returncode:
            raise SystemExit(f"bench: {added.stderr.strip()}")
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
