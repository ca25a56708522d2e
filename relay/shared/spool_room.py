"""How much may still be kept at a server, known beforehand: asked before each 354, so the answer must cost nothing."""

from typing import Final

from relay.spool.ports import Full

BESIDE: Final = 2048  # octets that an entry takes beside its message, about
NOT_SEEN: Final = "its server has not been looked at yet"
_RESERVE: Final = 64 << 20  # octets, at most


class ServerRoom:
    """
    Octets kept against their bound, and the server's memory against its limit.

    A sixteenth of the memory, 64 MiB at most, stays free, for what else is kept there and for what other relays commit
    before we hear of it. Where there is no limit (``maxmemory 0``) the bound alone counts.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._kept = 0
        self._promised = 0
        self._used, self._limit = 0, 0
        #: Why nothing new may be taken.
        self.trouble: str | None = NOT_SEEN

    def for_message(self, octets: int) -> Full | None:
        """Tell whether *octets* more fit, besides what is being committed."""
        wanted = octets + BESIDE
        if self.trouble is not None:
            return Full(f"the spool takes nothing new: {self.trouble}")
        if self._kept + self._promised + wanted > self.max_bytes:
            return Full(f"spool.max_bytes: {self._kept} of {self.max_bytes} octets are taken")
        reserve = min(_RESERVE, self._limit // 16)
        if self._limit and self._used + self._promised + wanted > self._limit - reserve:
            return Full(f"the spool's server: {self._used} octets of its maxmemory, {self._limit}, are taken")
        return None

    def promise(self, octets: int) -> None:
        """Count a message that is being committed."""
        self._promised += octets + BESIDE

    def fulfil(self, octets: int) -> None:
        """Count it no longer: it was committed, and is counted there, or it was not."""
        self._promised -= octets + BESIDE

    def count(self, octets: int, messages: int) -> None:
        """Learn what all relays keep."""
        self._kept = octets + messages * BESIDE

    def look(self, used: int, limit: int) -> None:
        """Learn how much memory the server has in use, and how much it may; 0 for no limit."""
        self._used, self._limit = used, limit
