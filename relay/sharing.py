"""What this relay shares with others through a Redis (``shared.url``), put together; nothing without one."""

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

from relay.background import call_off
from relay.console.readiness import Check, Readiness
from relay.identities.ports import Directory
from relay.identities.several import parts_of
from relay.observe.events import Observer
from relay.settings.model import Settings
from relay.words.freshness import Terms

if TYPE_CHECKING:  # redis is an extra, and takes a moment of every start; so do policies at SES
    from relay.identities.ses_answers import Clocks
    from relay.identities.ses_directory import SesDirectory
    from relay.shared.budgets import Door
    from relay.shared.fleet import RelayFleet


class Sharing:
    """
    The engine that relays share, and what they share through it.

    ``engine`` and ``fleet`` are None where nothing is shared.
    """

    def __init__(self, settings: Settings, observe: Observer) -> None:
        url = settings.shared.url
        self.fleet = None if url is None else _fleet_at(url.get_secret_value(), observe)
        self.engine = None if self.fleet is None else self.fleet.engine
        self._observe = observe
        self._running: asyncio.Task[None] | None = None

    def policies(self, own: "SesDirectory", terms: Terms, clocks: "Clocks", endpoint: str) -> Directory:
        """Return *own*, in step with the directories of other relays that ask the SES at *endpoint*."""
        if self.engine is None:
            return own
        from relay.shared.policies import SharedDirectory  # noqa: PLC0415 - an extra that few need

        return SharedDirectory(own, self.engine, terms=terms, clocks=clocks, observe=self._observe, endpoint=endpoint)

    async def begin(self, directory: Directory) -> None:
        """Let *directory* learn what other relays know, before it asks SES."""
        if self.engine is not None:
            from relay.shared.policies import SharedDirectory  # noqa: PLC0415 - an extra that few need

            shared = [part for part in parts_of(directory) if isinstance(part, SharedDirectory)]
            await asyncio.gather(*[part.begin() for part in shared])

    async def watch(self, front: "Door") -> None:
        """Let what clients do at the doors of other relays count at *front*, which is about to open."""
        if self.engine is not None:
            from relay.shared.budgets import SharedBudgets  # noqa: PLC0415 - an extra that few need

            budgets = SharedBudgets(self.engine, front, self._observe)
            await budgets.begin()
            self._running = asyncio.create_task(budgets.run(), name="budgets")

    async def start(self) -> None:
        """Find the engine, or go on without it until it is found."""
        if self.engine is not None and self.fleet is not None:
            await self.engine.start()
            await self.fleet.start()

    async def close(self) -> None:
        """Leave the others; what this relay held is theirs."""
        await call_off(self._running)
        if self.engine is not None and self.fleet is not None:
            await self.fleet.close()
            await self.engine.close()

    def check(self) -> Readiness:
        """Tell whether the engine is there. The relay is ready all the same: it goes on by itself."""
        if self.engine is None or self.fleet is None:
            return ()
        why = self.engine.trouble
        if not self.engine.state.is_up:
            why += f"; this relay goes by itself, at 1/{self.fleet.relays} of the pace"
        return (Check("shared", ok=True, why=why),)


def _fleet_at(url: str, observe: Observer) -> "RelayFleet":
    from relay.shared.address import read_address  # noqa: PLC0415 - an extra that few need
    from relay.shared.engine import Engine  # noqa: PLC0415 - the same
    from relay.shared.fleet import RelayFleet  # noqa: PLC0415 - the same

    engine = Engine(read_address(url), observe, clock=time.monotonic)
    return RelayFleet(engine, secrets.token_hex(8), time.monotonic)
