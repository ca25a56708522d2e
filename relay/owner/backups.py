"""
Policy texts put aside before they are replaced or deleted: SES keeps none (SES Developer Guide, "Managing your
sending authorization policies").

``ROOT/ACCOUNT/REGION/IDENTITY/NAME.TIMESTAMP.json``, readable for whoever runs the command only.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from relay.words.arns import IdentityArn

#: UTC, to the microsecond: no two texts of one policy have the same.
_TIME: Final = "%Y%m%dT%H%M%S.%fZ"


class BackupProblem(Exception):
    """A text could not be put aside. ``str()`` says where and why."""


def _now() -> datetime:
    return datetime.now(UTC)


class Backup:
    """The folder *root* for texts that are about to go."""

    def __init__(self, root: Path, clock: Callable[[], datetime] = _now) -> None:
        self._root = root
        self._clock = clock

    def keep(self, identity: IdentityArn, name: str, text: str) -> Path:
        """
        Write *text*, durably, and return where.

        Raises:
            BackupProblem: It could not be written.

        """
        folder = self._root
        places = [folder := folder / _safe(part) for part in (identity.account, identity.region, identity.name)]
        path = folder / f"{_safe(name)}.{self._clock().strftime(_TIME)}.json"
        try:
            for place in (self._root, *places):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            door = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(door, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(door)
            sync_folder(folder)
        except OSError as error:
            raise BackupProblem(f"{error.filename or path} cannot be written: {error.strerror}") from error
        return path


def sync_folder(folder: Path) -> None:
    """
    Make what came and went in *folder* outlast a crash.

    Raises:
        OSError: It could not be synced.

    """
    door = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(door)
    finally:
        os.close(door)


def _safe(part: str) -> str:
    """One folder's name: an address may have a slash in it."""
    return part.replace("/", "%2F") if part.strip(".") else f"%{part}"
