"""
What became of a message, made durable whatever the disk does meanwhile.

An answer of SES that is not written down is a duplicate or a loss after a crash. So a write that fails is tried again
until it succeeds; the entry stays *sending* on disk and nobody else takes it.
"""

import asyncio
from typing import Final

from relay.observe.events import Noted, Observer
from relay.spool.details import HOLD
from relay.spool.entries import Batch, Entry, State
from relay.spool.ports import Spool, Wanted
from relay.words.unavailable import Unavailable
from relay.words.values import replace

#: Seconds between two tries, from the first to the longest; they double.
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 5.0


class Books:
    """Writes entries down, and does not give up."""

    def __init__(self, spool: Spool, observe: Observer) -> None:
        self._spool = spool
        self._observe = observe

    async def write(self, entry: Entry) -> Entry | None:
        """
        Write *entry* and return it with its new version; None when somebody has removed it.

        While it is *sending* by our attempt all is ours but a hold that a person asked for. What a person changed of
        one that is not, or another relay that took it over from us, stands, and is returned.
        """
        pause = FIRST_PAUSE
        while True:
            written = await self._spool.change(_as_asked(entry))
            if isinstance(written, Entry):
                return written
            current = written or await self._current(entry)
            if current is None:
                return None
            if isinstance(current, Entry):
                if not is_same_attempt(entry, current):
                    return await self._remembered(entry, current)
                entry = _merged(entry, current)
            else:
                pause = await self._rest(entry, current, pause)

    async def remove(self, entry: Entry) -> None:
        """Forget *entry*: it was sent."""
        pause = FIRST_PAUSE
        while (problem := await self._spool.remove(entry)) is not None:
            pause = await self._rest(entry, problem, pause)

    async def _remembered(self, ours: Entry, current: Entry) -> Entry:
        """That SES took a batch stays true whoever has the entry now. Once: at worst it is sent again, and marked."""
        batches = _with_fates(ours, current)
        if batches == current.batches:
            return current
        written = await self._spool.change(replace(current, batches=batches))
        return written if isinstance(written, Entry) else current

    async def _current(self, entry: Entry) -> Entry | Unavailable | None:
        found = await self._spool.find(Wanted(ids=(entry.id,)), limit=1)
        if isinstance(found, Unavailable):
            return found
        return found[0] if found else None

    async def _rest(self, entry: Entry, problem: Unavailable, pause: float) -> float:
        self._observe(Noted("error", "spool.unavailable", {"id": entry.id, "why": problem.why}))
        await asyncio.sleep(pause)
        return min(2 * pause, LONGEST_PAUSE)


def is_same_attempt(ours: Entry, current: Entry) -> bool:
    """Tell whether *current* is still *sending* by the attempt that *ours* came of: each attempt is counted first."""
    return current.state is State.SENDING and current.attempts == ours.attempts


def _with_fates(ours: Entry, current: Entry) -> tuple[Batch, ...]:
    """The batches of *current*, those that SES took by our attempt marked so."""
    if [one.recipients for one in ours.batches] != [one.recipients for one in current.batches]:
        return current.batches
    pairs = zip(ours.batches, current.batches, strict=True)
    return tuple(mine if there.ses_id is None and mine.ses_id is not None else there for mine, there in pairs)


def _merged(ours: Entry, current: Entry) -> Entry:
    """Ours on top of what is there; a fate that is written there already is never taken back."""
    batches = tuple(mine if there.is_open else there for mine, there in zip(ours.batches, current.batches, strict=True))
    details = {name: value for name, value in ours.details.items() if name != HOLD}
    if HOLD in current.details:
        details[HOLD] = current.details[HOLD]
    return replace(ours, version=current.version, batches=batches, details=details)


def _as_asked(entry: Entry) -> Entry:
    """Hold what would be tried again, if a person asked for that while it was *sending*."""
    if entry.state is not State.DUE or HOLD not in entry.details:
        return entry
    details = {name: value for name, value in entry.details.items() if name != HOLD}
    return replace(entry, state=State.HELD, details=details)
