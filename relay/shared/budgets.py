"""
The budgets of clients, one for all relays: what is guessed and who is connected elsewhere counts at each.

Checks stay local and at once, by what was heard so far. Without Redis each relay counts for itself, and tells what it
counted when others can hear it again.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from relay.background import going_on
from relay.observe.events import Noted, Observer
from relay.shared.answers import Away
from relay.shared.crowds import Crowds
from relay.shared.engine import Engine
from relay.shared.guess_stream import GuessStream
from relay.smtp.budgets import Crowd
from relay.smtp.gossip import Gossip, Guess

TAG: Final = "budgets"
#: What is to be told is gathered for so many seconds.
GATHERING: Final = 0.02
_KEY_OCTETS: Final = 32
_AFTER_FAULT: Final = 5.0


class Door(Protocol):
    """A street door, whose clients are counted."""

    gossip: Gossip

    @property
    def crowd(self) -> Crowd:
        """Its connections."""

    def heard(self, guess: Guess, ago: float = 0.0) -> None:
        """Count a guess at another door, *ago* seconds before now."""


class SharedBudgets:
    """
    Args:
        door: Where clients guess.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        engine: Engine,
        door: Door,
        observe: Observer,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._door = door
        self._observe = observe
        self._stirred = asyncio.Event()
        self._has_key = False
        me = secrets.token_hex(8)
        self._guesses = GuessStream(engine, me=me, tag=TAG, heard=door.heard, stir=self._stirred.set, clock=clock)
        door.gossip.tell = self._guesses.tell
        self._crowds = Crowds(engine, door.crowd, me=me, tag=TAG, stir=self._stirred.set, clock=clock)

    async def begin(self) -> None:
        """Learn what was guessed elsewhere in the last day, before the door opens."""
        await self._turn()

    @property
    def has_news(self) -> bool:
        """Whether there are guesses to tell."""
        return self._guesses.has_news

    async def run(self) -> None:
        """Tell and hear until cancelled. A fault of ours must not end that."""
        leaves = [each.subscribe() for each in (self._guesses, self._crowds)]
        try:
            await going_on(self._run, self._tell_fault, _AFTER_FAULT)
        finally:
            for leave in leaves:
                leave()

    def _tell_fault(self, error: Exception) -> None:
        self._observe(Noted("error", "budgets.fault", {"why": f"{type(error).__name__}: {error}"}))

    async def _run(self) -> None:
        while True:
            await self._turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._crowds.pause):
                    await self._stirred.wait()
            await asyncio.sleep(GATHERING)

    async def _turn(self) -> None:
        self._stirred.clear()
        if not self._has_key:
            await self._agree_on_key()
        if self._guesses.is_behind:
            await self._guesses.read_on()
        await self._guesses.send()
        await self._crowds.send()

    async def _agree_on_key(self) -> None:
        """Mark names as all others do; what was marked before, nobody recognises."""
        key = self._engine.key(TAG, "key")
        if isinstance(await self._engine.command("SET", key, self._door.gossip.key, "NX"), Away):
            return
        found = await self._engine.command("GET", key)
        if isinstance(found, bytes) and len(found) == _KEY_OCTETS:
            self._door.gossip.key, self._has_key = found, True
