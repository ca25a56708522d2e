"""All relays that share one engine: how many there are, and the pace, quotas and delegates' limits they share."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final
from weakref import WeakSet

from relay.background import call_off
from relay.sending.keys import Unusable
from relay.sending.pace.fleet import AskQuota
from relay.sending.pace.quota import SendQuota
from relay.sending.pace.shares import Share
from relay.sending.pace.speed import Speed
from relay.shared.answers import Away
from relay.shared.days import SharedDays
from relay.shared.engine import Engine
from relay.shared.scripts import script_of
from relay.shared.shares import SharedShares
from relay.shared.supply import SLOWER, LaneSupply, Place

PRESENCE_SECONDS: Final = 5.0
SEEN_SECONDS: Final = 30.0
#: What may go at once, in seconds of the pace: of an account, of a delegate.
ACCOUNT_BURST: Final = 0.1
DELEGATE_BURST: Final = 1.0
#: How long what SES told is fresh, what the relay that asks has for it, and how often and long others wait for it.
FRESH_SECONDS: Final = 50
ASKING_SECONDS: Final = 10
LOOKS: Final = 4
LOOK_SECONDS: Final = 0.5

_RELAYS: Final = script_of("relays")
_QUOTA: Final = script_of("quota")


class RelayFleet:
    """
    A :class:`relay.sending.pace.fleet.Fleet`, for the relay that is called *relay* among the others.

    Args:
        engine: What they share.
        relay: A name that no other relay, and no earlier process, has.
        clock: Monotonic seconds.
    """

    def __init__(self, engine: Engine, relay: str, clock: Callable[[], float]) -> None:
        self.engine = engine
        self.relay = relay
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()  # ever fewer: the most that may be, and those after it
        self._days = SharedDays(engine, relay, lambda: self.relays, clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._supplies: WeakSet[LaneSupply] = WeakSet()
        self._deafen: Callable[[], None] = lambda: None

    @property
    def relays(self) -> int:
        """How many there are: the most that were seen lately, for an engine that was just started knows of few."""
        now = self._clock()
        while len(self._seen) > 1 and self._seen[0][0] < now - SEEN_SECONDS:
            self._seen.popleft()
        return self._seen[0][1] if self._seen else 1

    def saw(self, number: int) -> int:
        """Hear how many were seen at one time, and return how many there are."""
        number = max(1, number)
        while self._seen and self._seen[-1][1] <= number:
            self._seen.pop()
        self._seen.append((self._clock(), number))
        return self.relays

    async def start(self) -> None:
        """Be one of them, from now on."""
        await self._be_there()
        self._deafen = self.engine.subscribe(SLOWER, self._slower, lambda: None)
        self._tasks = [
            asyncio.create_task(self._stay(), name="fleet"),
            asyncio.create_task(self._days.run(), name="fleet-days"),
        ]

    async def close(self) -> None:
        """Leave."""
        await call_off(*self._tasks)
        self._tasks = []
        self._deafen()
        await self._days.close()
        await self.engine.run(_RELAYS, [self.engine.key("relays")], [self.relay, 1])

    def supply(self, account: Callable[[], str], region: str, speed: Speed) -> LaneSupply:
        """Return the turns of an account, by the name that it has now, and region."""
        return self._supply(lambda: self.account_place(account(), region), speed)

    def limit(self, delegate: str, speed: Speed) -> LaneSupply:
        """Return the turns of a delegate whose rate is limited."""
        names = [self.engine.key(f"rate:{delegate}", part) for part in ("lane", "told", "rates")]
        place = Place(names[0], names[1], names[2], DELEGATE_BURST)
        return self._supply(lambda: place, speed)

    def shares(self, shares: Mapping[str, Share]) -> SharedShares:
        """Return the delegates' limits, counted over all relays."""
        return SharedShares(shares, self._days, self.limit, self._clock)

    def quota(self, ask: AskQuota, named: Callable[[str], str]) -> AskQuota:
        """Return *ask* for all relays: one of them asks SES, once a minute, and the others read what it heard."""

        async def ask_once_for_all(account: str, region: str) -> SendQuota | Unusable:
            keys = [
                self.account_place(named(account), region).lane,
                self.engine.key(f"pace:{named(account)}:{region}", "quota"),
            ]
            known = await self._quota_known(keys)
            if known is not None:
                return known
            quota = await ask(account, region)
            if isinstance(quota, SendQuota):
                most = -1 if quota.most_a_day is None else quota.most_a_day
                told = [quota.rate, most, quota.sent]
                await self.engine.run(_QUOTA, keys, [FRESH_SECONDS, ASKING_SECONDS, *told])
            return quota

        return ask_once_for_all

    async def _quota_known(self, keys: list[str]) -> SendQuota | None:
        """Return what another relay was told, having waited for it; None for this one to ask."""
        for _ in range(LOOKS):
            answer = await self.engine.run(_QUOTA, keys, [FRESH_SECONDS, ASKING_SECONDS])
            if isinstance(answer, list):
                return _quota_of(answer)
            if answer != b"wait":
                return None
            await asyncio.sleep(LOOK_SECONDS)
        return None

    def account_place(self, account: str, region: str) -> Place:
        """Return where the lane of an account and region lies."""
        names = [self.engine.key(f"pace:{account}:{region}", part) for part in ("lane", "told", "rates")]
        return Place(names[0], names[1], names[2], ACCOUNT_BURST)

    def _supply(self, place: Callable[[], Place], speed: Speed) -> LaneSupply:
        supply = LaneSupply(self.engine, self.relay, place, speed, self.saw, self._clock)
        self._supplies.add(supply)
        return supply

    def _slower(self, lane: bytes) -> None:
        for each in tuple(self._supplies):
            each.slower(lane.decode(errors="replace"))

    async def _stay(self) -> None:
        while True:
            await asyncio.sleep(PRESENCE_SECONDS)
            await self._be_there()

    async def _be_there(self) -> None:
        found = await self.engine.run(_RELAYS, [self.engine.key("relays")], [self.relay, 0])
        if not isinstance(found, Away):
            self.saw(int(found))


def _quota_of(answer: list[bytes]) -> SendQuota | None:
    try:
        rate, most, sent = map(float, answer)
    except (TypeError, ValueError):
        return None
    return SendQuota(rate, None if most < 0 else most, max(0.0, sent)) if rate > 0 else None
