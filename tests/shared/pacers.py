"""Pacers of several relays at one redis-server, and an SES with a hard limit that nobody but itself knows exactly."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from relay.observe.events import Event
from relay.sending.answers import TRY_LATER
from relay.sending.keys import Unusable
from relay.sending.outcomes import Deferred, Outcome, Sent
from relay.sending.pace.pacer import Pacer
from relay.sending.pace.quota import SendQuota
from relay.sending.pace.shares import Share
from relay.sending.ports import NotNow, Turn
from relay.sending.troubles import Lane
from relay.shared.address import read_address
from relay.shared.engine import Engine
from relay.shared.fleet import RelayFleet
from relay.words.endings import Reason

ACCOUNT, REGION = "111111111111", "us-east-1"
LANE = Lane(ACCOUNT, REGION, "arn:aws:ses:us-east-1:111111111111:identity/example.com")


@dataclass
class HardSes:
    """Takes ``rate`` recipients a second, a second's worth at once, and throttles whatever is over."""

    rate: float
    told: float | None = None
    most_a_day: float | None = None
    latency: float = 0.02
    taken: list[tuple[float, str, str, int]] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    asked: int = 0
    _room: float = 0.0
    _at: float = field(default_factory=time.monotonic)

    async def send(self, relay: str, turn: Turn) -> Outcome:
        await asyncio.sleep(self.latency)
        now = time.monotonic()
        self._room = min(self.rate, self._room + (now - self._at) * self.rate)
        self._at = now
        if self._room < min(turn.recipients, self.rate):
            self.throttled.append(now)
            return Deferred("Throttling", "Maximum sending rate exceeded", TRY_LATER, Reason.SES_THROTTLED)
        self._room -= turn.recipients
        self.taken.append((now, relay, turn.delegate, turn.recipients))
        return Sent("id")

    async def ask(self, account: str, region: str) -> SendQuota | Unusable:
        self.asked += 1
        return SendQuota(self.told or self.rate, self.most_a_day, float(sum(each[3] for each in self.taken)))

    def __post_init__(self) -> None:
        self._room = self.rate

    def between(self, begin: float, end: float) -> list[tuple[float, str, str, int]]:
        return [each for each in self.taken if begin <= each[0] < end]

    def rate_between(self, begin: float, end: float) -> float:
        return sum(each[3] for each in self.between(begin, end)) / (end - begin)

    def by_relay(self, begin: float, end: float) -> Counter[str]:
        return self._count(1, begin, end)

    def by_delegate(self, begin: float, end: float) -> Counter[str]:
        return self._count(2, begin, end)

    def _count(self, column: int, begin: float, end: float) -> Counter[str]:
        counter: Counter[str] = Counter()
        for each in self.between(begin, end):
            counter[str(each[column])] += each[3]
        return counter


@dataclass
class Mailer:
    """One relay, as far as pace goes: its engine, its part of the fleet, and clients that send as fast as they may."""

    name: str
    ses: HardSes
    engine: Engine
    fleet: RelayFleet
    pacer: Pacer
    events: list[Event]
    refused: list[NotNow] = field(default_factory=list)
    _clients: list[asyncio.Task[None]] = field(default_factory=list)

    def send_all_the_time(self, delegate: str = "billing", clients: int = 20, recipients: int = 1) -> None:
        turn = Turn(LANE, delegate, recipients)
        self._clients += [asyncio.create_task(self._send(turn)) for _ in range(clients)]

    async def send_one(self, delegate: str = "billing", recipients: int = 1, patience: float = 5.0) -> NotNow | None:
        turn = Turn(LANE, delegate, recipients)
        not_now = await self.pacer.take(turn, patience=patience)
        if not_now is None:
            self.pacer.told(turn, await self.ses.send(self.name, turn))
        return not_now

    async def be_quiet(self) -> None:
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._clients = []

    async def _send(self, turn: Turn) -> None:
        while True:
            not_now = await self.send_one(turn.delegate, turn.recipients)
            if not_now is not None:
                self.refused.append(not_now)
                await asyncio.sleep(0.05)


@asynccontextmanager
async def mailer(
    url: str, ses: HardSes, name: str, shares: dict[str, Share] | None = None, wanted: float | None = None
) -> AsyncIterator[Mailer]:
    events: list[Event] = []
    engine = Engine(read_address(url), events.append, clock=time.monotonic)
    fleet = RelayFleet(engine, name, time.monotonic)
    pacer = Pacer(ses.ask, wanted=wanted, shares=shares or {}, observe=events.append, clock=time.monotonic, fleet=fleet)
    await engine.start()
    await fleet.start()
    made = Mailer(name, ses, engine, fleet, pacer, events)
    try:
        yield made
    finally:
        await made.be_quiet()
        await pacer.close()
        await fleet.close()
        await engine.close()
