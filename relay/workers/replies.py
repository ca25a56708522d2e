"""Replies of a worker, told in sums: seven of a dozen events of a message, and none of them is missed for a moment."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.observe.events import Replied

#: Seconds for which replies are counted together.
GATHERING: Final = 0.05


class Replies:
    """Counts replies; *mention* hears how many there were of each."""

    def __init__(self, mention: Callable[[Replied], None]) -> None:
        self._mention = mention
        self._counts: dict[tuple[str, str, int], int] = {}

    def count(self, event: Replied) -> None:
        """Count one."""
        counts = self._counts
        if not counts:
            asyncio.get_running_loop().call_later(GATHERING, self.tell)
        key = (event.listener, event.command, event.code)
        counts[key] = counts.get(key, 0) + event.times

    def tell(self) -> None:
        """Tell what was counted since."""
        counts, self._counts = self._counts, {}
        for (listener, command, code), times in counts.items():
            self._mention(Replied(listener, command, code, times))
