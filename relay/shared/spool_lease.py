"""
Who has the spool open: a lease that is made longer while the relay lives, and the server's clock, told on the way.

The lease is the relay's, not an entry's: it costs the same with one call under way and with a hundred. Its time is the
server's. When it ends, because the relay died, hangs, or cannot reach the server, others take over what it was sending.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from relay.shared import spool_scripts as scripts
from relay.shared.answers import Away
from relay.shared.engine import Engine
from relay.shared.spool_promise import Wish, look, problem_with
from relay.shared.spool_room import ServerRoom

SCHEMA: Final = 1
_LOOK_SECONDS: Final = 2.0


class Lease:
    """
    The lease of one open spool, and what is looked at as often as it is renewed.

    Args:
        root: The key that the spool's others begin with.
        name: The spool's own.
        seconds: Of the lease; 0 for a visitor, who sends nothing and has none.
        found: Hears what is out of order, in words.
        tidy: Called after each renewal.
    """

    def __init__(
        self,
        engine: Engine,
        root: str,
        *,
        name: str,
        seconds: float,
        wish: Wish,
        room: ServerRoom,
        found: Callable[[str], None],
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine, self._root, self._name = engine, root, name
        self._wish, self._room, self._found, self._tidy = wish, room, found, tidy
        self.seconds = seconds
        self.holder = secrets.token_hex(8) if seconds else ""
        self._held_until = float("-inf")  # monotonic
        self._offset = time.time() - time.monotonic()
        self._running: asyncio.Task[None] | None = None

    def wall(self) -> float:
        """Tell the server's time, in seconds since the epoch."""
        return time.monotonic() + self._offset

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have taken over what we send."""
        return time.monotonic() < self._held_until

    def renewed_at(self, moment: float) -> None:
        """Note that a call which began at *moment*, monotonic, has made it longer."""
        self._held_until = max(self._held_until, moment + self.seconds)

    async def start(self) -> Away | None:
        """Take the lease, and keep it from now on."""
        problem = await self._renew()
        if problem is None and self.seconds:
            self._running = asyncio.create_task(self._run(), name="spool-lease")
        return problem

    async def end(self) -> None:
        """Give it back: what is still *sending* is for others at once."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
        if self.holder:
            await self._engine.run(scripts.LEAVE, [self._root], [self.holder])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(self.seconds / 4, _LOOK_SECONDS))
            with suppress(Exception):  # without renewals others would take everything over
                if await self._renew() is None:
                    await self._tidy()

    async def _renew(self) -> Away | None:
        began = time.monotonic()
        told = await self._engine.run(scripts.RENEW, [self._root], [self.holder, self.seconds, self._name])
        if isinstance(told, Away):
            return told
        ended = time.monotonic()
        self.renewed_at(began)
        seconds, micros, is_ours, octets, messages = told
        self._offset = seconds + micros / 1e6 - (began + ended) / 2
        self._room.count(octets, messages)
        if not is_ours:
            await self._begin_again()
        return await self._look()

    async def _begin_again(self) -> None:
        """The server is empty, or another one. What was kept there is lost; what comes now need not be, too."""
        told = await self._engine.run(scripts.OPEN, [self._root], [SCHEMA, secrets.token_hex(8), "1"])
        if not isinstance(told, Away):
            self._name = (told[1] or b"").decode(errors="replace")
            self._found("the spool's server has lost all that it kept, or is another one")

    async def _look(self) -> Away | None:
        """See that the server still is what it was taken for: it may have been started anew, or be another one."""
        server = await look(self._engine)
        if isinstance(server, Away):
            return server
        self._room.look(server.used, server.limit)
        self._room.trouble = problem_with(server, self._wish)
        return None
