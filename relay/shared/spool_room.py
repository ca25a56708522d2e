"""How much may still be kept at a server, known beforehand: asked before each 354, so the answer must cost nothing."""

from typing import Final

from relay.spool.bound import RESERVE, Bound
from relay.spool.ports import Full

NOT_SEEN: Final = "its server has not been looked at yet"


class ServerRoom:
    """
    What all relays keep against its bound, and the server's memory against its limit.

    A sixteenth of the memory, 64 MiB at most, stays free, for what else is kept there and for what other relays commit
    before we hear of it. Where there is no limit (``maxmemory 0``) the bound alone counts.
    """

    def __init__(self, max_bytes: int) -> None:
        self.bound = Bound(max_bytes)
        self._used, self._limit = 0, 0
        #: Why nothing new may be taken.
        self.trouble: str | None = NOT_SEEN

    def for_message(self, octets: int) -> Full | None:
        """Tell whether *octets* more fit, besides what is being committed."""
        if self.trouble is not None:
            return Full(f"the spool takes nothing new: {self.trouble}")
        if (full := self.bound.for_message(octets)) is not None:
            return full
        reserve = min(RESERVE, self._limit // 16)
        if self._limit and self._used + self.bound.promised_with(octets) > self._limit - reserve:
            return Full(f"the spool's server: {self._used} octets of its maxmemory, {self._limit}, are taken")
        return None

    def look(self, used: int, limit: int) -> None:
        """Learn how much memory the server has in use, and how much it may; 0 for no limit."""
        self._used, self._limit = used, limit
