"""
What was read in a message that is soon read again: before it was kept, and when its turn to be sent has come.

Reading and rewriting depend on their arguments and nothing else. They are remembered with those arguments, and for
others, be it by one octet, there is no memory.
"""

from collections import OrderedDict
from typing import Final, TypeAlias

from relay.mail.profile import Profile
from relay.mail.reading import Head
from relay.words.transactions import Envelope, Session
from relay.words.values import dataclass

#: What a Received field is written of: by whom the message came, our host name, to whom, and the second.
Trace: TypeAlias = tuple[Session, str, Envelope, int]
#: Octets of messages that are remembered, and of one; the oldest are forgotten first.
MOST_OCTETS: Final = 4 << 20
LONGEST: Final = 128 << 10


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One message, as it was read and rewritten.

    ``head`` is what was read in ``raw`` by ``profile``, and the body was found well, too; ``sent`` is what
    :func:`relay.mail.rewriting.rewrite_head` made of it with a Received field written of ``trace``.
    """

    raw: bytes
    profile: Profile
    head: Head
    trace: Trace
    sent: bytes


class Readings:
    """A short memory of readings, each told once."""

    def __init__(self, most_octets: int = MOST_OCTETS) -> None:
        self._free = most_octets
        self._kept: OrderedDict[str, Reading] = OrderedDict()

    def keep(self, name: str, reading: Reading) -> None:
        """Remember *reading* as *name*, unless it is a large one."""
        if len(reading.raw) > LONGEST:
            return
        self._drop(name)
        self._kept[name] = reading
        self._free -= len(reading.raw)
        while self._free < 0:
            self._drop(next(iter(self._kept)))

    def take(self, name: str, raw: bytes, profile: Profile) -> Reading | None:
        """Return what is remembered as *name*, and forget it; None unless it was read in *raw* by *profile*."""
        reading = self._drop(name)
        return reading if reading is not None and (reading.raw, reading.profile) == (raw, profile) else None

    def _drop(self, name: str) -> Reading | None:
        reading = self._kept.pop(name, None)
        if reading is not None:
            self._free += len(reading.raw)
        return reading
