"""A courier between a spool in memory and an SES of one function; policies are the demo's, time is the loop's."""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relay.background import call_off
from relay.courier.attempts import Attempts, Backdoor, Chances
from relay.courier.courier import Courier
from relay.courier.schedule import Schedule
from relay.courier.slots import Bounds
from relay.courier.upkeep import Upkeep
from relay.identities.folder import FolderDirectory
from relay.judgement.rules import Rules
from relay.mail.profile import Profile
from relay.observe.events import Delivered, Event
from relay.sending.answers import MAYBE_SENT, NOT_KNOWN, TRY_LATER
from relay.sending.gates import Gates
from relay.sending.outcomes import Ambiguous, Deferred, Mail, Outcome, Refused, Sent
from relay.sending.ports import AtOnce, Pace
from relay.sending.troubles import OWN
from relay.spool.entries import Entry, State
from relay.walk import Clocks, House, Walk
from relay.words.delegates import Delegate
from relay.words.endings import Reason
from relay.words.replies import Reply
from tests.spool import building
from tests.spool.building import NOON, RAW
from tests.spool.memory import MemorySpool

DEMO = Path(__file__).parents[2] / "config" / "demo"
OWNED = Path("888888888888") / "us-east-1"
LANE = {"account": OWN, "region": "us-east-1"}
LANE["identity"] = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
DELEGATES = {
    "billing": Delegate("billing", "arn:aws:iam::111111111111:user/billing"),
    "news": Delegate("news", "arn:aws:iam::111111111111:user/billing"),
    "observed": Delegate("observed", "arn:aws:iam::333333333333:user/intern", mode="observe"),
}

THROTTLED = Deferred("Throttling", "Maximum sending rate exceeded.", TRY_LATER, Reason.SES_THROTTLED)
OVER_QUOTA = Deferred("Throttling", "Daily message quota exceeded.", TRY_LATER, Reason.SES_THROTTLED)
DOWN = Deferred("NotSent", "connection refused", TRY_LATER, Reason.SES_UNAVAILABLE)
NO_KEY = Deferred("ExpiredToken", "The security token is expired", NOT_KNOWN, Reason.SES_CREDENTIALS)
NOT_LET = Deferred("AccessDenied", "User is not authorized", TRY_LATER, Reason.SES_REFUSED)
SILENT = Ambiguous("NoAnswer", "TimeoutError", MAYBE_SENT, Reason.SES_UNAVAILABLE)
REFUSED = Refused("MessageRejected", "Illegal", Reply(554, (5, 6, 0), "Message rejected"), Reason.SES_REFUSED)

Answer = Callable[[Mail], "Outcome | Awaitable[Outcome]"]


def entry(name: str = "a1", **fields: Any) -> Entry:
    """An entry as reception makes it, due at once."""
    made = building.entry(name, **fields)
    return replace(made, details={**LANE, **made.details})


@dataclass
class Ses:
    """Answers by *answer*; remembers when it was called with what, and how many calls ran at once."""

    answer: Answer
    seconds: float = 0.05
    calls: list[tuple[float, Mail]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    running: int = 0
    depths: list[int] = field(default_factory=list)

    async def send(self, mail: Mail, region: str) -> Outcome:
        assert region == "us-east-1"
        self.calls.append((asyncio.get_running_loop().time(), mail))
        self.running += 1
        self.depths.append(self.running)
        try:
            await asyncio.sleep(self.seconds)
            answer = self.answer(mail)
            outcome = answer if not isinstance(answer, Awaitable) else await answer
        finally:
            self.running -= 1
        if isinstance(outcome, Sent):
            self.sent.append(name_of(mail))
        return outcome

    @property
    def most(self) -> int:
        """Calls at once."""
        return max(self.depths)

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.calls]


def taken(mail: Mail) -> Sent:
    """SES takes everything."""
    return Sent(f"0100-{name_of(mail)}")


def name_of(mail: Mail) -> str:
    """The queue id, from the Received field."""
    return mail.head.partition(b" id ")[2].partition(b";")[0].split()[0].decode()


def in_order(*answers: Outcome) -> Answer:
    """One answer after the other, then everything is taken."""
    left = list(answers)
    return lambda mail: left.pop(0) if left else taken(mail)


@dataclass
class Notices:
    """Remembers who must be told."""

    owed: list[tuple[Entry, str]] = field(default_factory=list)
    fails: bool = False

    async def owe(self, entry: Entry, why: str) -> None:
        self.owed.append((entry, why))
        if self.fails:
            raise RuntimeError("no paper left")


@dataclass
class Scene:
    """Everything around one courier."""

    courier: Courier
    upkeep: Upkeep
    spool: MemorySpool
    ses: Ses
    gates: Gates
    events: list[Event]
    notices: Notices
    policies: Path
    directory: FolderDirectory
    walk: Walk

    async def until(self, holds: Callable[[], Any], seconds: float = 90_000) -> None:
        """Let time pass until *holds*."""
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        while not holds():
            assert now() < deadline, (Counter(self.results), Counter(each.state for each in self.kept.values()))
            await asyncio.sleep(0.01 if now() < 100 else 1.0)

    async def idle(self) -> None:
        """Let time pass until nothing is left to be sent."""
        await self.until(lambda: not any(each.state in (State.DUE, State.SENDING) for each in self.kept.values()))
        await asyncio.sleep(0.01)

    @property
    def kept(self) -> dict[str, Entry]:
        return self.spool._entries

    @property
    def results(self) -> list[str]:
        return [event.result for event in self.events if isinstance(event, Delivered)]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(event.record) for event in self.events if isinstance(event, Delivered)]

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def deny(self) -> None:
        """The owner withdraws what billing was granted."""
        shutil.rmtree(self.policies / OWNED / "example.com")
        (self.policies / OWNED / "example.com").mkdir()
        self.directory.refresh()


@asynccontextmanager
async def scene(
    policies: Path,
    answer: Answer = taken,
    *,
    spool: MemorySpool | None = None,
    schedule: Schedule | None = None,
    bounds: Bounds | None = None,
    pace: Pace | None = None,
    rules: Rules | None = None,
    upkeeps: bool = False,
    starts: bool = True,
) -> AsyncIterator[Scene]:
    """A running courier; it is stopped at the end, and nothing may be left under way."""
    loop, chance = asyncio.get_running_loop(), random.Random(7)
    events: list[Event] = []
    spool, ses, notices = spool or MemorySpool(), Ses(answer), Notices()

    def now() -> float:
        return NOON + loop.time()

    directory = FolderDirectory(policies, (), lambda _event: None, now)
    directory.refresh()
    house = House(DELEGATES.get, rules or Rules(max_stale=1e12), Profile(own_name="relay.example"), "relay.example")
    clocks = Clocks(now, loop.time)
    walk = Walk(house, directory, observe=events.append, clocks=clocks)
    gates = Gates(most=64, now=loop.time, chance=chance.random)
    door, chances = Backdoor(ses, gates, pace or AtOnce()), Chances(now, chance.random)
    schedule = schedule or Schedule()
    attempts = Attempts(walk, door, spool, schedule=schedule, chances=chances, observe=events.append)
    courier = Courier(
        spool,
        attempts,
        door=door,
        schedule=schedule,
        chances=chances,
        monotonic=loop.time,
        observe=events.append,
        notices=notices,
        bounds=bounds,
    )
    upkeep = Upkeep(spool, schedule=schedule, chances=chances, monotonic=loop.time, observe=events.append)
    made = Scene(courier, upkeep, spool, ses, gates, events, notices, policies, directory, walk)
    if starts:
        await courier.start()
    keeping = asyncio.create_task(upkeep.run()) if upkeeps else None
    try:
        yield made
    finally:
        await call_off(keeping)
        await courier.stop(60)


async def keep(spool: MemorySpool, *entries: Entry, raw: bytes = RAW) -> None:
    """Commit entries."""
    for each in entries:
        assert await spool.commit(each, raw) is None


def crash(one: Scene) -> MemorySpool:
    """Kill the process: nothing more is written. Returns what the next start finds."""
    left = one.spool.crashed()
    for each in one.courier._slots.steps:
        each.cancel()
    return left
