"""What ``spool.max_bytes`` leaves free: what is kept, and what was promised room while it is being committed."""

from typing import Final

from relay.spool.ports import Full

BESIDE: Final = 2048  # octets that an entry takes beside its message, about
RESERVE: Final = 64 << 20  # octets that stay free where a spool lies, at most


class Bound:
    """Octets against their bound, ``max_bytes``: messages, each with what its entry takes beside it."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._kept = 0
        self._promised = 0

    def for_message(self, octets: int) -> Full | None:
        """Tell whether *octets* more fit, besides what is being committed."""
        if self.promised_with(octets) > self.free:
            return Full(f"spool.max_bytes: {self._kept} of {self.max_bytes} octets are taken")
        return None

    @property
    def free(self) -> int:
        """The octets that are neither kept nor out of bounds."""
        return self.max_bytes - self._kept

    def promised_with(self, octets: int) -> int:
        """Return the octets that are being committed, with a message of *octets* more."""
        return self._promised + octets + BESIDE

    def promise(self, octets: int) -> None:
        """Count a message that is being committed."""
        self._promised += octets + BESIDE

    def fulfil(self, octets: int) -> None:
        """Count it no longer: it was committed, and is counted there, or it was not."""
        self._promised -= octets + BESIDE

    def count(self, octets: int, messages: int) -> None:
        """Learn what is kept."""
        self._kept = octets + messages * BESIDE
