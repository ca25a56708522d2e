"""
The delegates' last 24 hours, counted over all relays.

A relay holds a few recipients ahead, a second's worth, and counts against those by itself; once a second it tells what
it used. What all hold and what was counted is never more than the limit. Away from the engine it goes on with its part
of what was left, and tells when the engine is back: each piece of news has a number, and counts once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from relay.shared.answers import Away
from relay.shared.engine import Engine
from relay.shared.scripts import script_of

TELL_SECONDS: Final = 1.0
#: After how many seconds a relay reads the days of delegates whose mail goes elsewhere, and how many a second it reads.
READ_EVERY: Final = 5
READ_A_SECOND: Final = 20
#: What is held ahead is void after this: shorter than the script's own time, for clocks that were stopped.
HOLD_SECONDS: Final = 20.0
DAY: Final = 86_400.0
#: Pieces of what was counted by itself, in seconds each; news holds so many of them at most.
PIECE_SECONDS: Final = 300.0
MOST_PIECES: Final = 300

_DAY: Final = script_of("day")


@dataclass(slots=True)
class _News:
    number: int
    counted: dict[float, int]


@dataclass(slots=True)
class SharedDay:
    """
    One delegate's day. Times are monotonic seconds.

    ``most``: its limit. ``held``: what may go without asking. ``total``: what the engine has counted. ``counted``: what
    it has not heard of, by when; ``news``: what it was told and may have heard. ``seconds``: until there is room.
    """

    name: str
    most: int
    held: int = 0
    total: int = 0
    seconds: float = 1.0
    told_at: float | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    counted: dict[float, int] = field(default_factory=dict)
    news: _News | None = None
    number: int = 0
    used: int = 0
    full_at: float | None = None
    full_for: int = 0

    @property
    def untold(self) -> int:
        """Recipients that the engine does not know of."""
        known = 0 if self.news is None else sum(self.news.counted.values())
        return known + sum(self.counted.values())

    def count(self, recipients: int, now: float) -> None:
        """Count, or with a negative number take back."""
        piece = now - now % PIECE_SECONDS
        self.counted[piece] = self.counted.get(piece, 0) + recipients
        while len(self.counted) > MOST_PIECES:
            del self.counted[min(self.counted)]
        if recipients > 0:
            self.used += recipients

    def is_held(self, recipients: int, now: float) -> bool:
        """Whether so many may go without asking."""
        return self.told_at is not None and now - self.told_at < HOLD_SECONDS and recipients <= self.held

    def is_full(self, recipients: int, now: float) -> bool:
        """Whether there was no room for so many a moment ago."""
        return self.full_at is not None and now - self.full_at < TELL_SECONDS and recipients >= self.full_for

    def alone(self, relays: int, now: float) -> int:
        """How many may go while the engine is away: this relay's part of what was left when it was last heard."""
        age = 0.0 if self.told_at is None else now - self.told_at
        left = self.most - self.total * max(0.0, 1 - age / DAY)
        recent = sum(each for piece, each in self.counted.items() if now - piece < DAY)
        known = 0 if self.news is None else sum(each for piece, each in self.news.counted.items() if now - piece < DAY)
        return max(0, int(left / relays)) - recent - known


class SharedDays:
    """
    The days of all delegates that have a limit.

    Args:
        engine: Where they are counted.
        relay: The name of this relay.
        relays: How many there are.
        clock: Monotonic seconds.
    """

    def __init__(self, engine: Engine, relay: str, relays: Callable[[], int], clock: Callable[[], float]) -> None:
        self._engine = engine
        self._relay = relay
        self._relays = relays
        self._clock = clock
        self._days: dict[str, SharedDay] = {}
        self.limits: Callable[[], dict[str, int]] = dict

    async def take(self, name: str, recipients: int, most: int) -> float:
        """Count a message; the seconds until there may be room where there is none, else 0."""
        day = self._days.setdefault(name, SharedDay(name, most))
        day.most = most
        if not day.lock.locked() and self._take_held(day, recipients):
            return 0.0
        if day.is_full(recipients, self._clock()):
            return day.seconds
        async with day.lock:
            return await self._take(day, recipients)

    def give_back(self, name: str, recipients: int) -> None:
        """SES did not take a message that was counted."""
        if name in self._days:
            self._days[name].count(-recipients, self._clock())

    def counted(self, name: str) -> int | None:
        """How many recipients of the last 24 hours count at all relays, as far as is known here."""
        day = self._days.get(name)
        return None if day is None or (day.told_at is None and not day.untold) else max(0, day.total + day.untold)

    async def run(self) -> None:
        """Tell what was used and read what others used, until cancelled."""
        turns = 0
        while True:
            limits = self.limits()
            rarely = max(READ_EVERY, len(limits) // READ_A_SECOND)
            for name, most in limits.items():
                self._days.setdefault(name, SharedDay(name, most)).most = most
            for name, day in tuple(self._days.items()):
                if name not in limits and not day.untold:
                    del self._days[name]
                elif day.untold or day.held or day.used or turns % rarely == 0:
                    async with day.lock:
                        await self._tell(day)
            turns += 1
            await asyncio.sleep(TELL_SECONDS)

    async def close(self) -> None:
        """Tell what is left to tell, and hold nothing."""
        for day in self._days.values():
            if day.untold or day.held:
                day.used = 0
                await self._tell(day)

    async def _take(self, day: SharedDay, recipients: int) -> float:
        """Take what is held, or may be had from the engine, or without it."""
        if self._take_held(day, recipients):
            return 0.0
        if not await self._tell(day, need=recipients):
            if recipients > day.alone(self._relays(), self._clock()):
                return 60.0
            day.count(recipients, self._clock())
            return 0.0
        if self._take_held(day, recipients):
            return 0.0
        day.full_at, day.full_for = self._clock(), recipients
        return day.seconds

    def _take_held(self, day: SharedDay, recipients: int) -> bool:
        now = self._clock()
        if not day.is_held(recipients, now):
            return False
        day.held -= recipients
        day.count(recipients, now)
        return True

    async def _tell(self, day: SharedDay, need: int = 0) -> bool:
        """Tell what was counted and hold some ahead; False when the engine is away. Nothing is taken meanwhile."""
        if day.news is None and any(day.counted.values()):
            day.number += 1
            day.news, day.counted = _News(day.number, day.counted), {}
        elif day.news is None:
            day.counted = {}
        used, day.used = day.used, 0
        now = self._clock()
        pairs: list[float | int] = []
        for piece, recipients in () if day.news is None else day.news.counted.items():
            pairs += [max(0.0, now - piece - PIECE_SECONDS), recipients]
        number = 0 if day.news is None else day.news.number
        args = (self._relay, number, day.most, need, 2 * used, *pairs)
        answer = await self._engine.run(_DAY, [self._engine.key(f"day:{day.name}", "day")], args)
        try:
            held, total, seconds = map(int, () if isinstance(answer, Away) else answer)
        except (TypeError, ValueError):
            return False
        day.held, day.total, day.seconds, day.told_at = held, total, float(seconds), now
        day.news = None
        return True
