"""Attempts whose end nobody will write down: of processes that are no more, and of ours that the spool lost."""

import asyncio
from collections.abc import Collection

from relay.courier.attempts import Chances
from relay.courier.books import Books
from relay.courier.recovery import after_crash, after_loss
from relay.courier.reports import quarantined
from relay.courier.schedule import Schedule
from relay.observe.events import AttemptsFound, Observer
from relay.spool.entries import Entry, State
from relay.spool.ports import Spool
from relay.words.unavailable import Unavailable


class Takeover:
    """Has what is found *sending* tried again."""

    def __init__(self, spool: Spool, books: Books, *, schedule: Schedule, chances: Chances, observe: Observer) -> None:
        self._spool = spool
        self._books = books
        self._schedule = schedule
        self._chances = chances
        self._observe = observe

    async def take_over(self) -> Unavailable | None:
        """Have what processes that are no more left *sending* tried again, one process's at a time."""
        while True:
            found = await self._spool.recover()
            if isinstance(found, Unavailable):
                return found
            if not found:
                return None
            self._observe(AttemptsFound(tuple(entry.id for entry in found)))
            now, chance = self._chances.now(), self._chances.draw()
            after = after_crash(found, self._schedule, now, chance)
            await self._write(after)
            for entry in after:
                if entry.state is State.QUARANTINED:
                    self._observe(quarantined(entry, entry.last).event(now))

    async def pick_up(self, busy: Collection[str]) -> Unavailable | None:
        """Have tried again what the spool says we send, although we do not: *busy* is all that we work on."""
        found = await self._spool.unattended(busy)
        if isinstance(found, Unavailable):
            return found
        if found:
            self._observe(AttemptsFound(tuple(entry.id for entry in found)))
            await self._write(after_loss(found, self._schedule, self._chances.now(), self._chances.draw()))
        return None

    async def _write(self, after: tuple[Entry, ...]) -> None:
        await asyncio.gather(*map(self._books.write, after))
