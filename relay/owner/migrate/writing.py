"""A migration into a folder that must be empty: all of it or nothing, and never over anything."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from relay.owner.migrate.policies import Starting
from relay.owner.writing import write_policy


class FolderTaken(Exception):
    """There is something in the folder already. ``str()`` is its path."""


def check_free(folder: Path) -> None:
    """
    Check that the folder is not there, or empty.

    Raises:
        FolderTaken: It is neither.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderTaken(str(folder))


@contextmanager
def composed(beside: Path, texts: Mapping[str, str], policies: tuple[Starting, ...]) -> Iterator[Path]:
    """
    Write all into a new folder next to *beside*, whole, and remove it when the block ends, unless it was moved away.

    What ``texts`` has under ``htpasswd`` only its owner can read.

    Raises:
        OSError: It could not be written.
    """
    beside.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{beside.name}.", dir=beside.parent))
    try:
        for name, text in texts.items():
            path = folder / name
            path.touch(0o600 if name == "htpasswd" else 0o644)
            path.write_text(text, encoding="utf-8")
        (folder / "policies").mkdir()
        for policy in policies:
            write_policy(folder / "policies", policy.identity, policy.name, policy.text)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move_into_place(composed: Path, folder: Path) -> None:
    """
    Give the composed folder its name. The system refuses where something is in the way.

    Raises:
        FolderTaken: Something came there in the meantime.
        OSError: It could not be moved.
    """
    check_free(folder)
    composed.chmod(0o755)
    try:
        os.rename(composed, folder)  # noqa: PTH104  Path.rename is the same call; this says that it replaces nothing
    except OSError as error:
        check_free(folder)
        raise error from None
