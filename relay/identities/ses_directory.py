"""
Policies from SES (``policies.source = "ses"``): every account and region has a plan and a loop of its own.

What is handed out is as old as it says. Nothing here waits for SES but the loops, and a message that was judged
undecided for want of one identity, for two seconds.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from relay.background import aside, going_on
from relay.identities.accounts import Accounts
from relay.identities.ports import Keeper, PlaceState
from relay.identities.rounds import Look, Rounds, Wait
from relay.identities.ses_answers import Clocks
from relay.identities.ses_api import SesApi
from relay.identities.ses_place import Place
from relay.identities.ses_visit import FirstVisit
from relay.identities.snapshot import Snapshot, SnapshotProblem
from relay.judgement.catalog import Catalog
from relay.judgement.verdicts import Decision, Verdict
from relay.observe.events import Noted, Observer, RevocationStated
from relay.words.addresses import Address
from relay.words.arns import IdentityArn
from relay.words.freshness import Terms
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

#: Judged messages that may wait to be looked at; of more than these the oldest are passed over.
MOST_USES: Final = 8192
#: Seconds for which judged messages are gathered before they are looked at.
GATHERING: Final = 0.25
#: The least seconds between two writings of what is known.
BOOKS_EVERY: Final = 15.0
#: Writing takes at most this part of the time.
BOOKS_SHARE: Final = 0.01
#: What a start waits for the first lists, in seconds.
FIRST_LISTS: Final = 5.0
#: A revocation time is told again when it differs by this part of it.
NOTICEABLE: Final = 0.01
#: The pause of a loop after a fault of ours.
AFTER_FAULT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Books:
    """What is kept beside memory: texts of policies, and all that is known over a restart. Each may be None."""

    keeper: Keeper | None = None
    snapshot: Snapshot | None = None


class SesDirectory:
    """
    A :class:`relay.identities.ports.Directory` of owners' accounts.

    Args:
        owners: The accounts and regions.
        accounts: How they are asked: without a pace and without repetition, which are the plan's affair.
        terms: How fresh policies are to be, and what it may cost.
        observe: Hears of readings, troubles, and the attainable revocation time; in the event loop but for the start.
        before: A directory whose place this one takes: what it knows is kept.

    """

    def __init__(
        self,
        owners: Iterable[tuple[str, str]],
        accounts: Accounts,
        terms: Terms,
        observe: Observer,
        *,
        books: Books = Books(),  # noqa: B008 - frozen
        clocks: Clocks = Clocks(),  # noqa: B008 - frozen
        before: "SesDirectory | None" = None,
    ) -> None:
        self._terms = terms
        self._observe = observe
        self._books = books
        self._clocks = clocks
        self._places: dict[tuple[str, str], Place] = {}
        for account, region in owners:
            rounds = Rounds(terms, clocks.monotonic(), clocks.chance)
            place = Place(SesApi(accounts, account, region), rounds, observe, clocks)
            place.collecting = books.keeper is not None
            self._places[account, region] = place
            older = None if before is None else before.place(account, region)
            if older is not None:
                place.inherit(older)
        self._catalog = Catalog()
        self.publish()
        self._is_restored = before is not None
        self._uses: deque[tuple[str, Sequence[Decision]]] = deque(maxlen=MOST_USES)
        self._woken = asyncio.Event()
        self._stated: dict[tuple[str, str], float] = {}
        self._warned: set[tuple[str, str]] = set()
        self._texts: dict[str, str] = {}
        self._written: Catalog | None = None
        self._unwritten = ""
        self._writing = threading.Lock()

    @property
    def catalog(self) -> Catalog:
        """What SES told, and when."""
        return self._catalog

    @property
    def all_places(self) -> tuple[Place, ...]:
        """The accounts and regions, with what is known of them."""
        return tuple(self._places.values())

    def place(self, account: str, region: str) -> Place | None:
        """Return what is known of one account and region, for whoever takes this directory's place."""
        return self._places.get((account, region))

    def publish(self) -> None:
        """Hand out what every place knows now."""
        self._catalog = Catalog({key: place.shelf.owned for key, place in self._places.items()})

    # --- before the loops ---------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Remember what the last run knew; ask for the lists that are not known, and wait for them a few seconds."""
        if not self._is_restored:
            self._is_restored = True
            self._restore()
        unlisted = [place for place in self._places.values() if place.leads and not place.rounds.is_listed]
        taking_over = threading.Lock()
        visits = [FirstVisit(place, self._clocks, taking_over) for place in unlisted]
        until = self._clocks.monotonic() + FIRST_LISTS
        for visit in visits:
            visit.thread.start()
        for visit in visits:
            visit.thread.join(max(0.0, until - self._clocks.monotonic()))
            visit.end()
        self.publish()

    def _restore(self) -> None:
        snapshot = self._books.snapshot
        if snapshot is None:
            return
        try:
            kept = snapshot.read(self._clocks.wall(), self._terms.max_stale)
        except SnapshotProblem as problem:
            self._observe(Noted("warning", "policies.snapshot-not-used", {"why": str(problem)}))
            return
        for each in kept:
            if (place := self._places.get((each.account, each.region))) is not None:
                place.remember(each)
                place.tell()

    def fetch(self, identities: Iterable[IdentityArn]) -> bool:
        """Read those of *identities* that are listed and cannot decide, one after the other."""
        is_wiser = False
        for arn in identities:
            place = self._places.get((arn.account, arn.region))
            if place is not None and place.is_doubtful(arn.name):
                step = Look(arn.name)
                place.take_over(step, place.ask(step))
                is_wiser = is_wiser or not place.is_doubtful(arn.name)
        self.publish()
        return is_wiser

    # --- what others want ---------------------------------------------------------------------------------------------

    def refresh_soon(self) -> None:
        """Let everything be read again as the budget allows, what is in use first."""
        self.invalidate()

    def invalidate(self, identity: IdentityArn | None = None) -> bool:
        """Let *identity*, or everything and the lists, be read again; of an unknown one its owner's list."""
        if identity is None:
            for place in self._places.values():
                place.invalidate(None)
                place.fellows.invalidated(None)
            return True
        owner = self._places.get((identity.account, identity.region))
        if owner is None:
            return False
        owner.invalidate(identity.name)
        owner.fellows.invalidated(identity.name)
        return True

    def used(self, delegate: str, decisions: Sequence[Decision]) -> None:
        """Remember that mail was judged, to be looked at in a moment."""
        if not self._uses:
            self._woken.set()
        self._uses.append((delegate, decisions))

    async def look(self, delegate: str, identities: Iterable[IdentityArn], patience: float) -> bool:
        """Wait for what is not known of *identities*; there is one lookup for all who wait."""
        flights = set()
        for arn in identities:
            place = self._places.get((arn.account, arn.region))
            if place is not None and (flight := place.flight(arn.name, delegate)) is not None:
                flights.add(flight)
        if not flights:
            return False
        done, _ = await asyncio.wait(flights, timeout=patience)
        return any(flight.result() for flight in done)

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """One for each account and region."""
        return {place.source: key for key, place in self._places.items()}

    def places(self) -> tuple[PlaceState, ...]:
        """Tell how each account and region stands."""
        return tuple(self._state(place) for place in self._places.values())

    def _state(self, place: Place) -> PlaceState:
        revocation = place.rounds.revocation(self._clocks.monotonic())
        troubles = place.troubles
        if revocation > self._terms.max_stale:
            troubles.append(_too_many(len(place.rounds.in_use), revocation, self._terms.max_stale))
        in_use = frozenset(place.rounds.in_use)
        return PlaceState(place.account, place.region, "ses", in_use, revocation, tuple(troubles))

    # --- the loops ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ask SES, each account and region by its own plan, until cancelled; what is known then is written."""
        try:
            async with asyncio.TaskGroup() as group:
                for place in self._places.values():
                    group.create_task(self._unended(partial(self._step, place)))
                group.create_task(self._unended(self._look_at_uses))
                group.create_task(self._unended(self._keep_books))
        finally:
            for place in self._places.values():
                place.give_up()
            await self._write()

    async def _unended(self, turn: Callable[[], Awaitable[None]]) -> None:
        """Take turns without end. A fault of ours must not end them: all would grow stale."""

        async def turns() -> None:
            while True:
                await turn()

        await going_on(turns, self._tell_fault, AFTER_FAULT)

    def _tell_fault(self, error: Exception) -> None:
        self._observe(Noted("error", "policies.fault", {"why": f"{type(error).__name__}: {error}"}))

    async def _step(self, place: Place) -> None:
        step = place.next_step()
        if isinstance(step, Wait):
            place.woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(step.seconds):
                    await place.woken.wait()
            return
        place.begin(step)
        asked = await aside(partial(place.ask, step), place.source)
        place.take_over(step, asked)
        self.publish()
        self.state_revocation(place)

    def state_revocation(self, place: Place) -> None:
        """Tell in how many seconds a withdrawn permission ends, where that has changed; loudly if it is too late."""
        key, seconds = (place.account, place.region), place.rounds.revocation(self._clocks.monotonic())
        if abs(seconds - self._stated.get(key, 0.0)) > NOTICEABLE * seconds:
            self._stated[key] = seconds
            self._observe(RevocationStated(*key, seconds))
        is_late = seconds > self._terms.max_stale
        if is_late and key not in self._warned:
            why = _too_many(len(place.rounds.in_use), seconds, self._terms.max_stale)
            self._observe(Noted("error", "policies.too-many-in-use", {"account": key[0], "region": key[1], "why": why}))
        (self._warned.add if is_late else self._warned.discard)(key)

    async def _look_at_uses(self) -> None:
        await self._woken.wait()
        self._woken.clear()
        await asyncio.sleep(GATHERING)
        uses = list(self._uses)
        self._uses.clear()
        seen: set[tuple[str, IdentityArn, Address, Verdict]] = set()
        for delegate, decisions in uses:
            for decision in decisions:
                arn = decision.identity
                key = None if arn is None else (delegate, arn, decision.address, decision.verdict)
                if arn is None or key is None or key in seen:
                    continue
                seen.add(key)
                if (place := self._places.get((arn.account, arn.region))) is not None:
                    place.used(delegate, decision)
                    place.woken.set()

    # --- books --------------------------------------------------------------------------------------------------------

    async def _keep_books(self) -> None:
        began = self._clocks.monotonic()
        await self._write()
        await asyncio.sleep(max(BOOKS_EVERY, (self._clocks.monotonic() - began) / BOOKS_SHARE))

    async def _write(self) -> None:
        """Write what is known, if it has changed; a book that cannot be written is no reason not to judge by it."""
        catalog, at = self._catalog, self._clocks.wall()
        if catalog is self._written:
            return
        failed = []
        if (keeper := self._books.keeper) is not None:
            texts = self._take_texts()
            if (unkept := await self._in_turn(partial(keeper.keep, texts, catalog, at), "policy texts")) is None:
                self._texts.clear()
            else:
                failed.append(f"policy texts are not kept: {unkept.why}")
        known = [known for place in self._places.values() if (known := place.known()) is not None]
        if (snapshot := self._books.snapshot) is not None and known:
            unkept = await self._in_turn(partial(snapshot.write, known, at), "policies snapshot")
            failed += [] if unkept is None else [f"the snapshot is not written: {unkept.why}"]
        self._written = catalog
        self._tell_of_books("; ".join(failed))

    async def _in_turn(self, write: Callable[[], Unavailable | None], what: str) -> Unavailable | None:
        """Write when no other thread does: one goes on though whoever waited for it was called off."""

        def work() -> Unavailable | None:
            with self._writing:
                return write()

        return await aside(work, what)

    def _take_texts(self) -> dict[str, str]:
        for place in self._places.values():
            self._texts |= place.texts
            place.texts.clear()
        return dict(self._texts)

    def _tell_of_books(self, failed: str) -> None:
        if failed and failed != self._unwritten:
            self._observe(Noted("warning", "policies.not-kept", {"why": failed}))
        self._unwritten = failed


def _too_many(in_use: int, revocation: float, max_stale: float) -> str:
    return (
        f"{in_use} identities in use are read again every {revocation:.0f} s, and policies.max_stale is "
        f"{max_stale:.0f} s: some will decide nothing before they are read again"
    )
