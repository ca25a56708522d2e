"""The way into the spool in mode ``spool``: what nothing stands before is sent from memory as soon as it is kept."""

import asyncio
from collections.abc import Awaitable

from relay.courier.courier import Courier
from relay.sending.outcomes import Ambiguous, Deferred, Outcome
from relay.spool.entries import Entry, State
from relay.spool.ports import Full, Intake
from relay.words.unavailable import Unavailable
from relay.words.values import replace


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
        answer = self._courier.take_up(_as(entry, State.SENDING, 1), raw)
        return self._keep(_as(entry, State.DUE, 0), raw) if answer is None else answer

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


def _as(entry: Entry, state: State, attempts: int) -> Entry:
    """Return *entry* as it is kept: it comes as it nearly always is, for making another takes as long as making it."""
    return entry if entry.state is state else replace(entry, state=state, attempts=attempts)
