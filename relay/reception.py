"""The first walk of a message: from the end of DATA to the reply."""

from collections.abc import Mapping
from typing import Any, Final, assert_never

from relay.sending.outcomes import Ambiguous, Deferred, Refused, Sent
from relay.sending.outcomes import Outcome as SesOutcome
from relay.sending.ports import Sender
from relay.walk import Prepared, Walk, with_decision
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session

API: Final = "ses:SendRawEmail"


class Reception:
    """
    Takes a message from the end of DATA to the reply.

    Nothing answers 250 here before SES's own 200. Every way out is an :class:`Ending`; an exception is the street
    door's to turn into 451 4.3.0.
    """

    def __init__(self, walk: Walk, sender: Sender) -> None:
        self._walk = walk
        self._sender = sender

    def early_answer(self, session: Session, envelope: Envelope) -> Ending | None:
        """Answer at MAIL what no message could change: None means go on."""
        return self._walk.early_answer(session, envelope)

    def mends_line_feeds(self, session: Session) -> bool:
        """Whether bare LFs in this delegate's messages are repaired before anything is judged."""
        return self._walk.mends_line_feeds(session)

    async def receive(self, session: Session, envelope: Envelope, raw: bytes) -> Ending:
        """Read, judge, rewrite, send: docs/architecture.md has the walk. Every refusal names the decision's id."""
        prepared = await self._walk.prepare(session, envelope, raw)
        ending = prepared if isinstance(prepared, Ending) else await self._send(prepared)
        return with_decision(ending, envelope.id)

    async def _send(self, prepared: Prepared) -> Ending:
        clock, known = self._walk.clocks.monotonic, prepared.known
        started = clock()
        outcome = await self._sender.send(prepared.mail, prepared.permit.region)
        known["api"] = API
        known["timings"]["ses"] = clock() - started
        self._walk.compare(outcome, prepared)
        return ending_of(outcome, known)


def ending_of(outcome: SesOutcome, known: Mapping[str, Any]) -> Ending:
    """Return what the client hears of SES's answer when nothing is kept here (delivery mode ``direct``)."""
    match outcome:
        case Sent(message_id):
            reply = Reply(250, (2, 0, 0), f"Ok {message_id}")
            return Ending(Outcome.ACCEPTED, Reason.NONE, reply, {**known, "ses_id": message_id})
        case Refused():
            return Ending(Outcome.REJECTED, outcome.reason, outcome.reply, {**known, **_ses_error(outcome)})
        case Deferred() | Ambiguous():
            return Ending(Outcome.DEFERRED, outcome.reason, outcome.reply, {**known, **_ses_error(outcome)})
        case _ as unreachable:
            assert_never(unreachable)


def _ses_error(outcome: Deferred | Refused | Ambiguous) -> dict[str, Any]:
    return {"ses_error": f"{outcome.code}: {outcome.message}"}
