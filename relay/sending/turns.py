"""So many calls at a time: who comes when all turns are taken waits in line."""

import asyncio
from collections import deque


class Turns:
    """
    *number* turns. Nobody waits while one is free, so that taking one is as good as nothing: every message does.

    Who has one owes :meth:`give_back`.
    """

    __slots__ = ("_free", "_line")

    def __init__(self, number: int) -> None:
        self._free = number
        self._line: deque[asyncio.Future[bool]] = deque()  # also those who have gone, until it is theirs

    def take(self) -> bool:
        """Take a turn that is free, and tell whether there was one."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def wait(self, seconds: float) -> bool:
        """Wait for a turn, at most *seconds*, and tell whether there was one."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line.append(turn)
        timer = loop.call_later(seconds, _give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():  # it came at the same moment
                self.give_back()
            raise
        finally:
            timer.cancel()

    def give_back(self) -> None:
        """Pass a turn on to who waits longest."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1


def _give_up(turn: "asyncio.Future[bool]") -> None:
    if not turn.done():
        turn.set_result(False)
