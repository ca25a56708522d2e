"""One lane's turns, as all relays share them: asked for ahead, ten times a second, not once a message."""

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from relay.background import call_off
from relay.sending.pace.line import Waiting
from relay.sending.pace.speed import LEAST, Speed
from relay.shared.answers import Away
from relay.shared.engine import Engine, State
from relay.shared.scripts import script_of
from relay.shared.stock import Stock
from relay.words.values import dataclass

#: Between two questions at most, and at least; and without mail, when the lane is left.
TICK_SECONDS: Final = 0.1
GAP_SECONDS: Final = 0.02
IDLE_SECONDS: Final = 1.0
#: After a question that the engine, being there, could not answer.
AGAIN_SECONDS: Final = 1.0
#: How long a relay that found the engine again keeps to its own part: others are still about to find it.
JOIN_SECONDS: Final = 1.5
#: Delegates that are told by name; the rest are told as one of so much weight.
MOST_NAMES: Final = 50
REST: Final = ""
#: Where relays hear that a lane is slower: its name.
SLOWER: Final = "slower"

_PACE: Final = script_of("pace")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lane lies in the engine, and what may go at once there, in seconds of its pace."""

    lane: str
    told: str
    rates: str
    burst: float


@dataclass(frozen=True, slots=True)
class Grant:
    """What the script answers; see pace.lua."""

    amount: float
    rate: float
    is_scarce: bool
    relays: int
    rate_of_all: float
    pause: float
    sent: int
    weights: dict[str, float]


class LaneSupply:
    """
    A :class:`relay.sending.pace.fleet.Supply`.

    Args:
        engine: What is shared.
        relay: The name of this one.
        place: Where the lane lies now.
        speed: The lane's own, for what was told and wanted; its ``part`` is kept at this relay's part of what all may.
        relays: Told how many were seen here; how many there are, those without mail included.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        engine: Engine,
        relay: str,
        place: Callable[[], Place],
        speed: Speed,
        relays: Callable[[int], int],
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._relay = relay
        self._place = place
        self._speed = speed
        self._relays = relays
        self._clock = clock
        self._stock = Stock()
        self._waiting: Waiting | None = None
        self._serve: Callable[[], None] = lambda: None
        self._asking: asyncio.Task[None] | None = None
        self._short = asyncio.Event()
        self._went: dict[str, int] = {}
        self._flow: dict[str, float] = {}
        self._accepted = 0
        self._is_throttled = self._is_slower = False
        self._asked_at = self._went_at = clock()
        self._away_until = -math.inf
        self._sent: int | None = None
        self._sent_at_learning: int | None = None
        self._own_since = 0
        self._last: Grant | None = None
        engine.on_change(self._changed)

    @property
    def is_there(self) -> bool:
        """Whether turns come from here."""
        return self._engine.state.is_up and self._clock() >= self._away_until

    @property
    def rate(self) -> float:
        """How fast all relays together may go, in recipients a second."""
        return self._speed.now(self._clock()) if self._last is None else self._last.rate_of_all

    @property
    def elsewhere(self) -> int:
        """Recipients that SES took from other relays since SES told what it had taken."""
        if self._sent is None or self._sent_at_learning is None:
            return 0
        return max(0, self._sent - self._sent_at_learning - self._own_since)

    def attend(self, waiting: Waiting, serve: Callable[[], None]) -> None:
        """Look at who is *waiting*, and call *serve* whenever there may be more."""
        self._waiting, self._serve = waiting, serve

    def wait(self, recipients: int) -> float:
        """Seconds until a message of so many may go, infinite for when the lane will be told."""
        seconds = self._stock.wait(recipients, self._clock())
        if math.isinf(seconds):
            self._ask()
        return seconds

    def take(self, recipients: int) -> None:
        """Let a message of so many go."""
        self._stock.take(recipients)

    def went(self, delegate: str, recipients: int) -> None:
        """Hear whose message went."""
        self._went[delegate] = self._went.get(delegate, 0) + recipients
        self._went_at = self._clock()

    def accepted(self, recipients: int) -> None:
        """Hear that SES took a message."""
        self._accepted += recipients

    def throttled(self) -> None:
        """Hear that SES had enough: all relays go slower at once."""
        self._is_throttled = True
        self._begin_anew()

    def slower(self, lane: str) -> None:
        """Hear that SES had enough of another relay: what was granted to this one at the lane's old speed is void."""
        if lane == self._place().lane and self._asking is not None and not self._asking.done():
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._is_slower = True
        self._stock.give_back(0.0, self._clock())
        self._ask()

    def learned(self, rate: float) -> None:
        """Hear what SES told."""
        if self._last is None:
            self._speed.part = max(LEAST, rate / self._relays(1))
        self._sent_at_learning, self._own_since = self._sent, 0
        if self._accepted:
            self._own_since = -self._accepted  # SES counted these; they are told later

    async def close(self) -> None:
        """Give back what is not used."""
        if self._asking is not None:
            await call_off(self._asking)
            self._asking = None
            await self._report(is_leaving=True)

    def _changed(self, state: State) -> None:
        if state.is_up:  # tells what it needs from now on, so that others leave it that
            self._away_until = self._clock() + JOIN_SECONDS
            if not self._is_idle():
                self._ask()
        self._serve()

    def _ask(self) -> None:
        self._short.set()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._keep_asking(), name="pace-lane")

    async def _keep_asking(self) -> None:
        """Ask for turns as long as mail wants them."""
        while True:
            self._short.clear()
            answer = await self._report()
            if isinstance(answer, Away):
                self._away_until = self._clock() + AGAIN_SECONDS if self._engine.state.is_up else self._away_until
                self._serve()
                return
            self._serve()
            if self._is_idle():
                await self._report(is_leaving=True)
                if not self._short.is_set():
                    return
                continue
            await self._pause(answer)

    def _is_idle(self) -> bool:
        is_awaited = self._waiting is not None and bool(self._waiting.recipients)
        return not is_awaited and self._clock() - self._went_at > IDLE_SECONDS

    async def _pause(self, answer: Grant) -> None:
        """Wait for the next moment to ask: earlier than the tick if there is enough for all and this relay is short."""
        with suppress(TimeoutError):
            async with asyncio.timeout(answer.pause):
                await self._short.wait()
                while answer.is_scarce and not self._is_slower:
                    self._short.clear()
                    await self._short.wait()
        await asyncio.sleep(max(0.0, self._asked_at + GAP_SECONDS - self._clock()))

    async def _report(self, *, is_leaving: bool = False) -> Grant | Away:
        now, place = self._clock(), self._place()
        needs, wanted, first = self._needs(now)
        if is_leaving or not self.is_there:
            wanted, first = 0.0, 0
        back = self._stock.give_back(wanted, now)
        accepted, self._accepted = self._accepted, 0
        throttled, self._is_throttled = self._is_throttled, False
        self._is_slower = False
        self._asked_at = now
        args = (
            self._relay,
            "" if self._speed.told is None else self._speed.told,
            "" if self._speed.wanted is None else self._speed.wanted,
            accepted,
            int(throttled),
            max(0.0, wanted - self._stock.amount),
            max(0.0, first - self._stock.amount),
            back,
            json.dumps(needs),
            int(is_leaving),
            place.burst,
        )
        answer = await self._engine.run(_PACE, (place.lane, place.told, place.rates), args)
        grant = answer if isinstance(answer, Away) else grant_of(answer)
        if isinstance(grant, Grant):
            is_slower = self._last is not None and grant.rate_of_all < self._last.rate_of_all
            self._take_over(grant, now, accepted)
            if throttled and is_slower:
                await self._engine.publish(SLOWER, place.lane)
        return grant

    def _take_over(self, grant: Grant, asked_at: float, accepted: int) -> None:
        self._last = grant
        self._stock.grant(grant.amount, grant.rate, asked_at, is_scarce=grant.is_scarce)
        self._sent = grant.sent
        self._own_since += accepted
        if self._sent_at_learning is None:
            self._sent_at_learning, self._own_since = grant.sent, 0
        self._speed.part = max(LEAST, grant.rate_of_all / self._relays(grant.relays))
        if self._waiting is not None:
            self._waiting.weights = grant.weights

    def _needs(self, now: float) -> tuple[Sequence[tuple[str, float, int]], float, int]:
        """Return what delegates need a second, what is wanted until the next question, and by who goes next."""
        waiting = self._waiting.recipients if self._waiting is not None else {}
        period = max(now - self._asked_at, GAP_SECONDS)
        names = {*waiting, *self._went, *self._flow}
        flow = {name: (self._flow.get(name, 0.0) + self._went.get(name, 0) / period) / 2 for name in names}
        self._flow = {name: rate for name, rate in flow.items() if rate > 0.01}
        self._went = {}
        needs = {name: flow[name] + waiting.get(name, 0) / TICK_SECONDS for name in names}
        tick = TICK_SECONDS if self._last is None else max(TICK_SECONDS, self._last.pause)
        wanted = sum(waiting.values()) + sum(self._flow.values()) * 1.5 * tick
        last = self._last
        if last is not None and not last.is_scarce and last.rate * TICK_SECONDS >= 1:
            wanted += last.rate * TICK_SECONDS  # who comes next shall not wait for an answer
        first = self._waiting.first[1] if waiting and self._waiting is not None else 0
        return list(_told(needs)), max(wanted, float(first)), first


def _told(needs: dict[str, float]) -> Iterator[tuple[str, float, int]]:
    """Return the needs as the script takes them: the largest by name, the rest as one."""
    sorted_needs = sorted(needs.items(), key=lambda each: -each[1])
    for name, need in sorted_needs[:MOST_NAMES]:
        if need > 0:
            yield name, round(need, 3), 1
    rest = [need for _, need in sorted_needs[MOST_NAMES:]]
    if any(rest):
        yield REST, round(sum(rest), 3), len(rest)


def grant_of(answer: Any) -> Grant | Away:
    """Read what the script answered."""
    try:
        amount, rate, scarce, relays, of_all, pause, sent, of = json.loads(answer)
        parts = {str(name): float(part) for name, part in of or ()}
        usual = sum(parts.values()) / len(parts) if parts else 1.0
        weights = {name: max(0.01, part / usual) for name, part in parts.items() if name != REST} if usual > 0 else {}
        return Grant(
            max(0.0, float(amount)),
            float(rate),
            bool(scarce),
            int(relays),
            float(of_all),
            min(1.0, max(GAP_SECONDS, float(pause))),
            int(sent),
            weights,
        )
    except (TypeError, ValueError):
        return Away("its answer cannot be read", "ANSWER")
