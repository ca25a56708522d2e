"""One account and region: its speed, its day, and who waits for it."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import field
from typing import Final

from relay.sending.pace.bucket import Bucket
from relay.sending.pace.fleet import Supply
from relay.sending.pace.line import Line
from relay.sending.pace.quota import SendQuota
from relay.sending.pace.speed import Speed
from relay.sending.ports import NotNow
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import dataclass

#: What may go at once, as a part of what may go in a second: SES forgives a burst, of unknown length.
BURST: Final = 0.1
TOO_FAST: Final = Reply(454, (4, 7, 0), "Throttling failure: Maximum sending rate exceeded")
USED_UP: Final = Reply(454, (4, 7, 0), "Throttling failure: Daily message quota exceeded")
#: Of the room for a burst, what may be taken in advance, the most recipients of it, and those that a day must have
#: left.
AHEAD: Final = 0.2
MOST_AHEAD: Final = 64
PLENTY: Final = 10_000
#: When to ask again whether the day has room, and for how long an answer counts where there is no other.
ASK_AGAIN_SECONDS: Final = 60.0
TOLD_SECONDS: Final = 900.0


@dataclass(slots=True)
class PacedLane:
    """Paces one account and region. ``clock``: monotonic seconds; ``supply``: where other relays share the pace."""

    clock: Callable[[], float]
    speed: Speed
    supply: Supply | None = None
    bucket: Bucket = field(init=False)
    line: Line[asyncio.Future[None]] = field(default_factory=Line)
    quota: SendQuota | None = None
    sent_since: int = 0
    told_at: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        now = self.clock()
        self.bucket = Bucket(self._most(self.speed.tried(now)), now)
        if self.supply is not None:
            self.supply.attend(self.line, self._serve)

    @property
    def rate(self) -> float:
        """Recipients a second that may go now."""
        return self.supply.rate if self.supply is not None and self.supply.is_there else self.speed.now(self.clock())

    @property
    def remaining(self) -> float | None:
        """Recipients that the day still has room for, as far as is known; None without a limit."""
        if self.quota is None or self.quota.most_a_day is None:
            return None
        elsewhere = 0 if self.supply is None else self.supply.elsewhere
        return self.quota.most_a_day - self.quota.sent - self.sent_since - elsewhere

    @property
    def most_a_day(self) -> float | None:
        """Recipients that any 24 hours have room for, as far as is known; None without a limit."""
        return None if self.quota is None else self.quota.most_a_day

    def at_once(self, delegate: str, recipients: int) -> bool:
        """Count a turn that need not be waited for, and tell whether it is one."""
        has_room = self.quota is None or self._has_room(recipients)
        if not has_room or self.line or self._seconds(recipients) > 0:
            return False
        if self.supply is None:
            self.bucket.room -= recipients
            self.sent_since += recipients
        else:
            self._count(recipients)
            self._went(delegate, recipients)
        return True

    async def take(self, delegate: str, recipients: int, patience: float) -> NotNow | None:
        """Wait for a turn, at most *patience* seconds, and count it."""
        if not self._has_room(recipients):
            return NotNow(ASK_AGAIN_SECONDS, USED_UP, Reason.QUOTA)
        if not self.at_once(delegate, recipients):
            too_long = await self._wait(delegate, recipients, patience)
            if too_long is not None:
                return too_long
            self._went(delegate, recipients)
        return None

    def ahead(self) -> int:
        """Count a part of what may go now, for messages to come; nothing where others wait or the day is short."""
        remaining = self.remaining
        is_shared = self.supply is not None and self.supply.is_there
        if is_shared or self.line or self._seconds(1) > 0 or (remaining is not None and remaining < PLENTY):
            return 0
        recipients = min(MOST_AHEAD, int(self.bucket.room * AHEAD))
        self.bucket.take(recipients)
        self.sent_since += recipients
        return recipients

    def learn(self, quota: SendQuota) -> None:
        """Take over what SES told now."""
        self.quota, self.sent_since, self.told_at = quota, 0, self.clock()
        self.speed.told = quota.rate
        self.bucket.room = min(self.bucket.room, self._most(self.speed.tried(self.clock())))
        if self.supply is not None:
            self.supply.learned(quota.rate)
        self._serve()

    def not_told(self) -> None:
        """SES did not tell: its 24 hours roll on, and what it told long ago would keep a day full for ever."""
        if self.clock() - self.told_at > TOLD_SECONDS:
            self.quota = None

    def accepted(self, recipients: int) -> None:
        """SES took a message."""
        self.speed.accepted(recipients, self.clock())
        if self.supply is not None:
            self.supply.accepted(recipients)

    def slow_down(self) -> bool:
        """SES throttled a call. False when that was known already."""
        if self.supply is not None:
            self.supply.throttled()
        if not self.speed.throttled(self.clock()):
            return False
        self.bucket.room = min(self.bucket.room, 0.0)
        return True

    def _has_room(self, recipients: int) -> bool:
        """Whether the day has room for so many."""
        remaining = self.remaining
        return remaining is None or recipients <= remaining

    def _went(self, delegate: str, recipients: int) -> None:
        self.sent_since += recipients
        if self.supply is not None:
            self.supply.went(delegate, recipients)

    async def _wait(self, delegate: str, recipients: int, patience: float) -> NotNow | None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.line.join(delegate, turn, recipients)
        self._serve()
        try:
            async with asyncio.timeout(patience):
                await turn
        except TimeoutError:
            if turn.done() and not turn.cancelled():
                return None
            return NotNow(max(1.0, patience), TOO_FAST, Reason.RATE)
        finally:
            self.line.leave(delegate, turn)
        return None

    def _serve(self) -> None:
        """Let go who may go now, and come back when the next may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = 0.0
        while self.line and (seconds := self._seconds_of_first()) <= 0:
            turn, recipients = self.line.next()
            if not turn.done():
                turn.set_result(None)
                self._count(recipients)
        if self.line and not math.isinf(seconds):
            self._timer = asyncio.get_running_loop().call_later(seconds, self._serve)

    def _seconds_of_first(self) -> float:
        return self._seconds(1 if self.supply is None else self.line.first[1])

    def _seconds(self, recipients: int) -> float:
        """Return the seconds until a message of so many may go."""
        if self.supply is not None and self.supply.is_there:
            return self.supply.wait(recipients)
        now = self.clock()
        rate = self.speed.tried(now)
        self.bucket.fill(rate, self._most(rate), now)
        return 0.0 if self.bucket.room > 0 else self.bucket.wait(rate)

    def _count(self, recipients: int) -> None:
        if self.supply is not None and self.supply.is_there:
            self.supply.take(recipients)
        else:
            self.bucket.take(recipients)

    @staticmethod
    def _most(rate: float) -> float:
        return max(1.0, rate * BURST)
