"""What a worker asks its supervisor, and waits for."""

import asyncio
from typing import Any

from relay.workers.sums import Sums
from relay.workers.wire import Wire


class SupervisorGone(Exception):
    """Nobody answers any more: this process is about to end."""


class Asking:
    """
    Questions over the wire. Answers may come in any order.

    ``books``: another wire, for what is told and never answered; it is read from time to time. ``sums``: what is told
    over that wire with how often it was.
    """

    def __init__(self, wire: Wire, books: Wire, sums: Sums) -> None:
        self.wire = wire
        self.books = books
        self.sums = sums
        self.is_over = False
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def ask(self, what: str, *values: Any) -> Any:
        """
        Ask, and wait for the answer.

        Raises:
            SupervisorGone: There will be none.
        """
        if self.is_over:
            raise SupervisorGone
        self._number += 1
        answer = self._open[self._number] = asyncio.get_running_loop().create_future()
        self.wire.say(what, self._number, *values)
        return await answer

    def answered(self, number: int, value: Any) -> None:
        """Hear an answer."""
        waiting = self._open.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(value)

    def end(self) -> None:
        """Let nobody wait for an answer any more."""
        self.is_over = True
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(SupervisorGone())
        self._open.clear()
