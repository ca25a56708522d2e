"""Relays of a fleet in one process: each with an engine and a directory of its own, at one simulated account."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from relay.background import call_off
from relay.identities.ses_answers import Clocks
from relay.identities.ses_directory import Books, SesDirectory
from relay.identities.snapshot import Snapshot
from relay.judgement.verdicts import Verdict
from relay.observe.events import Event, Noted
from relay.shared.engine import Engine
from relay.shared.policies import SharedDirectory
from relay.words.arns import IdentityArn
from relay.words.freshness import Terms
from tests.identities.account import FakeAccounts
from tests.judgement.building import OWNER, REGION, facts, judge

#: Fast enough to be waited for: everything is read again every two seconds, and SES bears forty calls in one.
TERMS = Terms(refresh_interval=2.0, max_stale=3600.0, budget=40.0)
Make = Callable[..., Awaitable[Engine]]


def arn(name: str) -> IdentityArn:
    return IdentityArn("aws", REGION, OWNER, name)


class Relay:
    """One relay; ``ahead``: how many seconds its clock is before the others'; ``before``: it under older settings."""

    def __init__(
        self,
        accounts: FakeAccounts,
        engine: Engine,
        *,
        ahead: float = 0.0,
        terms: Terms = TERMS,
        snapshot: Snapshot | None = None,
        endpoint: str = "aws",
        before: "Relay | None" = None,
    ) -> None:
        self.accounts = accounts
        self.engine = engine
        self.ahead = ahead
        self.events: list[Event] = []
        clocks = Clocks(lambda: self.now, time.monotonic, random.Random(1).random)
        own = SesDirectory(
            [(OWNER, REGION)],
            accounts,  # type: ignore[arg-type]  # it has the one method that is used
            terms,
            self.events.append,
            books=Books(snapshot=snapshot),
            clocks=clocks,
            before=None if before is None else before.directory.own,
        )
        (self.place,) = own.all_places
        self.directory: SharedDirectory = SharedDirectory(
            own, engine, terms=terms, clocks=clocks, observe=self.events.append, endpoint=endpoint
        )
        self._running: asyncio.Task[None] | None = None

    @property
    def now(self) -> float:
        return time.time() + self.ahead

    async def start(self) -> "Relay":
        """Start as a relay does."""
        await self.directory.begin()
        await asyncio.to_thread(self.directory.refresh)
        self._running = asyncio.create_task(self.directory.run())
        return self

    async def stop(self) -> None:
        """Stop as a relay does."""
        await call_off(self._running)

    async def die(self) -> None:
        """Be gone without a word."""
        await self.engine.close()
        await self.stop()

    @property
    def leads(self) -> bool:
        return self.place.leads

    @property
    def relays(self) -> int:
        """How many relays it knows of, itself one of them."""
        return self.directory.fellowships[0].relays

    def judge(self, author: str = "app@example.com") -> Any:
        """Judge a message, and let the directory know."""
        judgement = judge(self.directory.catalog, facts(author), now=self.now)
        self.directory.used("app", judgement.decisions)
        return judgement

    def verdict(self, author: str = "app@example.com") -> Verdict:
        verdict: Verdict = self.judge(author).decisions[0].verdict
        return verdict

    def age(self, name: str = "example.com") -> float:
        """How old what is known of *name* is here."""
        found = self.directory.catalog.find(arn(name))
        assert found is not None
        return self.now - found.read_at

    def noted(self, name: str) -> list[Noted]:
        """The lines of this name in its log."""
        return [event for event in self.events if isinstance(event, Noted) and event.event == name]
