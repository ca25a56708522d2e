"""How much may still be kept, known beforehand: asked before each 354, so the answer must cost nothing."""

import os
from pathlib import Path

from relay.spool.bound import RESERVE, Bound
from relay.spool.ports import Full
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class _Free:
    """What the file system had left: octets after the reserve, and whether inodes are left."""

    octets: int
    has_inodes: bool


class DiskRoom:
    """
    What is kept against its bound, free disk and free inodes.

    A sixteenth of the disk, 64 MiB at most, and a hundredth of its inodes stay free: settling what is kept needs room
    too. ``look`` and ``count`` are called by the threads that write, the rest by anyone.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self.bound = Bound(max_bytes)
        self._trouble: str | None = None
        self._free = _Free(0, has_inodes=False)
        self._left = -1  # octets for what is being committed, when it was reckoned last: it is asked twice a message
        self.reserve = 0
        self.look()

    def for_message(self, octets: int) -> Full | None:
        """Tell whether *octets* more fit, besides what is being committed."""
        if self._trouble is None and self.bound.promised_with(octets) <= self._left:
            return None
        return self._refusal(octets)

    def _refusal(self, octets: int) -> Full | None:
        if self._trouble is not None:
            return Full(f"the spool cannot be written: {self._trouble}")
        if (full := self.bound.for_message(octets)) is not None:
            return full
        if not self._free.has_inodes:
            return Full(f"{self._folder}: less than a hundredth of the inodes of its disk is free")
        if self.bound.promised_with(octets) > self._free.octets:
            return Full(f"{self._folder}: its disk is full, but for a reserve")
        return None

    def look(self) -> None:
        """Ask the file system. It keeps quiet about its troubles: the writes will tell."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return
        total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        has_inodes = found.f_files == 0 or found.f_favail * 100 >= found.f_files
        self.reserve = min(RESERVE, total // 16)
        self._free = _Free(max(0, free - self.reserve), has_inodes)
        self._reckon()

    def count(self, octets: int, messages: int) -> None:
        """Learn what is kept."""
        self.bound.count(octets, messages)
        self._reckon()

    @property
    def trouble(self) -> str | None:
        """What went wrong with the disk and has not been seen to work again."""
        return self._trouble

    def report(self, trouble: str | None) -> None:
        """Learn that the disk fails, or (None) that it works: until then nothing new is taken."""
        self._trouble = trouble

    def _reckon(self) -> None:
        self._left = min(self.bound.free, self._free.octets) if self._free.has_inodes else -1
