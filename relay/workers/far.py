"""The rooms that only the supervisor has, as a worker sees them: what can be known here is known, the rest is asked."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from time import monotonic, time
from typing import Final

from relay.courier import schedule as schedules
from relay.courier.schedule import Schedule
from relay.judgement.catalog import Catalog
from relay.judgement.verdicts import Decision
from relay.observe.events import Observer
from relay.sending.answers import TRY_LATER
from relay.sending.gates import Key, keys_of
from relay.sending.keys import AccessKey, KeySource, Unusable
from relay.sending.outcomes import Ambiguous, Deferred, Outcome, Sent
from relay.sending.ports import NotNow, Turn
from relay.sending.roles import Roles
from relay.sending.troubles import Lane
from relay.spool.entries import Entry
from relay.spool.ports import Full
from relay.words.arns import IdentityArn
from relay.words.endings import Reason
from relay.words.roles import AssumedRole
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass
from relay.workers.asking import Asking, SupervisorGone
from relay.workers.catalogs import Gathered, Piece
from relay.workers.wire import Message, pickled, unpickled

#: Seconds after which turns that were taken in advance and not needed are given back.
IN_ADVANCE: Final = 0.1
#: Seconds for which the same use of identities is told once.
USE_AGAIN: Final = 0.5
#: What a message waits for a key of which nothing was told yet.
FIRST_PATIENCE: Final = 2.0
LEAVING: Final = NotNow(0.0, TRY_LATER, Reason.SHUTTING_DOWN)


class FarIdentities:
    """The catalog as the supervisor has it; a :class:`relay.identities.ports.Identities`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._gathered = Gathered()
        self._held: list[Piece] | None = None
        self._seen: dict[int, Sequence[Decision]] = {}
        self._seen_since = 0.0

    @property
    def catalog(self) -> Catalog:
        """What was told last, as a whole."""
        return self._gathered.catalog

    def take(self, piece: Piece) -> None:
        """Take the next piece of what is told."""
        if self._held is None:
            self._gathered.take(piece)
        else:
            self._held.append(piece)

    def hold(self) -> None:
        """Let what is told from now on count together with the orders that come behind it."""
        self._held = self._held or []

    def release(self) -> None:
        """Let it count."""
        held, self._held = self._held, None
        for piece in held or ():
            self._gathered.take(piece)

    def invalidate(self, identity: IdentityArn | None = None) -> bool:
        """Have it read again."""
        self._asking.wire.say("invalidate", pickled(identity))
        return identity is None or (identity.account, identity.region) in self.catalog.owners

    def used(self, delegate: str, decisions: Sequence[Decision]) -> None:
        """Tell of a use; one that is remembered judgement's, seen a moment ago, was told then."""
        now = monotonic()
        if now - self._seen_since > USE_AGAIN:
            self._seen, self._seen_since = {}, now
        if self._seen.get(id(decisions)) is decisions:
            return
        self._seen[id(decisions)] = decisions  # held, so that nothing else gets its id
        bare = [Decision(each.role, each.address, each.identity, "", each.verdict) for each in decisions]
        self._asking.books.mention(("used", delegate, pickled(bare)))

    async def look(self, delegate: str, identities: Iterable[IdentityArn], patience: float) -> bool:
        """Wait for what is not known; what became known was told before the answer."""
        with suppress(SupervisorGone):
            return bool(await self._asking.ask("look", delegate, pickled(list(identities)), patience))
        return False


class FarPace:
    """The pace of the relay; a :class:`relay.sending.ports.Pace`. Where nothing is scarce, turns come in advance."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._ahead: dict[tuple[str, str, str], _Ahead] = {}

    async def take(self, turn: Turn, *, patience: float) -> NotNow | None:
        """Wait for a turn, at most *patience* seconds. None: send now."""
        ahead = self._ahead.get((turn.lane.account, turn.lane.region, turn.delegate))
        if ahead is None or ahead.left < turn.recipients:
            return await self._ask(turn, patience)
        ahead.left -= turn.recipients
        if ahead.left < ahead.reserve and (ahead.errand is None or ahead.errand.done()):
            ahead.errand = asyncio.create_task(self._ask_for_more(turn))
        return None

    def told(self, turn: Turn, outcome: Outcome) -> None:
        """Tell what came of a call, gates and pace at once; that SES took it is told in sums."""
        if isinstance(outcome, Sent):
            self._asking.sums.add(("sent", *written(turn)))
        else:
            self._asking.wire.say("told", *written(turn), pickled(outcome))

    def renew(self) -> None:
        """Ask again for every message: what is scarce may have changed."""
        for ahead in self._ahead.values():
            self._give_back(ahead, ahead.left)

    async def _ask(self, turn: Turn, patience: float) -> NotNow | None:
        try:
            more, refused = await self._asking.ask("take", *written(turn), patience)
        except SupervisorGone:
            return LEAVING
        self._gain(turn, more)
        return None if refused is None else unpickled(refused)

    async def _ask_for_more(self, turn: Turn) -> None:
        """Ask before all are used: while an answer is waited for, every message that comes would ask by itself."""
        with suppress(SupervisorGone):
            self._gain(turn, await self._asking.ask("ahead", *written(turn)))

    def _gain(self, turn: Turn, more: int) -> None:
        if not more:
            return
        key = (turn.lane.account, turn.lane.region, turn.delegate)
        ahead = self._ahead.get(key)
        if ahead is None:
            self._ahead[key] = _Ahead(turn, more, more, more // 4)
            asyncio.get_running_loop().call_later(IN_ADVANCE, self._look_back, key)
        else:
            ahead.fewest = min(ahead.fewest, ahead.left)
            ahead.left += more
            ahead.reserve = more // 4

    def _look_back(self, key: tuple[str, str, str]) -> None:
        """Give back what nobody has needed since the last time."""
        ahead = self._ahead[key]
        self._give_back(ahead, min(ahead.fewest, ahead.left))
        if ahead.left:
            ahead.fewest = ahead.left
            asyncio.get_running_loop().call_later(IN_ADVANCE, self._look_back, key)
        else:
            del self._ahead[key]

    def _give_back(self, ahead: "_Ahead", unused: int) -> None:
        if unused:
            ahead.left -= unused
            self._asking.books.mention(("unused", *written(ahead.turn)[:-1], unused))


@dataclass(slots=True)
class _Ahead:
    """
    Turns like ``turn`` that were taken in advance: so many are left, the ``fewest`` before any came of late; when they
    become fewer than the ``reserve``, more are asked for.
    """

    turn: Turn
    left: int
    fewest: int
    reserve: int
    errand: "asyncio.Task[None] | None" = None


def written(turn: Turn) -> Message:
    """Return a turn as the wire takes it: its lane, the delegate, the recipients."""
    lane = turn.lane
    return (lane.account, lane.region, lane.identity, lane.session, turn.delegate, turn.recipients)


def turn_of(account: str, region: str, identity: str, session: str, delegate: str, recipients: int) -> Turn:
    """Read what :func:`written` wrote."""
    return Turn(Lane(account, region, identity, session), delegate, recipients)


class FarGates:
    """
    Which gates are shut; a :class:`relay.sending.ports.Gatekeeper`.

    No worker probes at a shut gate: it keeps the message, and the courier probes with what is kept.
    """

    def __init__(self) -> None:
        self.shut: Mapping[Key, Reason] = {}

    def admit(self, lane: Lane) -> bool:
        """Whether no gate of *lane* is shut."""
        return not self.shut or not any(key in self.shut for key in keys_of(lane))

    def leave(self, lane: Lane) -> None:
        """Do nothing: who was admitted was no probe."""

    def told(self, lane: Lane, outcome: Outcome) -> None:
        """Do nothing: the pace tells the supervisor of both."""

    def reason(self, lane: Lane) -> Reason:
        """Why *lane* is shut."""
        return next((self.shut[key] for key in keys_of(lane) if key in self.shut), Reason.NONE)


class FarKey:
    """An access key that the supervisor keeps; a :class:`relay.sending.keys.KeySource`."""

    def __init__(self, role: AssumedRole | None, tell: Callable[..., None]) -> None:
        self._role = role
        self._tell = tell
        self._state: AccessKey | Unusable = Unusable("not told yet")
        self._is_told = asyncio.Event()

    def take(self, state: AccessKey | Unusable) -> None:
        """Sign with another from now on."""
        self._state = state
        self._is_told.set()

    async def get(self) -> AccessKey | Unusable:
        """Return the key. Waits a little where nothing was told of it yet."""
        if not self._is_told.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_PATIENCE):
                    await self._is_told.wait()
        return self._state

    def reject(self, key: AccessKey) -> None:
        """Have another looked for."""
        self._tell("reject", pickled((self._role, key)))


class FarRoles(Roles):
    """The keys of roles, which the supervisor assumes; here nobody asks STS."""

    def __init__(self, asking: Asking, observe: Observer) -> None:
        super().__init__(_nobody_assumes, observe)
        self._tell = asking.wire.say
        self._far: dict[AssumedRole, FarKey] = {}

    def of(self, role: AssumedRole) -> KeySource:
        """Return who hands out the key of *role*, and of nobody else."""
        return self._far.setdefault(role, FarKey(role, self._tell))

    def take(self, states: Mapping[AssumedRole, AccessKey | Unusable]) -> None:
        """Learn other keys."""
        for role, state in states.items():
            self._far.setdefault(role, FarKey(role, self._tell)).take(state)

    def doubt(self, role: AssumedRole, key: AccessKey) -> None:
        """Tell that SES denied what *key* asked."""
        self._tell("doubt", pickled((role, key)))


async def _nobody_assumes(role: AssumedRole) -> Unusable:
    return Unusable(f"no worker assumes {role.arn}")


class FarSpool:
    """
    The spool; a :class:`relay.spool.ports.Intake`. ``refused``: from which size on it has no room now, and why.
    ``now``: the time that entries are stamped with here.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self.refused: tuple[int, Full] | None = None
        self.now: Callable[[], float] = time

    def room(self, octets: int) -> Full | None:
        """Tell whether there was room a moment ago, as far as is known."""
        return self.refused[1] if self.refused is not None and octets >= self.refused[0] else None

    async def commit(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        """Have it kept, and wait until it is."""
        try:
            problem = await self._asking.ask("commit", pickled(entry), bytes(raw), self.now())
        except SupervisorGone:
            return Unavailable("the supervisor is gone")
        return None if problem is None else unpickled(problem)


class FarSuccessor:
    """The courier; a :class:`relay.reception.Successor`."""

    def __init__(self, asking: Asking, schedule: Schedule, now: Callable[[], float]) -> None:
        self._asking = asking
        self._schedule = schedule
        self._now = now

    def look(self) -> None:
        """Do nothing: the supervisor knows what it has kept."""

    def hand_over(self, entry: Entry, call: "asyncio.Task[Outcome]") -> None:
        """Tell the end of a call; that the entry waits for it was known when it was kept."""
        call.add_done_callback(lambda ended: self._tell(entry.id, ended))

    def after(self, outcome: Deferred | Ambiguous, entry: Entry) -> Entry:
        """Return *entry* as it waits after an attempt that came to *outcome*."""
        return schedules.after(outcome, entry, self._schedule, self._now(), random.random())  # noqa: S311 - a pause

    def _tell(self, entry_id: str, call: "asyncio.Task[Outcome]") -> None:
        is_known = not call.cancelled() and call.exception() is None
        self._asking.wire.say("ended", entry_id, pickled(call.result() if is_known else None))
