"""How much may still be kept, known beforehand: asked before each 354, so the answer must cost nothing."""

import os
from pathlib import Path
from typing import Final

from relay.spool.ports import Full
from relay.words.values import dataclass

_ROW: Final = 2048  # octets that an entry takes beside its message, about
_RESERVE: Final = 64 << 20  # octets, at most


@dataclass(frozen=True, slots=True)
class _Free:
    """What the file system had left: octets after the reserve, and whether inodes are left."""

    octets: int
    has_inodes: bool


class DiskRoom:
    """
    Bytes kept against their bound, free disk and free inodes.

    A sixteenth of the disk, 64 MiB at most, and a hundredth of its inodes stay free: settling what is kept needs room
    too. ``look`` and ``count`` are called by the threads that write, the rest by anyone.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._kept = 0
        self._promised = 0
        self._trouble: str | None = None
        self._free = _Free(0, has_inodes=False)
        self.reserve = 0
        self.look()

    def for_message(self, octets: int) -> Full | None:
        """Tell whether *octets* more fit, besides what is being committed."""
        wanted = octets + _ROW
        if self._trouble is not None:
            return Full(f"the spool cannot be written: {self._trouble}")
        if self._kept + self._promised + wanted > self._max_bytes:
            return Full(f"spool.max_bytes: {self._kept} of {self._max_bytes} octets are taken")
        if not self._free.has_inodes:
            return Full(f"{self._folder}: less than a hundredth of the inodes of its disk is free")
        if self._promised + wanted > self._free.octets:
            return Full(f"{self._folder}: its disk is full, but for a reserve")
        return None

    def promise(self, octets: int) -> None:
        """Count a message that is being committed."""
        self._promised += octets + _ROW

    def fulfil(self, octets: int) -> None:
        """Count it no longer: it was committed, and is counted there, or it was not."""
        self._promised -= octets + _ROW

    def count(self, octets: int, messages: int) -> None:
        """Learn what is kept."""
        self._kept = octets + messages * _ROW

    def look(self) -> None:
        """Ask the file system. It keeps quiet about its troubles: the writes will tell."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return
        total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        has_inodes = found.f_files == 0 or found.f_favail * 100 >= found.f_files
        self.reserve = min(_RESERVE, total // 16)
        self._free = _Free(max(0, free - self.reserve), has_inodes)

    @property
    def trouble(self) -> str | None:
        """What went wrong with the disk and has not been seen to work again."""
        return self._trouble

    def report(self, trouble: str | None) -> None:
        """Learn that the disk fails, or (None) that it works: until then nothing new is taken."""
        self._trouble = trouble
