"""The first walk of a message: facts, questions, decision, SES, reply; in that order, each once."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar, assert_never

from relay.identities.ports import Directory
from relay.judgement.answers import with_id
from relay.judgement.message import judge_early, judge_message
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Decision, Judgement, Permit, Verdict
from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.profile import Profile
from relay.mail.reading import read_facts
from relay.mail.received import received_field
from relay.mail.rewriting import rewrite
from relay.observe.events import Judged, JudgementTimed, Noted, Observer, SesDisagreed
from relay.sending.answers import disagreement
from relay.sending.outcomes import Ambiguous, Deferred, Mail, Refused, Sent
from relay.sending.outcomes import Outcome as SesOutcome
from relay.sending.ports import Sender
from relay.words.delegates import Delegate
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session

_Read = TypeVar("_Read")

API: Final = "ses:SendRawEmail"
#: Octets from which reading a message may hold the event loop for more than some 20 ms.
LARGE: Final = 1 << 19
#: A delegate of the session that is not configured any more, or whose principal STS has not told yet.
NOT_KNOWN: Final = Ending(
    Outcome.DEFERRED, Reason.POLICY_UNDECIDED, Reply(451, (4, 7, 1), "It is not known now who this delegate is to AWS")
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Wall clock (timezone-aware) and monotonic seconds, given once at assembly."""

    wall: Callable[[], datetime]
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True)
class House:
    """What one configuration says about judging; replaced as a whole on reload."""

    delegate: Callable[[str], Delegate | None]
    rules: Rules
    profile: Profile
    hostname: str


class Reception:
    """
    Takes a message from the end of DATA to the reply.

    Nothing answers 250 here before SES's own 200. Every way out is an :class:`Ending`; an exception is the street
    door's to turn into 451 4.3.0. ``house`` and ``directory`` may be replaced between two messages.
    """

    def __init__(
        self, house: House, directory: Directory, sender: Sender, *, observe: Observer, clocks: Clocks
    ) -> None:
        self.house = house
        self.directory = directory
        self._sender = sender
        self._observe = observe
        self._clocks = clocks

    def early_answer(self, session: Session, envelope: Envelope) -> Ending | None:
        """Answer at MAIL what no message could change: None means go on."""
        house = self.house
        delegate = house.delegate(session.delegate)
        if delegate is None:
            return _with_id(NOT_KNOWN, envelope.id)
        now = self._clocks.wall().timestamp()
        judgement = judge_early(envelope.reverse_path, delegate, self.directory.catalog, house.rules, now)
        if judgement is None:
            return None
        self._tell(judgement, delegate)
        return _with_id(_refusal(judgement, _record_of(None, judgement, envelope)), envelope.id)

    async def receive(self, session: Session, envelope: Envelope, raw: bytes) -> Ending:
        """Read, judge, rewrite, send: docs/architecture.md has the walk. Every refusal names the decision's id."""
        return _with_id(await self._walk(session, envelope, raw), envelope.id)

    async def _walk(self, session: Session, envelope: Envelope, raw: bytes) -> Ending:
        house = self.house
        delegate = house.delegate(session.delegate)
        if delegate is None:
            return NOT_KNOWN
        facts = await _aside(len(raw), read_facts, raw, house.profile)
        if isinstance(facts, MessageProblem):
            return _malformed(facts, {})
        started = self._clocks.monotonic()
        judgement = self._judge(facts, envelope, delegate, house)
        known = _record_of(facts, judgement, envelope, seconds=self._clocks.monotonic() - started)
        if judgement.permit is None:
            return _refusal(judgement, known)
        received = received_field(session, house.hostname, envelope.id, self._clocks.wall(), envelope.forward_paths)
        sent = await _aside(len(raw), rewrite, raw, facts, received, house.profile)
        if isinstance(sent, MessageProblem):
            return _malformed(sent, known)
        outcome = await self._send(_mail(envelope, sent, judgement.permit), judgement.permit, known)
        self._compare(outcome, judgement, delegate)
        return ending_of(outcome, known)

    def _judge(self, facts: MessageFacts, envelope: Envelope, delegate: Delegate, house: House) -> Judgement:
        started = self._clocks.monotonic()
        now = self._clocks.wall().timestamp()
        judgement = judge_message(facts, envelope, delegate, self.directory.catalog, house.rules, now)
        self._observe(JudgementTimed(self._clocks.monotonic() - started))
        self._tell(judgement, delegate)
        return judgement

    def _tell(self, judgement: Judgement, delegate: Delegate) -> None:
        for decision in judgement.decisions:
            identity = str(decision.identity) if decision.identity else "-"
            role, verdict = decision.role.value, decision.verdict.value
            self._observe(Judged(delegate.name, identity, role, verdict, judgement.mode.value))

    async def _send(self, mail: Mail, permit: Permit, known: dict[str, Any]) -> SesOutcome:
        started = self._clocks.monotonic()
        outcome = await self._sender.send(mail, permit.region)
        known |= {"api": API, "region": permit.region, "account": permit.account}
        known["timings"]["ses"] = self._clocks.monotonic() - started
        return outcome

    def _compare(self, outcome: SesOutcome, judgement: Judgement, delegate: Delegate) -> None:
        """Tell where SES refused for want of authorization: against our verdict, or us rather than the delegate."""
        kind = disagreement(outcome)
        if kind is None or judgement.permit is None:
            return
        identity = judgement.permit.from_arn
        if not delegate.is_its_own_sender:
            self._observe(Noted("error", "ses.not-let", {"identity": identity, "kind": kind}))
        elif all(decision.verdict is Verdict.ALLOWED for decision in judgement.decisions):
            self._observe(SesDisagreed(identity, kind))


async def _aside(octets: int, read: Callable[..., _Read], *arguments: object) -> _Read:
    """Read a large message in a thread: made of line ends or boundaries it takes longer than others should wait."""
    return read(*arguments) if octets < LARGE else await asyncio.to_thread(read, *arguments)


def _mail(envelope: Envelope, raw: bytes, permit: Permit) -> Mail:
    return Mail(
        source=str(permit.source),
        destinations=tuple(map(str, envelope.forward_paths)),
        source_arn=permit.source_arn,
        from_arn=permit.from_arn,
        return_path_arn=permit.return_path_arn,
        raw=raw,
        configuration_set=permit.configuration_set,
        tags=permit.tags,
        own=not permit.sealed,
    )


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


def _record_of(
    facts: MessageFacts | None, judgement: Judgement, envelope: Envelope, *, seconds: float | None = None
) -> dict[str, Any]:
    name = facts.display_name if facts else None
    spared = judgement.unenforced
    return {
        "mode": judgement.mode.value,
        "unenforced": None if spared is None else _reply_record(with_id(spared, envelope.id)),
        "roles": [role_record(decision) for decision in judgement.decisions],
        "display_name": name.decoded if name else None,
        "display_name_raw": name.raw if name else None,
        "timings": {"judgement": seconds},
    }


def _reply_record(reply: Reply) -> dict[str, Any]:
    return {"code": reply.code, "status": reply.status or None, "text": reply.text}


def role_record(decision: Decision) -> dict[str, Any]:
    """Return one row of ``roles`` in the decision record."""
    deciding = [str(ref) for _, _, evaluation in decision.evaluations[:1] for ref in evaluation.because]
    return {
        "role": decision.role.value,
        "address": str(decision.address),
        "identity": str(decision.identity) if decision.identity else None,
        "chosen": decision.chosen,
        "digests": list(decision.digests),
        "verdict": decision.verdict.value,
        "deciding": deciding,
        "why": decision.why or None,
    }


def _ses_error(outcome: Deferred | Refused | Ambiguous) -> dict[str, Any]:
    return {"ses_error": f"{outcome.code}: {outcome.message}"}


def _refusal(judgement: Judgement, known: Mapping[str, Any]) -> Ending:
    if judgement.reply is None:
        raise ValueError("what is not permitted has a reply")
    return Ending(_outcome_of(judgement.reply), judgement.reason, judgement.reply, known)


def _malformed(problem: MessageProblem, known: Mapping[str, Any]) -> Ending:
    return Ending(_outcome_of(problem.reply), problem.reason, problem.reply, {**known, "rule": problem.rule})


def _outcome_of(refusal: Reply) -> Outcome:
    return Outcome.REJECTED if refusal.is_permanent else Outcome.DEFERRED


def _with_id(ending: Ending, message_id: str) -> Ending:
    if ending.outcome is Outcome.ACCEPTED:
        return ending
    return replace(ending, reply=with_id(ending.reply, message_id))
