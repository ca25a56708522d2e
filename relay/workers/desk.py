"""The supervisor's desk: what workers ask and tell, brought to the rooms that know."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from relay.courier.clock import SMALL
from relay.identities.ports import Identities
from relay.observe.events import AttemptsFound, Incident, Observer
from relay.reception import Keeping
from relay.sending.answers import MAYBE_SENT, TRY_LATER
from relay.sending.gates import Gates
from relay.sending.keys import KeySource
from relay.sending.outcomes import Ambiguous, Outcome, Sent
from relay.sending.ports import NotNow, Pace, Turn
from relay.sending.roles import Roles
from relay.spool.entries import Entry, State
from relay.words.endings import Reason
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass
from relay.workers.far import turn_of
from relay.workers.wire import Message, pickled, unpickled

DIED: Final = Ambiguous("WorkerDied", "the worker died before SES answered", MAYBE_SENT, Reason.SES_UNAVAILABLE)
BROKEN: Final = Ambiguous("Internal", "the call broke off inside the relay", MAYBE_SENT, Reason.INTERNAL)


class PaceAhead(Pace, Protocol):
    """A pace that can tell when nothing is scarce."""

    def ahead(self, turn: Turn) -> int:
        """Take turns in advance, of one recipient each, for more messages like that of *turn*; 0 where any is dear."""

    def unused(self, turn: Turn) -> None:
        """Take back turns that were taken in advance, as many as *turn* has recipients."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms. ``looked`` waits until the workers know what there is to be known now."""

    identities: Callable[[], Identities]
    pace: PaceAhead
    gates: Gates
    key: KeySource
    roles: Roles
    keeping: Callable[[], Keeping | None]
    looked: Callable[[], Coroutine[Any, Any, None]]
    observe: Observer


class Desk:
    """Serves one worker. ``answer`` says the answer to a question of it."""

    def __init__(self, rooms: Rooms, answer: Callable[[int, Any], None]) -> None:
        self._rooms = rooms
        self._answer = answer
        self._calls: dict[str, asyncio.Future[Outcome]] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._asked: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
            "take": self._take,
            "ahead": self._more,
            "look": self._look,
            "commit": self._commit,
        }
        self._told: dict[str, Callable[..., None]] = {
            "sent": self._sent,
            "told": self._outcome,
            "unused": self._unused,
            "used": self._used,
            "ended": self._ended,
            "invalidate": self._invalidate,
            "reject": self._reject,
            "doubt": self._doubt,
        }

    def hear(self, message: Message) -> None:
        """Hear what a worker asks or tells."""
        what, *values = message
        tell = self._told.get(what)
        if tell is not None:
            tell(*values)
            return
        number, *values = values
        errand = asyncio.get_running_loop().create_task(self._serve(what, number, values))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    def close(self) -> None:
        """The worker is gone: nobody knows how its calls ended. What it asked to be kept is kept."""
        self._is_closed = True
        for entry_id, call in self._calls.items():
            if not call.done():
                call.set_result(self._died(entry_id))

    async def _serve(self, what: str, number: int, values: list[Any]) -> None:
        try:
            answer = await self._asked[what](*values)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours, and its client may try again
            self._rooms.observe(Incident(f"workers-{what}", "-", error))
            answer = _WITHOUT_ANSWER[what]
        if not self._is_closed:
            self._answer(number, answer)

    # Asked

    async def _take(self, *values: Any) -> tuple[int, bytes | None]:
        *lane, patience = values
        turn, pace = turn_of(*lane), self._rooms.pace
        not_now = await pace.take(turn, patience=patience)
        if not_now is not None:
            return 0, pickled(not_now)
        return pace.ahead(turn), None

    async def _more(self, *lane: Any) -> int:
        return self._rooms.pace.ahead(turn_of(*lane))

    async def _look(self, delegate: str, identities: bytes, patience: float) -> bool:
        is_wiser = await self._rooms.identities().look(delegate, unpickled(identities), patience)
        await self._rooms.looked()
        return is_wiser

    async def _commit(self, octets: bytes, raw: bytes, now: float) -> bytes | None:
        """
        Keep a message, stamped by a clock that says *now*. One whose call is running at the worker is the courier's to
        settle from this moment on.
        """
        keeping = self._rooms.keeping()
        if keeping is None:
            raise ValueError("nothing is kept in mode direct")
        entry = _stamped(unpickled(octets), keeping.now() - now)
        problem = await keeping.spool.commit(entry, raw)
        if problem is not None:
            return pickled(problem)
        if entry.state is State.SENDING:
            keeping.successor.hand_over(entry, asyncio.create_task(self._end_of(entry.id)))
        else:
            keeping.successor.look()
        return None

    async def _end_of(self, entry_id: str) -> Outcome:
        """Wait for the end of a worker's call."""
        if self._is_closed:
            return self._died(entry_id)
        call: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._calls[entry_id] = call
        try:
            return await call
        finally:
            del self._calls[entry_id]

    def _died(self, entry_id: str) -> Outcome:
        """Tell of a call in the place of the worker that made it: SES may have the message."""
        self._rooms.observe(AttemptsFound((entry_id,)))
        return DIED

    # Told

    def _sent(self, *values: Any) -> None:
        """SES took so many messages of one kind."""
        *lane, times = values
        turn = turn_of(*lane)
        self._rooms.gates.told(turn.lane, _SENT, times)
        self._rooms.pace.told(replace(turn, recipients=times * turn.recipients), _SENT)

    def _outcome(self, *values: Any) -> None:
        *lane, outcome = values
        turn, what = turn_of(*lane), unpickled(outcome)
        self._rooms.gates.told(turn.lane, what)
        self._rooms.pace.told(turn, what)

    def _unused(self, *lane: Any) -> None:
        self._rooms.pace.unused(turn_of(*lane))

    def _used(self, delegate: str, decisions: bytes) -> None:
        self._rooms.identities().used(delegate, unpickled(decisions))

    def _ended(self, entry_id: str, outcome: bytes) -> None:
        call = self._calls.get(entry_id)
        if call is not None and not call.done():
            call.set_result(unpickled(outcome) or BROKEN)

    def _invalidate(self, identity: bytes) -> None:
        self._rooms.identities().invalidate(unpickled(identity))

    def _reject(self, what: bytes) -> None:
        role, key = unpickled(what)
        source = self._rooms.key if role is None else self._rooms.roles.of(role)
        source.reject(key)

    def _doubt(self, what: bytes) -> None:
        role, key = unpickled(what)
        self._rooms.roles.doubt(role, key)


def _stamped(entry: Entry, behind: float) -> Entry:
    """Return an entry with the times that the spool's clock has, where a worker's is *behind* by more than a moment."""
    if abs(behind) <= SMALL:
        return entry
    return replace(entry, accepted_at=entry.accepted_at + behind, due_at=entry.due_at + behind)


_SENT: Final = Sent("")
#: What is answered where the supervisor has stumbled.
_STUMBLED: Final = NotNow(0.0, TRY_LATER, Reason.INTERNAL)
_WITHOUT_ANSWER: Final[Mapping[str, Any]] = {
    "take": (0, pickled(_STUMBLED)),
    "ahead": 0,
    "look": False,
    "commit": pickled(Unavailable("an incident inside the relay; the log has it")),
}
