"""The pace of one relay: every account and region at its own speed, every delegate within its share."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from relay.observe.events import Noted, Observer, PaceForgotten, SendingPaced
from relay.sending.answers import ACCESS_DENIED
from relay.sending.keys import Unusable
from relay.sending.outcomes import Ambiguous, Outcome, Sent
from relay.sending.pace.fleet import AskQuota, Fleet
from relay.sending.pace.lanes import PacedLane
from relay.sending.pace.quota import SendQuota
from relay.sending.pace.shares import Share, Shares
from relay.sending.pace.speed import Speed
from relay.sending.ports import NotNow, Turn
from relay.sending.troubles import OWN, Trouble, trouble_of

#: Between two questions to SES about one account and region: its API bears a call a second, for everybody's tools.
ASK_SECONDS: Final = 60.0


class Pacer:
    """
    A :class:`relay.sending.ports.Pace`, counted in recipients as SES counts.

    Args:
        ask: Asks SES for the quota of an account and region.
        wanted: The most recipients a second in each account and region; None for what SES tells.
        shares: The delegates' limits.
        named: What people call an account.
        clock: Monotonic seconds.
        fleet: The relays that share the pace with this one; None where it is alone.
    """

    def __init__(
        self,
        ask: AskQuota,
        *,
        wanted: float | None,
        shares: Mapping[str, Share],
        named: Callable[[str], str] = str,
        observe: Observer,
        clock: Callable[[], float],
        fleet: Fleet | None = None,
    ) -> None:
        self._ask = ask if fleet is None else fleet.quota(ask, named)
        self._wanted = wanted
        self._named = named
        self._observe = observe
        self._clock = clock
        self._lanes: dict[tuple[str, str], PacedLane] = {}
        self._unanswered: set[tuple[str, str]] = set()
        self._asking: set[asyncio.Task[None]] = set()
        self._fleet = fleet
        self.shares = Shares(shares) if fleet is None else fleet.shares(shares)

    async def take(self, turn: Turn, *, patience: float) -> NotNow | None:
        """Wait for a turn, at most *patience* seconds in all. None: send now, and tell what came of it."""
        if not self.shares.bind(turn.delegate):
            lane = self._lane(turn)
            if lane.at_once(turn.delegate, turn.recipients):
                return None
            return await lane.take(turn.delegate, turn.recipients, patience)
        began = self._clock()
        not_now = await self.shares.turn(turn.delegate, turn.recipients, began, patience=patience)
        if not_now is not None:
            return not_now
        try:
            left = patience - (self._clock() - began)
            not_now = await self._lane(turn).take(turn.delegate, turn.recipients, left)
        except asyncio.CancelledError:
            self.shares.give_back(turn.delegate, turn.recipients, self._clock())
            raise
        if not_now is not None:
            self.shares.give_back(turn.delegate, turn.recipients, self._clock())
        return not_now

    def ahead(self, turn: Turn) -> int:
        """Take turns in advance, of one recipient each, for more messages like that of *turn*; 0 where any is dear."""
        return 0 if self.shares.bind(turn.delegate) else self._lane(turn).ahead()

    def unused(self, turn: Turn) -> None:
        """Take back turns that were taken in advance, as many as *turn* has recipients."""
        self._lane(turn).sent_since -= turn.recipients

    def told(self, turn: Turn, outcome: Outcome) -> None:
        """Hear what came of a call: throttled means slower; what SES did not take does not count for the day."""
        lane = self._lane(turn)
        if isinstance(outcome, Sent):
            lane.accepted(turn.recipients)
            return
        if isinstance(outcome, Ambiguous):
            return
        self.shares.give_back(turn.delegate, turn.recipients, self._clock())
        lane.sent_since -= turn.recipients
        trouble = trouble_of(outcome)
        if trouble is Trouble.RATE and lane.slow_down():
            account, region = self._key(turn)
            told = {"account": self._named(account), "region": region, "rate": round(lane.rate, 1)}
            self._observe(Noted("warning", "pace.throttled", told))
            self._tell(account, region, lane)

    async def run(self) -> None:
        """Ask SES for the quota of every account and region in use, again and again, until cancelled."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            for account, region in tuple(self._lanes):
                if region:
                    await self._learn(account, region)

    def look_again(self, account: str) -> None:
        """Ask for the quotas of *account* that SES has not told yet: now it may."""
        for key in [key for key in self._unanswered if key[0] == account]:
            self._begin_to_learn(key)

    def forget(self, account: str) -> None:
        """Nobody calls as *account* any more: its quota is not asked for, and what was told of it holds no longer."""
        if account == self._named(OWN):
            return
        for key in [key for key in self._lanes if key[0] == account]:
            del self._lanes[key]
            self._unanswered.discard(key)
            self._observe(PaceForgotten(*key))

    async def close(self) -> None:
        """Ask no more."""
        for task in tuple(self._asking):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        for lane in self._lanes.values():
            if lane.supply is not None:
                await lane.supply.close()
        await self.shares.close()

    def _key(self, turn: Turn) -> tuple[str, str]:
        """Name account and region of a call: a role's account may be our own, as soon as STS has told which that is."""
        account = turn.lane.account
        return OWN if account != OWN and account == self._named(OWN) else account, turn.lane.region

    def _lane(self, turn: Turn) -> PacedLane:
        """Find the lane; the first message of an account and region asks for its quota and does not wait for it."""
        key = self._key(turn)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = self._new_lane(*key)
            if turn.lane.region:  # that of a notification is known when it has been judged
                self._begin_to_learn(key)
        return lane

    def _new_lane(self, account: str, region: str) -> PacedLane:
        speed = Speed(wanted=self._wanted)
        supply = None if self._fleet is None else self._fleet.supply(lambda: self._named(account), region, speed)
        return PacedLane(self._clock, speed, supply)

    def _begin_to_learn(self, key: tuple[str, str]) -> None:
        task = asyncio.get_running_loop().create_task(self._learn(*key), name="quota")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _learn(self, account: str, region: str) -> None:
        lane = self._lanes.get((account, region))
        quota = await self._ask(account, region)
        if lane is None or self._lanes.get((account, region)) is not lane:
            return  # it was forgotten
        if isinstance(quota, SendQuota):
            self._unanswered.discard((account, region))
            lane.learn(quota)
        else:
            lane.not_told()
            self._tell_unknown(account, region, quota)
        self._tell(account, region, lane)

    def _tell_unknown(self, account: str, region: str, why: Unusable) -> None:
        """Tell once, until it is known again."""
        if (account, region) in self._unanswered:
            return
        self._unanswered.add((account, region))
        told = {"account": self._named(account), "region": region, "why": why.why}
        fix = {"fix": "allow ses:GetSendQuota"} if why.code in ACCESS_DENIED else {}
        self._observe(Noted("warning", "pace.quota-unknown", told | fix))

    def _tell(self, account: str, region: str, lane: PacedLane) -> None:
        rate = lane.rate if lane.speed.is_known else None
        remaining = None if lane.remaining is None else max(0.0, lane.remaining)
        self._observe(SendingPaced(self._named(account), region, rate, remaining, lane.most_a_day))
