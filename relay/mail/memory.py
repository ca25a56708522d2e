"""
What was made of a message that is soon read again: before it was kept, and when its turn to be sent has come.

Reading and rewriting depend on their arguments and nothing else. What was made is remembered with those arguments, and
for others, be it by one octet, there is no memory.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeAlias, TypeVar

from relay.mail.profile import Profile
from relay.words.transactions import Envelope, Session

_Made = TypeVar("_Made")
#: By what a message is read and its Received field written: the profile, who brought it, our host name, to whom, and
#: the second.
By: TypeAlias = tuple[Profile, Session, str, Envelope, int]

#: Octets of messages that are remembered, and of one; the oldest are forgotten first.
MOST_OCTETS: Final = 4 << 20
LONGEST: Final = 128 << 10


class Readings(Generic[_Made]):
    """A short memory of what was made of messages, each told once."""

    def __init__(self, most_octets: int = MOST_OCTETS) -> None:
        self._free = most_octets
        self._kept: OrderedDict[str, tuple[bytes, By, _Made]] = OrderedDict()

    def keep(self, name: str, raw: bytes, by: By, made: _Made) -> None:
        """Remember as *name* what was *made* of *raw*, unless that is large."""
        if len(raw) > LONGEST:
            return
        if name in self._kept:
            self._drop(name)
        self._kept[name] = raw, by, made
        self._free -= len(raw)
        while self._free < 0:
            self._drop(next(iter(self._kept)))

    def take(self, name: str, raw: bytes, by: By) -> _Made | None:
        """Return what is remembered as *name*, and forget it; None unless it was made of just these."""
        kept = self._drop(name)
        return kept[2] if kept is not None and kept[:2] == (raw, by) else None

    def _drop(self, name: str) -> tuple[bytes, By, _Made] | None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._free += len(kept[0])
        return kept
