"""What the running relay tells and keeps for whoever audits it: changes of policies, and what operators did."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from relay.audit.book import ACTION, CHANGE, AuditBook, Entry
from relay.background import aside
from relay.judgement.catalog import Catalog
from relay.judgement.rules import Rules
from relay.observe.events import (
    DelegatesObserved,
    Event,
    Noted,
    Observer,
    PoliciesRefreshed,
    PolicyChanged,
    StandingChanged,
)
from relay.observe.observers import Ear
from relay.observe.plain import bounded
from relay.owner.changes import Change, Ledger, Owner, entry_of, is_loss
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

if TYPE_CHECKING:
    from relay.owner.effects import Effect

#: Notes that are kept: what people did to the relay, and when it ran.
ACTIONS: Final = frozenset(
    {"relay.ready", "relay.stopped", "relay.reloaded", "relay.reload-refused", "admin.changed", "spool.changed"}
    | {"policies.refresh-wanted", "journal.dropped", "journal.damaged"}
)
#: Seconds that are spent, at most, on asking what changes seen at one moment mean for delegates.
ASKING: Final = 5.0
#: Catalogs that may wait to be compared; of more than these the oldest are passed over.
MOST_CATALOGS: Final = 64
#: Entries that may wait to be written; of more than these the oldest are lost, and that is told.
MOST_WAITING: Final = 10_000
#: Between two tries to write, and between two looks at what is too old to be kept, in seconds.
RETRY: Final = 30.0
TIDYING: Final = 3600.0
#: After a start, before what is too old goes: what is in force is seen again first.
SETTLING: Final = 300.0
#: Seconds for which what happens is gathered; after a fault of ours; what the end waits for the disk.
GATHERING: Final = 0.1
AFTER_FAULT: Final = 1.0
CLOSING: Final = 5.0
#: After each delegate that was asked about, so that mail has its turn.
BREATH: Final = 0.001


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What the relay is just now: what it has read, for whom it judges, and by what rules.

    ``forget`` lets go of decisions of before a time, in a thread; ``clock``: seconds since the epoch.
    """

    catalog: Callable[[], Catalog]
    delegates: Callable[[], Sequence[Delegate]]
    rules: Callable[[], Rules]
    forget: Callable[[float], None]
    clock: Callable[[], float] = time.time


class Trail:
    """
    An observer that sees changes of policies and keeps them with what operators did.

    Without a *book* nothing is kept, changes are told all the same. *keep*: seconds; None for no end.
    """

    def __init__(
        self, book: AuditBook | None, surroundings: Surroundings, observe: Observer, *, keep: float | None = None
    ) -> None:
        self._book = book
        self._around = surroundings
        self._observe = observe
        self._keep = keep
        self._ledger: Ledger | None = None
        self._catalogs: deque[Catalog] = deque(maxlen=MOST_CATALOGS)
        self._entries: deque[Entry] = deque()
        self._changes: dict[IdentityArn, Change] = {}  # the last of each identity
        self._lost = 0
        self._trouble = ""
        self._woken = asyncio.Event()
        self._tidied = 0.0
        self._is_closing = False
        self._ears: dict[type, Ear] = {
            PoliciesRefreshed: self._refreshed,
            Noted: self._noted,
            DelegatesObserved: self._observed,
            StandingChanged: self._stands_otherwise,
        }
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, event: Event) -> None:
        """Take what is of interest; takes a moment."""
        if (ear := self.ear(type(event))) is not None:
            ear(event)

    def ear(self, kind: type) -> Ear | None:
        """Return what is told of events of *kind*: of most of them nothing."""
        return self._ears.get(kind)

    def _refreshed(self, _: PoliciesRefreshed) -> None:
        self._soon(self._look)  # who tells has not published it yet

    def _noted(self, event: Noted) -> None:
        if event.event in ACTIONS:
            self._act(event.event, event.details)

    def _observed(self, event: DelegatesObserved) -> None:
        self._act("observing", {"until": {name: date_of(end) for name, end in event.until.items()}})

    def _stands_otherwise(self, event: StandingChanged) -> None:
        if event.is_news:
            until = None if event.until is None else date_of(event.until)
            told = {"delegate": event.delegate, "standing": event.standing.word, "until": until, "why": event.why}
            self._act("delegate.standing", told)

    def start(self) -> None:
        """Begin to compare what is read with what was, to tell, and to keep."""
        self._loop = asyncio.get_running_loop()
        self._tidied = self._around.clock() - TIDYING + SETTLING
        self._look()
        self._task = asyncio.create_task(self._run(), name="audit")

    async def close(self) -> None:
        """Keep what waits, if the disk takes it in a few seconds. For the end, when nothing else happens any more."""
        await asyncio.sleep(0)  # what was told just now comes first
        self._is_closing = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSING)
            self._task.cancel()

    def _soon(self, act: Callable[[], None]) -> None:
        """In the loop, from whatever thread; before the start nothing is missed by not looking."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed: this came after the end
                self._loop.call_soon_threadsafe(act)

    def _act(self, name: str, details: Any) -> None:
        entry = Entry(self._around.clock(), ACTION, {"action": name, "details": bounded(details)})
        self._soon(partial(self._wait_to_be_written, entry))

    def _look(self) -> None:
        catalog = self._around.catalog()
        if not self._catalogs or self._catalogs[-1] is not catalog:
            self._catalogs.append(catalog)
            self._woken.set()

    # --- turns --------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        is_last = False
        while not is_last:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY if self._is_behind else TIDYING):
                    await self._woken.wait()
                    await asyncio.sleep(GATHERING)
            self._woken.clear()
            is_last = self._is_closing
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the watch
                self._observe(Noted("error", "audit.fault", {"why": f"{type(error).__name__}: {error}"}))
                await asyncio.sleep(AFTER_FAULT)

    @property
    def _is_behind(self) -> bool:
        return self._book is not None and bool(self._entries or self._changes)

    async def _turn(self) -> None:
        ledger = self._ledger
        if ledger is None:
            ledger = self._ledger = await aside(self._begin, "audit")
        while self._catalogs:
            changes = await aside(partial(ledger.compare, self._catalogs.popleft()), "audit")
            if self._book is not None:
                self._changes |= {change.arn: change for change in changes}
            for entry, kinds in await aside(partial(self._entries_of, changes), "audit"):
                self._observe(PolicyChanged(entry["identity"], kinds, entry, is_loss=is_loss(entry)))
                self._wait_to_be_written(Entry(self._around.clock(), CHANGE, entry))
                await asyncio.sleep(0)  # there may be thousands
        if self._is_behind:
            await self._keep_what_waits(ledger)
        await self._tidy()

    async def _keep_what_waits(self, ledger: Ledger) -> None:
        """Write entries and how identities stand together; what cannot be written waits on."""
        entries, self._entries = self._entries, deque()
        changes, self._changes = self._changes, {}
        lost, self._lost = self._lost, 0
        batch = [*entries, *([self._entry_of_loss(lost)] if lost else [])]
        unkept = await aside(partial(self._write, batch, list(changes.values()), ledger.owners), "audit")
        if unkept is not None:
            entries.extend(self._entries)
            self._entries, self._changes, self._lost = entries, changes | self._changes, lost + self._lost
        self._tell(unkept)

    async def _tidy(self) -> None:
        now = self._around.clock()
        if self._keep is not None and abs(now - self._tidied) >= TIDYING:
            self._tidied = now
            self._tell(await aside(partial(self._forget, now - self._keep), "audit"))

    def _wait_to_be_written(self, entry: Entry) -> None:
        if self._book is None:
            return
        if len(self._entries) >= MOST_WAITING:
            self._entries.popleft()
            self._lost += 1
        self._entries.append(entry)
        self._woken.set()

    def _entry_of_loss(self, lost: int) -> Entry:
        return Entry(self._around.clock(), ACTION, {"action": "audit.lost", "details": {"entries": lost}})

    def _tell(self, unkept: Unavailable | None) -> None:
        """Tell of trouble once, as long as it is the same."""
        why = "" if unkept is None else unkept.why
        if why and why != self._trouble:
            self._observe(Noted("warning", "audit.not-kept", {"why": why, "waiting": len(self._entries)}))
        self._trouble = why

    # --- in a thread --------------------------------------------------------------------------------------------------

    def _begin(self) -> Ledger:
        """What the last run knew; where that cannot be read, the first reading is what others are compared with."""
        found = None if self._book is None else self._book.standing()
        return Ledger(None if isinstance(found, Unavailable) else found)

    def _forget(self, before: float) -> Unavailable | None:
        self._around.forget(before)
        return None if self._book is None else self._book.forget(before)

    def _write(self, batch: list[Entry], changes: list[Change], owners: frozenset[Owner]) -> Unavailable | None:
        return None if self._book is None else self._book.write(batch, changes, owners)

    def _entries_of(self, changes: Sequence[Change]) -> list[tuple[dict[str, Any], tuple[str, ...]]]:
        told = [change for change in changes if change.is_told]
        if not told:
            return []
        wanted = frozenset[str]().union(*(change.digests() for change in told))
        texts = self._book.texts(wanted) if self._book is not None and wanted else {}
        until, at = time.monotonic() + ASKING, date_of(self._around.clock())
        entries = []
        for change in told:
            felt = self._effects(change, texts, until)
            why = "" if felt is not None else f"{len(told)} identities changed at once"
            entries.append((entry_of(change, at, felt, why), change.kinds))
        return entries

    def _effects(self, change: Change, texts: Mapping[str, str], until: float) -> "list[Effect] | None":
        """Ask the judge for each delegate; None where there is no time for all."""
        from relay.owner.effects import effects  # noqa: PLC0415  the first change loads it, in a thread

        before, after = change.states(texts)
        felt: list[Effect] = []
        for delegate in self._around.delegates():
            if time.monotonic() > until:
                return None
            felt += effects(before, after, (delegate,), self._around.clock(), self._around.rules())
            if felt[-1].asked:
                time.sleep(BREATH)
        return felt


def date_of(seconds: float) -> str:
    """Write a moment; ``no end`` for an infinite one."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError):
        return "no end"
