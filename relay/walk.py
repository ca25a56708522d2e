"""
One message from its octets to what SES is told: repairs, facts, questions, decision, rewriting; in that order, each
once.

Both walks go this way: reception's, at the end of DATA, and the courier's, before each attempt.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar

from relay.identities.ports import Identities
from relay.judgement.answers import with_id
from relay.judgement.memory import Batches, Memory
from relay.judgement.questions import questions_of, reverse_path_of
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Decision, Judgement, Permit, Verdict
from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.memory import Readings
from relay.mail.profile import ATTEMPT, Profile
from relay.mail.reading import Head, check_body, read_facts, read_head, read_message
from relay.mail.received import date_time, received_field
from relay.mail.repairs import Plan, Repaired, explained, repair
from relay.mail.rewriting import rewrite_head
from relay.observe.events import Judged, JudgementTimed, MessageRepaired, Noted, Observer, SesDisagreed
from relay.sending.answers import disagreement
from relay.sending.outcomes import Deferred, Mail, Refused
from relay.sending.outcomes import Outcome as SesOutcome
from relay.sending.troubles import OWN, Lane, lane_to
from relay.words.addresses import Address, NullPath
from relay.words.apis import Api
from relay.words.arns import IdentityArn, parse_identity_arn
from relay.words.delegates import NOTIFICATIONS, Delegate
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session
from relay.words.values import dataclass, replace

_Read = TypeVar("_Read")
#: What is judged: the facts, for whom and of whom, and how much it is (:class:`relay.judgement.message.Bulk`).
_Case: TypeAlias = tuple[MessageFacts, Envelope, Delegate, int, Batches | None]

#: Octets from which reading a message may hold the event loop for more than some 20 ms.
LARGE: Final = 1 << 18
#: Seconds that a message waits, in all, for identities of which nothing is known that could decide.
LOOK_PATIENCE: Final = 2.0
#: Seconds in which an identity is read again no more than once for SES having refused what we allowed.
DOUBT_PAUSE: Final = 60.0
#: Outcomes of what is not refused; a name of the module is found in a tenth of the time of a member's.
_WELL: Final = (Outcome.ACCEPTED, Outcome.QUEUED)
#: Judgements of which it is remembered what comes of them; one more, and all are forgotten.
MOST_FOLLOWED: Final = 256
#: A delegate of the session that is not configured any more, or whose principal STS has not told yet.
NOT_KNOWN: Final = Ending(
    Outcome.DEFERRED, Reason.POLICY_UNDECIDED, Reply(451, (4, 7, 1), "It is not known now who this delegate is to AWS")
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Wall clock, in seconds since the epoch, and monotonic seconds, given once at assembly."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True)
class House:
    """
    What one configuration says about judging; replaced as a whole on reload.

    ``message_bytes`` bounds a repaired message, as it does one that comes.
    """

    delegate: Callable[[str], Delegate | None]
    rules: Rules
    profile: Profile
    hostname: str
    message_bytes: int = 10 << 20


@dataclass(slots=True)
class Prepared:
    """
    What may go to SES: the call, the judgement that permits it, and what the decision record knows by now.

    ``mail`` is for all recipients: one call, or as many as :meth:`to` makes of it. ``known`` grows while the message
    goes on. ``judged`` are the octets that were judged: what came, repaired. ``lane``: the way it takes through SES.
    """

    mail: Mail
    permit: Permit
    judgement: Judgement
    delegate: Delegate
    known: dict[str, Any]
    judged: bytes
    lane: Lane

    def to(self, recipients: tuple[str, ...]) -> "Prepared":
        """Return the same message, as it goes to some of its recipients."""
        return replace(self, mail=replace(self.mail, destinations=recipients))


class _Consequence:
    """
    What comes of a judgement, made once for all the messages that it is remembered for.

    ``undecided``: see the function. ``heard`` and ``known``: what is told of it, as events and for the decision record.
    ``lane`` and ``mail``, where it permits: the way through SES, and the call, but for recipients and octets.
    """

    __slots__ = ("heard", "judgement", "known", "lane", "mail", "undecided")

    def __init__(self, judgement: Judgement, delegate: Delegate) -> None:
        decisions, permit = judgement.decisions, judgement.permit
        self.judgement = judgement
        self.undecided = undecided(judgement)
        self.heard = tuple(_heard_of(decision, judgement, delegate) for decision in decisions)
        self.known: dict[str, Any] = {"mode": judgement.mode.value, "roles": tuple(map(role_record, decisions))}
        if permit is not None:
            self.known |= {"region": permit.region, "account": permit.account}
            self.lane = _lane(permit, delegate)
            self.mail = _mail(permit, delegate)


@dataclass(frozen=True, slots=True)
class _Before:
    """A message as it went this way before it was kept: what was read, what was judged, and what came of it."""

    head: Head
    found: _Consequence
    prepared: Prepared


class Walk:
    """Judges by the configuration and the policies of the moment: both may be replaced between two messages."""

    def __init__(self, house: House, directory: Identities, *, observe: Observer, clocks: Clocks) -> None:
        self.house = house
        self.directory = directory
        self.observe = observe
        self.clocks = clocks
        self._memory = Memory(directory.catalog, house.rules)
        self._before = Readings[_Before]()
        self._followed: dict[int, _Consequence] = {}
        self._doubted: dict[IdentityArn, float] = {}  # of the catalog; a sealed owner's are whatever a client names
        self._one_aside = asyncio.Semaphore(1)  # more would take the interpreter from each other and the loop

    def early_answer(self, session: Session, envelope: Envelope) -> Ending | None:
        """Answer at MAIL what no message could change: None means go on."""
        house = self.house
        delegate = house.delegate(session.delegate)
        if delegate is None:
            return with_decision(NOT_KNOWN, envelope.id)
        self._memory.follow(self.directory.catalog, house.rules)
        judgement = self._memory.judge_early(envelope.reverse_path, delegate, self.clocks.wall())
        if judgement is None:
            return None
        found = self._consequence(judgement, delegate)
        self._tell(found, delegate)
        return with_decision(_refusal(judgement, _record_of(None, found, envelope)), envelope.id)

    def mends_line_feeds(self, session: Session) -> bool:
        """Whether bare LFs in this delegate's messages are repaired before anything is judged."""
        delegate = self.house.delegate(session.delegate)
        return delegate is not None and "bare-lf" in delegate.repair

    async def prepare(
        self,
        session: Session,
        envelope: Envelope,
        raw: bytes,
        received_at: float | None = None,
        *,
        is_checked: bool = False,
        comes_again: bool = False,
        maybe_sent: bool = False,
        batches: tuple[tuple[str, ...], ...] | None = None,
    ) -> Prepared | Ending:
        """
        Repair, read, judge and rewrite a message; an Ending refuses it, without the decision's id in its reply.

        ``received_at`` is when it was accepted, in seconds since the epoch; now if None. ``is_checked``: the street
        door saw that the octets are those of mail. ``comes_again``: it will be kept, and prepared again under the same
        id; then it is judged anew, and what was made of it counts if that comes to the same. ``maybe_sent``: SES may
        have it from an earlier attempt, and a field of it says so. ``batches``: the recipients of each call, where they
        were divided already.
        """
        house = self.house
        delegate = house.delegate(session.delegate)
        if delegate is None:
            return NOT_KNOWN
        repaired: Repaired | None = None
        if delegate.repair:
            repaired = await self._repaired(raw, envelope, delegate, received_at)
            raw, is_checked = repaired.raw, is_checked and not repaired.made
        trace = (session, house.hostname, envelope, int(received_at or self.clocks.wall()))
        before = None if received_at is None else self._before.take(envelope.id, raw, (house.profile, *trace))
        if before is not None:
            head: Head | MessageProblem = before.head
        elif len(raw) < LARGE:
            head = read_message(raw, house.profile, is_checked=is_checked)
        else:
            head = await self._read_large(raw, house.profile, is_checked=is_checked)
        known: dict[str, Any] = {"repairs": [] if repaired is None else list(repaired.made)}
        if isinstance(head, MessageProblem):
            return _malformed(head if repaired is None else explained(head, repaired), known)
        facts, now = head.facts, self.clocks.wall()
        case = (facts, envelope, delegate, len(raw), batches)
        found, seconds = self._judge(case, now)
        if found.undecided:
            found, seconds = await self._after_a_look(case, found, seconds)
        self._tell(found, delegate)
        if before is not None and before.found is found and not maybe_sent:
            return before.prepared
        known |= _record_of(facts, found, envelope, seconds=seconds)
        permit = found.judgement.permit
        if permit is None:
            return _refusal(found.judgement, known)
        sent = rewrite_head(head, received_field(*trace))
        if isinstance(sent, MessageProblem):
            return _malformed(sent, known)
        if maybe_sent:
            sent = f"{ATTEMPT}: maybe-duplicate; id={envelope.id}\r\n".encode("ascii") + sent
        mail = _addressed(found.mail, envelope, sent, memoryview(raw)[head.section.body_start :])
        prepared = Prepared(mail, permit, found.judgement, delegate, known, raw, found.lane)
        if comes_again:
            self._before.keep(envelope.id, raw, (house.profile, *trace), _Before(head, found, prepared))
        return prepared

    async def _repaired(
        self, raw: bytes, envelope: Envelope, delegate: Delegate, received_at: float | None
    ) -> Repaired:
        """Make the delegate's repairs; they are told on the first walk, when the message has just been received."""
        plan = Plan(
            wanted=delegate.repair,
            most=self.house.message_bytes,
            date=date_time(datetime.fromtimestamp(received_at or self.clocks.wall(), UTC)),
            message_id=f"<{envelope.id}@{self.house.hostname}>",
        )
        repaired = await self._aside(len(raw), repair, raw, plan)
        if repaired.made and received_at is None:
            self.observe(MessageRepaired(delegate.name, repaired.made))
        return repaired

    def compare(self, outcome: SesOutcome, prepared: Prepared) -> None:
        """
        Tell where SES refused for want of authorization: against our verdict, or us rather than the delegate.

        Whichever it is, the identities are read again: their policies may not be what we think they are.
        """
        kind = disagreement(outcome)
        if kind is None:
            return
        identity = prepared.permit.from_arn
        if not prepared.delegate.is_its_own_sender:
            self.observe(Noted("error", "ses.not-let", {"identity": identity, "kind": kind}))
        elif all(decision.verdict is Verdict.ALLOWED for decision in prepared.judgement.decisions):
            self.observe(SesDisagreed(identity, kind, self._readings(outcome, prepared)))
        self._doubt(prepared.permit)

    def _readings(self, outcome: SesOutcome, prepared: Prepared) -> Mapping[str, Any]:
        """Put side by side what we read and what SES says."""
        now, decisions = self.clocks.wall(), prepared.judgement.decisions
        arns = dict.fromkeys(decision.identity for decision in decisions if decision.identity is not None)
        read = {arn: self.directory.catalog.find(arn) for arn in arns}
        ages = {str(arn): round(now - found.read_at, 1) for arn, found in read.items() if found is not None}
        said = f"{outcome.code}: {outcome.message}" if isinstance(outcome, Deferred | Refused) else None
        delegate = prepared.delegate
        told = {"delegate": delegate.name, "principal": delegate.principal, "read_seconds_ago": ages}
        return {**told, "ours": [role_record(decision) for decision in decisions], "theirs": said}

    def _doubt(self, permit: Permit) -> None:
        """Let the identities of a call be read again, each once in a while."""
        now, catalog = self.clocks.monotonic(), self.directory.catalog
        for arn in map(parse_identity_arn, {permit.from_arn, permit.source_arn}):
            if now - self._doubted.get(arn, -math.inf) >= DOUBT_PAUSE and catalog.find(arn) is not None:
                self._doubted[arn] = now
                self.directory.invalidate(arn)

    def bounces_to(self, session: Session, envelope: Envelope, raw: bytes) -> Address | None:
        """Name the address that bounces of a message go to; None for the null reverse-path: nobody is told."""
        house, reverse_path = self.house, envelope.reverse_path
        delegate = house.delegate(session.delegate)
        if reverse_path is NullPath.NULL or delegate is None:
            return reverse_path if isinstance(reverse_path, Address) else None
        facts = read_facts(raw[: raw.find(b"\r\n\r\n") + 4], house.profile)
        if isinstance(facts, MessageProblem):
            return reverse_path
        mail_from = reverse_path_of(reverse_path, facts.author, delegate, house.rules) or reverse_path
        return questions_of(facts, mail_from, delegate)[0].feedback

    def _judge(self, case: _Case, now: float) -> tuple[_Consequence, float]:
        """Return what comes of it, and the seconds that it took."""
        facts, envelope, delegate, octets, batches = case
        started = self.clocks.monotonic()
        self._memory.follow(self.directory.catalog, self.house.rules)
        judgement = self._memory.judge(facts, envelope, delegate, now, octets=octets, batches=batches)
        seconds = self.clocks.monotonic() - started
        self.observe(JudgementTimed(seconds, envelope.id))
        return self._consequence(judgement, delegate), seconds

    async def _after_a_look(self, case: _Case, found: _Consequence, seconds: float) -> tuple[_Consequence, float]:
        """Judge again when an identity was read; only what is not known is waited for, or too old, and not for long."""
        name = case[2].name
        until = self.clocks.monotonic() + LOOK_PATIENCE
        while found.undecided and (patience := until - self.clocks.monotonic()) > 0:
            if not await self.directory.look(name, found.undecided, patience):
                break
            found, seconds = self._judge(case, self.clocks.wall())
        return found, seconds

    def _consequence(self, judgement: Judgement, delegate: Delegate) -> _Consequence:
        found = self._followed.get(id(judgement))
        if found is None or found.judgement is not judgement:
            if len(self._followed) >= MOST_FOLLOWED:
                self._followed.clear()
            found = self._followed[id(judgement)] = _Consequence(judgement, delegate)
        return found

    def _tell(self, found: _Consequence, delegate: Delegate) -> None:
        self.directory.used(delegate.name, found.judgement.decisions)
        for each in found.heard:
            self.observe(each)

    async def _read_large(self, raw: bytes, profile: Profile, *, is_checked: bool) -> Head | MessageProblem:
        """Read as :func:`relay.mail.reading.read_message`; of checked octets only a MIME structure takes long."""
        if is_checked:
            head = read_head(raw, profile, is_checked=True)
        else:
            head = await self._aside(len(raw), read_head, raw, profile)
        if isinstance(head, MessageProblem) or not head.has_parts:
            return head
        return await self._aside(len(raw), check_body, raw, head, profile) or head

    async def _aside(self, octets: int, read: Callable[..., _Read], *arguments: object) -> _Read:
        """Read a large message in a thread: made of line ends or boundaries it takes longer than others should wait."""
        if octets < LARGE:
            return read(*arguments)
        async with self._one_aside:
            return await asyncio.to_thread(read, *arguments)


def undecided(judgement: Judgement) -> list[IdentityArn]:
    """Return the identities of questions that nobody could decide."""
    return [
        arn
        for decision in judgement.decisions
        if decision.verdict is Verdict.UNDECIDED and decision.identity is not None
        for arn in (decision.identity, *decision.agreeing)
    ]


def _mail(permit: Permit, delegate: Delegate) -> Mail:
    """Return the call that is permitted, to nobody yet."""
    sent_as_another = delegate.role is not None and delegate.name != NOTIFICATIONS  # that role is the operator's
    return Mail(
        source=str(permit.source),
        destinations=(),
        source_arn=permit.source_arn,
        from_arn=permit.from_arn,
        return_path_arn=permit.return_path_arn,
        raw=b"",
        configuration_set=permit.configuration_set,
        tags=permit.tags,
        own=not (permit.sealed or sent_as_another),
        role=delegate.role,
        tenant=permit.tenant,
        api=permit.api,
    )


def _addressed(mail: Mail, envelope: Envelope, head: bytes, body: memoryview) -> Mail:
    """Return the same call with recipients and octets; written out, for it is made for every message."""
    return Mail(
        mail.source,
        tuple(map(str, envelope.forward_paths)),
        mail.source_arn,
        mail.from_arn,
        mail.return_path_arn,
        body,
        mail.configuration_set,
        mail.tags,
        mail.own,
        mail.role,
        mail.tenant,
        mail.api,
        head,
    )


def _lane(permit: Permit, delegate: Delegate) -> Lane:
    """Return the way through SES. Who lacks ``ses:SendEmail`` alone may send small messages all the same."""
    identity, role = permit.from_arn if permit.api is Api.RAW else f"{permit.from_arn} {permit.api}", delegate.role
    if role is None:
        return lane_to(OWN, permit.region, identity, "")
    return lane_to(role.account, permit.region, identity, role.principal)


def _heard_of(decision: Decision, judgement: Judgement, delegate: Delegate) -> Judged:
    identity = str(decision.identity) if decision.identity else "-"
    return Judged(delegate.name, identity, decision.role.value, decision.verdict.value, judgement.mode.value)


def _record_of(
    facts: MessageFacts | None, found: _Consequence, envelope: Envelope, *, seconds: float | None = None
) -> dict[str, Any]:
    known = {**found.known, "timings": {"judgement": seconds}}
    if (spared := found.judgement.unenforced) is not None:
        known["unenforced"] = _reply_record(with_id(spared, envelope.id))
    if facts is not None:
        known["traceparent"] = facts.traceparent
        if (name := facts.display_name) is not None:
            known["display_name"], known["display_name_raw"] = name.decoded, name.raw
    return known


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
        "named": None if decision.named is None else {"by": decision.named[0], "arn": decision.named[1]},
        "agreeing": [str(arn) for arn in decision.agreeing],
        "digests": list(decision.digests),
        "verdict": decision.verdict.value,
        "deciding": deciding,
        "why": decision.why or None,
    }


def _refusal(judgement: Judgement, known: Mapping[str, Any]) -> Ending:
    if judgement.reply is None:
        raise ValueError("what is not permitted has a reply")
    return Ending(_outcome_of(judgement.reply), judgement.reason, judgement.reply, known)


def _malformed(problem: MessageProblem, known: Mapping[str, Any]) -> Ending:
    return Ending(_outcome_of(problem.reply), problem.reason, problem.reply, {**known, "rule": problem.rule})


def _outcome_of(refusal: Reply) -> Outcome:
    return Outcome.REJECTED if refusal.is_permanent else Outcome.DEFERRED


def with_decision(ending: Ending, message_id: str) -> Ending:
    """Return *ending* with the decision's id in its reply, where it refuses."""
    if ending.outcome in _WELL:
        return ending
    return replace(ending, reply=with_id(ending.reply, message_id))
