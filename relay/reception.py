"""
The first walk of a message: from the end of DATA to the reply.

A 250 means that SES accepted the message, or that it is durably in the spool; nothing answers 250 before the one or the
other. docs/how-to/choose-a-delivery-mode.md has the three modes as their users see them.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

from relay.observe.events import Noted
from relay.sending.answers import TRY_LATER
from relay.sending.outcomes import Ambiguous, Deferred, Refused, Sent
from relay.sending.outcomes import Outcome as SesOutcome
from relay.sending.ports import AtOnce, Gatekeeper, NotNow, Pace, Sender, Turn
from relay.sending.troubles import details_of
from relay.spool.entries import Batch, Entry, State
from relay.spool.ports import Full, Intake
from relay.walk import Prepared, Walk, with_decision
from relay.words.apis import MOST_RECIPIENTS
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session, batches_of
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass, replace

Mode: TypeAlias = Literal["direct", "fallback", "spool"]

#: Seconds that a client waits for its turn where nothing is kept; then it hears that there was none.
PATIENCE: Final = 5.0
_ACCEPTED: Final = (Outcome.ACCEPTED, Reason.NONE)
NO_ROOM: Final = Ending(
    Outcome.DEFERRED, Reason.SPOOL_FULL, Reply(452, (4, 3, 1), "No room to keep a message, try again later")
)
SHUT: Final = Ending(Outcome.DEFERRED, Reason.SES_UNAVAILABLE, TRY_LATER)
#: Where nothing is kept nobody remembers which recipients SES took: all go in one call, or none.
TOO_MANY: Final = Ending(
    Outcome.REJECTED,
    Reason.RECIPIENTS,
    Reply(550, (5, 5, 3), f"Too many recipients: at most {MOST_RECIPIENTS} a message; send it in parts"),
)
NOT_KEPT: Final = Ending(
    Outcome.DEFERRED, Reason.INTERNAL, Reply(451, (4, 3, 0), "The message could not be kept, try again later")
)


class Successor(Protocol):
    """Who goes on with a message after 250: the courier."""

    def look(self) -> None:
        """There is a new entry in the spool."""

    def hand_over(self, entry: Entry, call: "asyncio.Task[SesOutcome]") -> None:
        """
        Take over an entry that is *sending* by *call*, which is running: wait for its end, and settle the entry.

        The call tells gates and pace of its end by itself.
        """

    def after(self, outcome: Deferred | Ambiguous, entry: Entry) -> Entry:
        """Return *entry* as it waits after an attempt that came to *outcome*: when it is due, and why it waits."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """
    What the modes ``fallback`` and ``spool`` need.

    ``now`` tells the time for stamps, in seconds since the epoch. ``budget``: seconds that a client waits for SES in
    ``fallback`` before its message goes into the spool while the call runs on. ``longest``: seconds for which a message
    waits there at most before it is tried. ``is_prompt``: what is kept may be sent at once, and is handed in as it is
    kept then, *sending*; the intake makes *due* what has to wait.
    """

    mode: Literal["fallback", "spool"]
    spool: Intake
    successor: Successor
    now: Callable[[], float]
    budget: float
    longest: float
    is_prompt: bool = False


@dataclass(frozen=True, slots=True)
class _Message:
    """One message that may go to SES."""

    session: Session
    envelope: Envelope
    prepared: Prepared
    turn: Turn

    @property
    def is_divided(self) -> bool:
        """Whether it takes several calls: one reply could not tell what became of each."""
        return len(self.envelope.forward_paths) > MOST_RECIPIENTS


class Reception:
    """
    Takes a message from the end of DATA to the reply.

    Every way out is an :class:`Ending`; an exception is the street door's to turn into 451 4.3.0.

    Args:
        walk: Reads, judges and rewrites.
        sender: The back door.
        gates: What is known of SES's troubles, shared with the courier.
        pace: How fast mail may go.

    ``keeping``: where messages are kept that SES does not take at once; None for mode ``direct``. Set before the street
    door opens. ``barred`` tells of a delegate that may not send for now, None of all others; asked at every message.
    """

    def __init__(
        self,
        walk: Walk,
        sender: Sender,
        *,
        gates: Gatekeeper,
        pace: Pace | None = None,
    ) -> None:
        self._walk = walk
        self._sender = sender
        self._gates = gates
        self.keeping: Keeping | None = None
        self.barred: Callable[[str], NotNow | None] = lambda _: None
        self._pace: Pace = pace or AtOnce()

    def early_answer(self, session: Session, envelope: Envelope) -> Ending | None:
        """Answer at MAIL what no message could change: None means go on."""
        barred = self.barred(session.delegate)
        if barred is not None:
            return with_decision(_postponed(barred), envelope.id)
        return self._walk.early_answer(session, envelope)

    def room(self, octets: int) -> Ending | None:
        """Refuse before 354 where 250 can only mean the spool, and it is full. In ``fallback`` SES may take it."""
        keeping = self.keeping
        if keeping is None or keeping.mode != "spool":
            return None
        return None if keeping.spool.room(octets) is None else NO_ROOM

    def mends_line_feeds(self, session: Session) -> bool:
        """Whether bare LFs in this delegate's messages are repaired before anything is judged."""
        return self._walk.mends_line_feeds(session)

    async def receive(self, session: Session, envelope: Envelope, raw: bytes, *, is_checked: bool = False) -> Ending:
        """Read, judge, rewrite, deliver: docs/architecture.md has the walk. Every refusal names the decision's id."""
        comes_again = self.keeping is not None and self.keeping.mode == "spool"
        prepared = await self._walk.prepare(session, envelope, raw, is_checked=is_checked, comes_again=comes_again)
        barred = self.barred(session.delegate)  # since MAIL, it may be: and where mail is kept, it is not kept either
        if isinstance(prepared, Ending):
            ending = prepared
        elif barred is not None:
            ending = replace(_postponed(barred), facts=prepared.known)
        elif (too_many := _more_than_a_day(prepared, envelope)) is not None:
            ending = too_many
        else:
            turn = Turn(prepared.lane, session.delegate, len(envelope.forward_paths))
            if self.keeping is None:
                ending = await self._direct(prepared, turn)
            else:
                ending = await self._deliver(_Message(session, envelope, prepared, turn), self.keeping)
        return with_decision(ending, envelope.id)

    async def _deliver(self, message: _Message, keeping: Keeping) -> Ending:
        if keeping.mode == "spool" or message.is_divided:
            return await self._keep(_entry(message, keeping), message, NOT_KEPT)
        return await self._fallback(message, keeping)

    # Direct

    async def _direct(self, prepared: Prepared, turn: Turn) -> Ending:
        """The client waits for SES, however long it takes, and hears what it said."""
        if turn.recipients > MOST_RECIPIENTS:
            return replace(TOO_MANY, facts=prepared.known)
        not_now = await self._pace.take(turn, patience=PATIENCE)
        if not_now is not None:
            return replace(_postponed(not_now), facts=prepared.known)
        return ending_of(await self._call(prepared, turn), prepared.known)

    async def _call(self, prepared: Prepared, turn: Turn) -> SesOutcome:
        """Send, and tell everybody who learns from it."""
        started = self._walk.clocks.monotonic()
        prepared.known["api"] = prepared.mail.api.action  # also where the client does not wait for the end
        outcome = await self._sender.send(prepared.mail, prepared.permit.region)
        prepared.known["timings"]["ses"] = self._walk.clocks.monotonic() - started
        self._gates.told(prepared.lane, outcome)
        self._pace.told(turn, outcome)
        if not isinstance(outcome, Sent):
            self._walk.compare(outcome, prepared)
        return outcome

    # Fallback

    async def _fallback(self, message: _Message, keeping: Keeping) -> Ending:
        """
        SES first. What it does not take now is kept; so is what it does not answer in time, while the call runs on.

        At a gate that is shut nobody waits: the message is kept at once.
        """
        lane, until = message.prepared.lane, self._walk.clocks.monotonic() + keeping.budget
        if not self._gates.admit(lane):
            reason = self._gates.reason(lane)
            return await self._keep(_entry(message, keeping, reason=reason), message, replace(SHUT, reason=reason))
        not_now = await self._pace.take(message.turn, patience=keeping.budget / 2)
        if not_now is not None:
            self._gates.leave(lane)
            pause = min(not_now.seconds, keeping.longest)
            entry = _entry(message, keeping, reason=not_now.reason, pause=pause)
            return await self._keep(entry, message, _postponed(not_now))
        call = asyncio.create_task(self._call(message.prepared, message.turn), name=f"send {message.envelope.id}")
        await asyncio.wait((call,), timeout=until - self._walk.clocks.monotonic())
        if not call.done():
            return await self._hand_over(message, keeping, call)
        return await self._after(call.result(), message, keeping)

    async def _after(self, outcome: SesOutcome, message: _Message, keeping: Keeping) -> Ending:
        """Answer by what SES said; keep what may go later."""
        answer = ending_of(outcome, message.prepared.known)
        if isinstance(outcome, Sent | Refused):
            return answer
        entry = _entry(message, keeping, reason=outcome.reason)
        return await self._keep(keeping.successor.after(outcome, replace(entry, attempts=1)), message, answer)

    async def _hand_over(self, message: _Message, keeping: Keeping, call: "asyncio.Task[SesOutcome]") -> Ending:
        """
        Keep a message whose call is running, as *sending*; the courier waits for the call's end before any retry.

        If it cannot be kept the client waits for that end itself, as in ``direct``.
        """
        entry = replace(_entry(message, keeping, reason=Reason.SES_UNAVAILABLE), state=State.SENDING, attempts=1)
        if await self._commit(entry, message.prepared.judged) is not None:
            return ending_of(await asyncio.shield(call), message.prepared.known)
        keeping.successor.hand_over(entry, call)
        return _queued(entry, message)

    # Spool

    async def _keep(self, entry: Entry, message: _Message, otherwise: Ending) -> Ending:
        """Commit, and only then say 250; without room 452, and *otherwise* where the disk does not serve."""
        problem = await self._commit(entry, message.prepared.judged)
        if problem is None:
            return _queued(entry, message)
        ending = NO_ROOM if isinstance(problem, Full) else otherwise
        return replace(ending, facts={**message.prepared.known, **otherwise.facts})

    async def _commit(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        """Make it durable. A commit that has begun is not given up half-way, whoever goes away meanwhile."""
        if self.keeping is None:
            raise ValueError("nothing is kept in mode direct")
        answer = self.keeping.spool.commit(entry, raw)
        problem = await (answer if isinstance(answer, asyncio.Future) else asyncio.shield(answer))
        if problem is None:
            self.keeping.successor.look()
        else:
            told = {"why": problem.why, "id": entry.id}
            event = "spool.full" if isinstance(problem, Full) else "spool.unavailable"
            self._walk.observe(Noted("error", event, told))
        return problem


def _entry(message: _Message, keeping: Keeping, *, reason: Reason = Reason.NONE, pause: float = 0.0) -> Entry:
    """Make what is kept: the message as it was accepted, due *pause* seconds from now, or sent at once."""
    now, recipients = keeping.now(), message.prepared.mail.destinations
    return Entry(
        id=message.envelope.id,
        session=message.session,
        envelope=message.envelope,
        accepted_at=now,
        size=len(message.prepared.judged),
        batches=tuple([Batch(some) for some in batches_of(recipients)]),
        state=State.SENDING if keeping.is_prompt else State.DUE,
        due_at=now + pause if pause else now,
        attempts=1 if keeping.is_prompt else 0,
        reason=reason,
        details=details_of(message.prepared.lane),
    )


def _queued(entry: Entry, message: _Message) -> Ending:
    reply = Reply(250, (2, 0, 0), f"Ok queued as {entry.id}")
    error = {"ses_error": entry.last} if entry.last else {}
    return Ending(Outcome.QUEUED, entry.reason, reply, {**message.prepared.known, **error, "queue_id": entry.id})


def _more_than_a_day(prepared: Prepared, envelope: Envelope) -> Ending | None:
    """Refuse for good what would wait for ever: SES is told of so many recipients at once, and no day has the room."""
    delegate, at_once = prepared.delegate, min(len(envelope.forward_paths), MOST_RECIPIENTS)
    most = delegate.daily_recipients
    if most is None or at_once <= most:
        return None
    text = f"Too many recipients: delegate {delegate.name} may send to {most} in 24 hours; send it in parts"
    return Ending(Outcome.REJECTED, Reason.RECIPIENTS, Reply(550, (5, 5, 3), text), prepared.known)


def _postponed(not_now: NotNow) -> Ending:
    return Ending(Outcome.DEFERRED, not_now.reason, not_now.reply)


def ending_of(outcome: SesOutcome, known: Mapping[str, Any]) -> Ending:
    """Return what the client hears of SES's answer when nothing is kept here (delivery mode ``direct``)."""
    if isinstance(outcome, Sent):
        reply = Reply(250, (2, 0, 0), f"Ok {outcome.message_id}")
        return Ending(*_ACCEPTED, reply, {**known, "ses_id": outcome.message_id})
    ending = Outcome.REJECTED if isinstance(outcome, Refused) else Outcome.DEFERRED
    return Ending(ending, outcome.reason, outcome.reply, {**known, **_ses_error(outcome)})


def _ses_error(outcome: Deferred | Refused | Ambiguous) -> dict[str, Any]:
    return {"ses_error": f"{outcome.code}: {outcome.message}"}
