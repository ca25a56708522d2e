"""Replies are counted where they are given and told a moment later: there are seven for each message."""

import asyncio
from typing import Final

from relay.observe.events import Observer, Replied

_MOMENT_SECONDS: Final = 0.02


class Said(dict[tuple[str, str, int], int]):
    """How often each reply was given, by listener, command and code, since that was told last: ``said[...] += 1``."""

    def __init__(self, observe: Observer) -> None:
        super().__init__()
        self._observe = observe

    def __missing__(self, reply: tuple[str, str, int]) -> int:
        if not self:
            asyncio.get_running_loop().call_later(_MOMENT_SECONDS, self.tell)
        return 0

    def tell(self) -> None:
        """Tell what was not told yet."""
        counted = tuple(self.items())
        self.clear()
        for (listener, command, code), times in counted:
            self._observe(Replied(listener, command, code, times))
