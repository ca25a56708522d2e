"""Where people deal with a spool, beside the relay that sends from it or inside it: entries are found and acted on."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Final

from relay.spool.actions import Action, Impossible, Removal, acted
from relay.spool.entries import Entry, State
from relay.spool.ports import Spool, Wanted
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

PAGE: Final = 500
#: How often an entry that changes under our hands is looked at again.
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Done:
    """It was done; ``entry`` is as it is now, None once it is removed."""

    entry: Entry | None


class Desk:
    """
    Acts on entries one at a time, each against the version it was seen at: nothing of the courier's is overwritten.

    Args:
        spool: Open, also next to the relay that has it.
        now: Seconds since the epoch.
        keep_failed: Seconds for which a failed entry is kept.
    """

    def __init__(self, spool: Spool, *, now: Callable[[], float], keep_failed: float) -> None:
        self.spool = spool
        self.now = now
        self._keep_failed = keep_failed

    async def page(self, wanted: Wanted, *, limit: int = PAGE, after: str = "") -> Sequence[Entry] | Unavailable:
        """List entries by id, those after the id *after*."""
        return await self.spool.find(wanted, limit=limit, after=after)

    async def pages(self, wanted: Wanted) -> AsyncIterator[Sequence[Entry] | Unavailable]:
        """List all of them, page by page; an Unavailable is the last."""
        after = ""
        while True:
            page = await self.page(wanted, after=after)
            yield page
            if isinstance(page, Unavailable) or len(page) < PAGE:
                return
            after = page[-1].id

    async def act(
        self, entry_id: str, action: Action, wanted: Wanted | None = None
    ) -> Done | Impossible | Unavailable | None:
        """
        Act on an entry, if it is among the *wanted* still. None: there is no such entry.

        What somebody else changes at the same moment is looked at again, as it is then.
        """
        one = replace(wanted or Wanted(), ids=(entry_id,))
        for _ in range(_TRIES):
            found = await self.spool.find(one, limit=1)
            if isinstance(found, Unavailable):
                return found
            if not found:
                return None
            done = await self._try(found[0], action)
            if done is not None:
                return done
        return Impossible("changes all the time: try again")

    async def _try(self, entry: Entry, action: Action) -> Done | Impossible | Unavailable | None:
        """Act on *entry* as it was seen. None: it has changed since."""
        becomes = acted(entry, action, self.now(), keep_failed=self._keep_failed)
        match becomes:
            case Impossible():
                return becomes
            case Entry():
                written = await self.spool.change(becomes)
                return Done(written) if isinstance(written, Entry) else written
            case Removal(first):
                return await self._remove(entry, first)

    async def _remove(self, entry: Entry, first: Entry | None) -> Done | Unavailable | None:
        if first is not None:
            written = await self.spool.change(first)
            if not isinstance(written, Entry):
                return written
            entry = written
        problem = await self.spool.remove(entry)
        return Done(None) if problem is None else problem


def states_of(words: Sequence[str]) -> tuple[State, ...]:
    """
    Read names of states.

    Raises:
        ValueError: There is no such state; the text names those that there are.
    """
    known = [state.value for state in State]
    for word in words:
        if word not in known:
            raise ValueError(f"{word[:40]!r} is no state: {', '.join(known)}")
    return tuple(State(word) for word in words)
