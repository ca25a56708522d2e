"""The way into the spool in mode ``spool``: what nothing stands before is sent from memory as soon as it is kept."""

import asyncio
from collections.abc import Awaitable

from relay.courier.courier import Courier
from relay.sending.outcomes import Ambiguous, Deferred, Outcome
from relay.spool.entries import Entry
from relay.spool.ports import Full, Intake
from relay.words.unavailable import Unavailable


class PromptIntake:
    """
    A :class:`relay.spool.ports.Intake` and a :class:`relay.reception.Successor`: the spool with its courier.

    An entry that may go at once is committed as *sending*: one transaction instead of two, and neither the entry nor
    its message is read from the disk that they were just written to. All else waits there for its turn.
    """

    def __init__(self, spool: Intake, courier: Courier) -> None:
        self._spool = spool
        self._courier = courier

    def room(self, octets: int) -> Full | None:
        """Tell, at no cost, whether a message of *octets* could be committed now."""
        return self._spool.room(octets)

    def commit(self, entry: Entry, raw: bytes) -> Awaitable[Full | Unavailable | None]:
        """Keep *entry* and its message: once None is returned, 250 may be said."""
        return self._courier.take_up(entry, raw) or self._keep(entry, raw)

    def look(self) -> None:
        """Do nothing: what was kept is known."""

    def hand_over(self, entry: Entry, call: "asyncio.Task[Outcome]") -> None:
        """Take over an entry that is *sending* by *call*."""
        self._courier.hand_over(entry, call)

    def after(self, outcome: Deferred | Ambiguous, entry: Entry) -> Entry:
        """Return *entry* as it waits after an attempt that came to *outcome*."""
        return self._courier.after(outcome, entry)

    async def _keep(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        problem = await self._spool.commit(entry, raw)
        if problem is None:
            self._courier.kept(entry)
        return problem
