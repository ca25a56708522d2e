"""What a worker says often and nobody misses for a moment, told in sums: replies, and messages that SES took."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.workers.wire import Message

#: Seconds for which it is counted.
GATHERING: Final = 0.05


class Sums:
    """Counts messages that are the same; *mention* hears each with how often it was said, which is its last value."""

    def __init__(self, mention: Callable[[Message], None]) -> None:
        self._mention = mention
        self._counts: dict[Message, int] = {}

    def add(self, message: Message, times: int = 1) -> None:
        """Count one, or so many."""
        counts = self._counts
        if not counts:
            asyncio.get_running_loop().call_later(GATHERING, self.tell)
        counts[message] = counts.get(message, 0) + times

    def tell(self) -> None:
        """Tell what was counted since."""
        counts, self._counts = self._counts, {}
        for message, times in counts.items():
            self._mention((*message, times))
