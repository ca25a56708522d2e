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

from relay.background import call_off
from relay.shared import spool_scripts as scripts
from relay.shared.answers import Away
from relay.shared.engine import Engine, Part, State
from relay.shared.spool_promise import Wish, look, problem_with, promise_of
from relay.shared.spool_room import NOT_SEEN, ServerRoom
from relay.spool.problems import SpoolProblem

SCHEMA: Final = 1
_LOOK_SECONDS: Final = 2.0


class Lease:
    """
    The lease of one open spool, and what is looked at as often as it is renewed.

    Args:
        root: The key that the spool's others begin with.
        makes: Whether the spool is made where there is none.
        seconds: Of the lease; 0 for a visitor, who sends nothing and has none.
        found: Hears what is out of order, in words.
        tidy: Called after each renewal.
    """

    def __init__(
        self,
        engine: Engine,
        root: str,
        *,
        makes: bool,
        seconds: float,
        wish: Wish,
        room: ServerRoom,
        found: Callable[[str], None],
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine, self._root, self._makes = engine, root, makes
        self._name = ""
        self._wish, self._room, self._found, self._tidy = wish, room, found, tidy
        self.seconds = seconds
        self.holder = secrets.token_hex(8) if seconds else ""
        self.promise = "its server has not been reached yet"
        self._held_until = float("-inf")  # monotonic
        self._offset = time.time() - time.monotonic()
        self.knows_time = False
        self._stirred = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        engine.on_change(self._changed)

    def wall(self) -> float:
        """Tell the server's time, in seconds since the epoch; our own until ``knows_time``."""
        return time.monotonic() + self._offset

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have taken over what we send."""
        return time.monotonic() < self._held_until

    def renewed_at(self, moment: float) -> None:
        """Note that a call which began at *moment*, monotonic, has made it longer."""
        self._held_until = max(self._held_until, moment + self.seconds)

    async def start(self) -> None:
        """
        Take the lease, and keep it from now on; if the server is away, as soon as it is there.

        Raises:
            SpoolProblem: The server does not keep what is asked of it, or there is no spool.
        """
        if self._engine.state.is_up:
            try:
                await self._settle_in()
            except SpoolProblem:
                if self._engine.state.is_up or not self.seconds:
                    raise  # else it went away meanwhile
        if self.seconds:
            self._running = asyncio.create_task(self._run(), name="spool-lease")

    async def end(self) -> None:
        """Give it back: what is still *sending* is for others at once."""
        await call_off(self._running)
        if self.holder:
            await self._engine.run(scripts.LEAVE, [self._root], [self.holder])

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self.seconds / 4, _LOOK_SECONDS)):
                    await self._stirred.wait()
            self._stirred.clear()
            with suppress(Exception):  # without renewals others would take everything over
                await self._settle_in()
                await self._tidy()

    def _changed(self, state: State) -> None:
        """A server that comes back may have been started anew, or be another one."""
        if state.is_up:
            self._stirred.set()
        else:
            self._room.trouble = NOT_SEEN

    async def _settle_in(self) -> None:
        """Look at the server, find the spool there, and renew the lease."""
        where, engine = f"the spool at {self._engine.address}", self._engine
        server = await look(engine)
        if isinstance(server, Away):
            raise SpoolProblem(f"{where}: {server.why}")
        self._room.look(server.used, server.limit)
        self._room.trouble = problem_with(server, engine.state.server, self._wish)
        if self._room.trouble is not None:
            raise SpoolProblem(f"{where}: {self._room.trouble}")
        self.promise = promise_of(server, self._wish)
        if not self._name:
            self._name = await self._named(where)
        problem = await self._renew()
        if problem is not None:
            raise SpoolProblem(f"{where}: {problem.why}")

    async def _named(self, where: str) -> str:
        """Return the name of the spool that is there, or is made."""
        asked: list[Part] = [SCHEMA, secrets.token_hex(8), int(self._makes)]
        told = await self._engine.run(scripts.OPEN, [self._root], asked)
        if isinstance(told, Away):
            raise SpoolProblem(f"{where}: {told.why}")
        schema, name = told
        if schema is None:
            raise SpoolProblem(f"{where}: there is none")
        if schema != str(SCHEMA).encode():
            raise SpoolProblem(
                f"{where} was written by another release of ses-relay (schema {schema.decode(errors='replace')[:20]}, "
                f"this one knows {SCHEMA}): start that release, or set ?prefix=..."
            )
        return str((name or b"?").decode(errors="replace"))

    async def _renew(self) -> Away | None:
        began = time.monotonic()
        told = await self._engine.run(scripts.RENEW, [self._root], [self.holder, self.seconds, self._name])
        if isinstance(told, Away):
            return told
        ended = time.monotonic()
        self.renewed_at(began)
        seconds, micros, is_ours, octets, messages = told
        self._offset = seconds + micros / 1e6 - (began + ended) / 2
        self.knows_time = True
        self._room.bound.count(octets, messages)
        if not is_ours:  # what was kept there is lost; what comes now need not be, too
            self._name = ""
            self._found("the spool's server has lost all that it kept, or is another one")
        return None
