"""
The judge: may this delegate send this message, and exactly how; or what the client is told instead.

Nothing here touches the world: facts, envelope, delegate, catalog, rules and the time come in, a judgement goes out.
"""

from collections.abc import Sequence
from typing import Final

from relay.judgement.answers import (
    NULL_REVERSE_PATH,
    TOO_LARGE,
    Asker,
    not_verified,
    several_regions,
    three_identities,
    ungoverned,
)
from relay.judgement.catalog import Catalog
from relay.judgement.choice import Choice, Governing, Lack, Ungoverned
from relay.judgement.context import Circumstances, caller_of
from relay.judgement.decisions import SEVERITY, Hearing, decide
from relay.judgement.early import judge_early
from relay.judgement.governing import parse_named
from relay.judgement.observing import is_spared, mode_of
from relay.judgement.questions import Question, questions_of, reverse_path_of
from relay.judgement.rules import Rules
from relay.judgement.sealed import covers
from relay.judgement.steering import Steering, steer
from relay.judgement.verdicts import Decision, Judgement, Mode, Permit, Role, Verdict
from relay.mail.facts import MessageFacts
from relay.words.addresses import Address
from relay.words.apis import MOST_RECIPIENTS, Api, apis_for
from relay.words.delegates import Delegate
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.transactions import Envelope, batches_of
from relay.words.values import dataclass, replace

__all__ = ["Bulk", "judge_early", "judge_message"]

Answered = tuple[Question, Decision, Governing | Ungoverned]


@dataclass(frozen=True, slots=True)
class Bulk:
    """
    How much a message is: its ``octets`` as they came, and the recipients of each call to SES.

    ``batches``: where they were divided already; None for how they would be divided now.
    """

    octets: int = 0
    batches: tuple[tuple[str, ...], ...] | None = None

    def calls(self, forward_paths: Sequence[Address]) -> tuple[tuple[str, ...], ...]:
        """Return the recipients of each call, if there are several."""
        if self.batches is not None:
            return self.batches
        if len(forward_paths) <= MOST_RECIPIENTS:
            return ()
        return tuple(tuple(map(str, batch)) for batch in batches_of(forward_paths))


#: A message of which nothing but its facts is known: it goes in one call of the first API.
SMALL: Final = Bulk()


def judge_message(
    facts: MessageFacts,
    envelope: Envelope,
    delegate: Delegate,
    catalog: Catalog,
    rules: Rules,
    now: float,
    *,
    bulk: Bulk = SMALL,
    trace: bool = False,
) -> Judgement:
    """
    Judge a whole message, its recipients together, as SES does; where they go in several calls, those of each as well.

    Every question must end in ALLOWED or SEALED. A permanent refusal of one is final, whatever the others say:
    repeating the message could not help. For a delegate that is observed the verdicts of policies refuse nothing.

    Args:
        now: Seconds since the epoch.
        bulk: Chooses the call to SES, and with it the actions that are judged.
        trace: Keep every statement's fate, otherwise only those of refusals.
    """
    return judge_by(Choice(delegate, catalog, rules, now), facts, envelope, bulk=bulk, trace=trace)


def judge_by(
    choice: Choice, facts: MessageFacts, envelope: Envelope, *, bulk: Bulk = SMALL, trace: bool = False
) -> Judgement:
    """Judge as :func:`judge_message` does; *choice* notes what the answer rests on."""
    mode = mode_of(choice.delegate, choice.rules, choice.now)
    judgement = _refused((), TOO_LARGE, Reason.SIZE)
    steering = steer(facts.x_ses, choice.delegate, choice.rules)
    if isinstance(steering, Reply):
        return replace(_refused((), steering, Reason.MESSAGE_FORM), mode=mode)
    calls = bulk.calls(envelope.forward_paths)
    for api in apis_for(bulk.octets, to_tenant=steering.tenant is not None):
        judgement = _judge(facts, _Sending(envelope, api, calls, steering), choice, mode, trace=trace)
        if judgement.permit is not None and judgement.unenforced is None:
            break  # the next one is less sure to be taken
    return judgement if mode is judgement.mode else replace(judgement, mode=mode)


@dataclass(frozen=True, slots=True)
class _Sending:
    """How a message would be sent; ``calls``: the recipients of each, if there are several."""

    envelope: Envelope
    api: Api
    calls: tuple[tuple[str, ...], ...]
    steering: Steering


def _judge(facts: MessageFacts, sending: _Sending, choice: Choice, mode: Mode, *, trace: bool) -> Judgement:
    delegate, rules, envelope = choice.delegate, choice.rules, sending.envelope
    mail_from = reverse_path_of(envelope.reverse_path, facts.author, delegate, rules)
    if mail_from is None:
        return _refused((), NULL_REVERSE_PATH, Reason.ADDRESS_FORM)
    questions = questions_of(facts, mail_from, delegate)
    if (misnamed := _misnamed_source(questions, delegate, rules)) is not None:
        return misnamed
    circumstances = Circumstances(
        facts.author,
        facts.display_name,
        str(questions[0].feedback),
        tuple(map(str, envelope.forward_paths)),
        caller_of(delegate),
        delegate,
        rules,
        choice.now,
        sending.steering.tenant,
        sending.api,
        sending.calls,
    )
    hearing = Hearing(choice, circumstances, trace)
    answered = [(question, *decide(question, hearing)) for question in questions]
    final = [each for each in answered if mode is Mode.ENFORCE or not is_spared(each[1].verdict, each[2])]
    return _conclude(answered, final, _Way(sending.steering, sending.api), choice)


@dataclass(frozen=True, slots=True)
class _Way:
    """What a permit says beside addresses and identities."""

    steering: Steering
    api: Api


def _conclude(answered: Sequence[Answered], final: Sequence[Answered], way: _Way, choice: Choice) -> Judgement:
    """Put the answers together; *final* are those that may refuse the message."""
    decisions = tuple(decision for _, decision, _ in answered)
    refused = max(final, key=_severity, default=None)
    if refused is not None and refused[1].refusal is not None:
        reply = _together(refused, answered, choice) or refused[1].refusal
        return _refused(decisions, reply, refused[1].reason)
    governing = {question.role: found for question, _, found in answered if isinstance(found, Governing)}
    regions = tuple((role, found.identity.arn.region) for role, found in governing.items())
    if len({region for _, region in regions}) > 1:
        return _refused(decisions, several_regions(regions), Reason.IDENTITY_UNKNOWN)
    identities = tuple(dict.fromkeys(str(found.identity.arn) for found in governing.values()))
    if way.api is Api.V2 and len(identities) > 2:  # it has a parameter for the author's, and one for feedback
        return _refused(decisions, three_identities([arn.partition("/")[2] for arn in identities]), Reason.SIZE)
    permit = _permit(answered, governing, way)
    return Judgement(decisions, permit, None, Reason.NONE, unenforced=max(answered, key=_severity)[1].refusal)


def _permit(answered: Sequence[Answered], governing: dict[Role, Governing], way: _Way) -> Permit:
    author, feedback = governing[Role.FROM].identity.arn, governing[Role.FEEDBACK].identity.arn
    return Permit(
        region=author.region,
        account=author.account,
        source=answered[0][0].feedback,
        source_arn=str(feedback),
        from_arn=str(author),
        return_path_arn=str(feedback),
        configuration_set=way.steering.configuration_set,
        tags=way.steering.tags,
        tenant=way.steering.tenant,
        sealed=any(decision.verdict is Verdict.SEALED for _, decision, _ in answered),
        api=way.api,
    )


def _severity(answer: Answered) -> int:
    _, decision, found = answer
    is_form = isinstance(found, Ungoverned) and found.lack in {Lack.FORM, Lack.EIGHT_BIT}
    return max(SEVERITY.values()) + 1 if is_form else SEVERITY[decision.verdict]


def _together(worst: Answered, answered: Sequence[Answered], choice: Choice) -> Reply | None:
    """Name all addresses that nobody verified in one reply, as SES does; None when that is not the trouble."""
    _, decision, found = worst
    if not isinstance(found, Ungoverned) or found.lack is not Lack.UNVERIFIED:
        return None
    alike = [a for a in answered if isinstance(a[2], Ungoverned) and a[2].lack is Lack.UNVERIFIED]
    addresses = list(dict.fromkeys(str(question.address) for question, _, _ in alike))
    return not_verified(addresses, found.regions, found.detail, Asker.of(choice.delegate, decision.role, choice.rules))


def _misnamed_source(questions: Sequence[Question], delegate: Delegate, rules: Rules) -> Judgement | None:
    """
    Refuse an X-SES-SOURCE-ARN that is no identity's, or covers no address of the message.

    It is passed over for an address it does not cover; passed over for all, it would be a wish that nobody read.
    """
    named = next((name for name in questions[0].names if name.by_client and not name.strict), None)
    if named is None:
        return None
    arn = parse_named(named)
    if not isinstance(arn, Ungoverned):
        if any(covers(arn, question.address) for question in questions):
            return None
        addresses = ", ".join(dict.fromkeys(str(question.address) for question in questions))
        arn = Ungoverned(Lack.NAMED, f"{named.origin}: {arn.name} covers no address of the message ({addresses})")
    refusal = ungoverned(questions[0], arn, Asker.of(delegate, Role.FEEDBACK, rules))
    is_form = arn.lack is not Lack.NAMED
    return _refused((), refusal, Reason.MESSAGE_FORM if is_form else Reason.IDENTITY_UNKNOWN)


def _refused(decisions: tuple[Decision, ...], reply: Reply, reason: Reason) -> Judgement:
    return Judgement(decisions, None, reply, reason)
