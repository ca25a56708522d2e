"""
Large messages, a file each: a folder of its own, one file an entry, named by its id and by what is in it.

A file is written under another name, synced, renamed, and its folder synced, before the row that makes it count is
committed; it is removed after that row. So a file without a row was never acknowledged, or was settled: it can go.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_NAME: Final = re.compile(rf"({_ID.pattern})\.[0-9a-f]{{16}}", re.ASCII)
UNFINISHED: Final = ".new"
PROBE: Final = "PROBE"  # a file that is never there for long
_PIECE: Final = 1 << 20


class MessageFiles:
    """The folder, open from construction to ``close``. Every method but ``close`` may raise OSError."""

    def __init__(self, folder: Path) -> None:
        """Open *folder*, for its owner alone; it is made when it is not there."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        self.folder = folder
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def write(self, name: str, raw: bytes) -> None:
        """Put *raw* whole into the file *name*. It outlives a loss of power once ``sync`` has returned."""
        unfinished = name + UNFINISHED
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(unfinished, flags, 0o600, dir_fd=self._folder)
        try:
            try:
                _write_all(file, raw)
                os.fsync(file)
            finally:
                os.close(file)
            os.rename(unfinished, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            with contextlib.suppress(OSError):
                self._unlink(unfinished)
            raise

    def sync(self) -> None:
        """Make the names of the files written so far durable."""
        os.fsync(self._folder)

    def read(self, name: str) -> bytes:
        """Read the file *name*, whatever is in it."""
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._folder)
        with os.fdopen(file, "rb") as stream:
            return stream.read()

    def remove(self, name: str) -> None:
        """Remove the file *name*; absent already is well."""
        with contextlib.suppress(FileNotFoundError):
            self._unlink(name)

    def names(self) -> Iterator[str]:
        """Name all that lies in the folder."""
        with os.scandir(self._folder) as found:
            for one in found:
                yield one.name

    def probe(self) -> None:
        """Write, sync and remove a file, to see whether the disk works."""
        self.remove(PROBE + UNFINISHED)
        self.write(PROBE, b"?")
        self.sync()
        self.remove(PROBE)

    def close(self) -> None:
        """Close the folder."""
        os.close(self._folder)

    def _unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self._folder)


def is_id(text: str) -> bool:
    """Tell whether *text* can be the id of an entry."""
    return _ID.fullmatch(text) is not None


def file_name(entry_id: str, sha256: bytes) -> str:
    """Name the file of an entry; another message under the same id would have another name."""
    return f"{entry_id}.{sha256.hex()[:16]}"


def id_of_file(name: str) -> str | None:
    """Tell which entry the file *name* would belong to; None where no message was ever given that name."""
    match = _NAME.fullmatch(name.removesuffix(UNFINISHED))
    return match[1] if match else None


def _write_all(file: int, raw: bytes) -> None:
    """A write may take less than it was given: on a disk that fills up it takes what fits."""
    rest = memoryview(raw)
    while rest:
        rest = rest[os.write(file, rest[:_PIECE]) :]
