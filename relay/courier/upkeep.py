"""What is done for the spool beside sending: it is counted, swept, and stamps of a wrong clock are put right."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.courier.attempts import Chances
from relay.courier.schedule import Schedule, brought_near, is_far
from relay.observe.events import Incident, Noted, Observer, SpoolCounted
from relay.spool.entries import State
from relay.spool.ports import Damaged, Spool, Wanted
from relay.words.unavailable import Unavailable

#: Seconds between two counts, and between two rounds of the rest.
COUNT_SECONDS: Final = 2.0
ROUND_SECONDS: Final = 60.0
PAGE: Final = 500


class Upkeep:
    """Looks after a spool. ``problem`` says why it cannot be used now, or is None; ``monotonic`` is for waits."""

    def __init__(
        self,
        spool: Spool,
        *,
        schedule: Schedule,
        chances: Chances,
        monotonic: Callable[[], float],
        observe: Observer,
    ) -> None:
        self._spool = spool
        self._schedule = schedule
        self._chances = chances
        self._monotonic = monotonic
        self._observe = observe
        self.problem: str | None = None

    async def run(self) -> None:
        """Look after it until cancelled."""
        next_round = self._monotonic()
        while True:
            try:
                await self.count()
                if self._monotonic() >= next_round:
                    next_round = self._monotonic() + ROUND_SECONDS
                    await self.make_round()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round counts
                self._observe(Incident("upkeep", "-", error))
            await asyncio.sleep(COUNT_SECONDS)

    async def count(self) -> None:
        """Tell what is in the spool, and whether it can be used."""
        census = await self._spool.census()
        if isinstance(census, Unavailable):
            self.problem = census.why
            return
        full = self._spool.room(1)
        self.problem = None if full is None else full.why
        messages = {state.value: number for state, number in census.messages.items()}
        self._observe(SpoolCounted(messages, census.octets, census.oldest))

    async def make_round(self) -> None:
        """Forget what has been kept for long enough, and bring near what is due too far away."""
        for what in await self._spool.sweep(self._chances.now()):
            if isinstance(what, Damaged):
                self._observe(Noted("warning", "spool.damaged", {"what": what.why}))
            else:
                self._observe(Noted("info", "spool.swept", {"what": what}))
        far_from = self._chances.now() + self._schedule.far
        if isinstance(await self._spool.next_due(far_from), float):
            await self._bring_near()

    async def _bring_near(self) -> None:
        after, number = "", 0
        while True:
            page = await self._spool.find(Wanted(states=(State.DUE,)), limit=PAGE, after=after)
            if isinstance(page, Unavailable) or not page:
                break
            now = self._chances.now()
            for entry in page:
                if is_far(entry, self._schedule, now):
                    number += 1
                    await self._spool.change(brought_near(entry, self._schedule, now, self._chances.draw()))
            after = page[-1].id
        self._observe(Noted("warning", "spool.stamps-mended", {"count": number}))
