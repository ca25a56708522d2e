"""One question, answered: by every identity that must agree, in every reading that their policies can tell apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from relay.judgement.advice import advice_for, advice_for_problems
from relay.judgement.answers import ACTION, Asker, access_denied, missed, reason_of, undecided, ungoverned
from relay.judgement.catalog import Identity
from relay.judgement.context import Circumstances, contexts
from relay.judgement.governing import Choice, Governing, Lack, Ungoverned, govern
from relay.judgement.misses import Miss, nearest_miss
from relay.judgement.questions import Question
from relay.judgement.verdicts import Decision, Verdict
from relay.policy.answers import Decision as Answer
from relay.policy.answers import Evaluation
from relay.policy.document import Policy, UnreadablePolicy
from relay.policy.evaluation import evaluate
from relay.policy.request import Request
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate

Evaluated = tuple[IdentityArn, str, Evaluation]

#: A refusal that no later reading can undo comes before one that might be undone: repeating would not help the client.
SEVERITY: Final = {Verdict.DENIED: 3, Verdict.NOT_ALLOWED: 2, Verdict.UNDECIDED: 1, Verdict.ALLOWED: 0}


@dataclass(frozen=True, slots=True)
class Hearing:
    """
    What all questions of one message share.

    ``heard`` remembers evaluations by identity and feedback address: From and feedback mostly ask the same.
    """

    choice: Choice
    circumstances: Circumstances
    trace: bool = False
    heard: dict[tuple[IdentityArn, str], tuple[Evaluated, ...]] = field(default_factory=dict)


def decide(question: Question, hearing: Hearing) -> tuple[Decision, Governing | Ungoverned]:
    """Answer one question, and say on what identity the answer rests."""
    governing = govern(question, hearing.choice)
    if isinstance(governing, Ungoverned):
        return _without_identity(question, governing, hearing), governing
    delegate = hearing.choice.delegate
    ordered = sorted(
        _evaluate_all(question, governing, hearing), key=lambda item: -SEVERITY[verdict_of(item[2], delegate)]
    )
    worst = verdict_of(ordered[0][2], delegate) if ordered else Verdict.UNDECIDED
    decision = Decision(
        question.role,
        question.address,
        governing.identity.arn,
        governing.chosen,
        worst,
        tuple(ordered),
        digests_of(governing.agreeing),
    )
    if SEVERITY[worst] > SEVERITY[Verdict.UNDECIDED]:
        return _refused(decision, ordered[0], hearing), governing
    if governing.doubts or worst is Verdict.UNDECIDED:
        return _undecided(decision, governing, hearing), governing
    return replace(decision, why=f"allowed by {_because(ordered)}"), governing


def keys_of(policies: Sequence[Policy | UnreadablePolicy]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the keys that the policies refer to, and those of them under a bare operator."""
    read = [policy for policy in policies if isinstance(policy, Policy)]
    if len(read) == 1:
        return read[0].keys, read[0].bare_keys
    nothing: frozenset[str] = frozenset()
    return nothing.union(*(p.keys for p in read)), nothing.union(*(p.bare_keys for p in read))


def _evaluate_all(question: Question, governing: Governing, hearing: Hearing) -> tuple[Evaluated, ...]:
    evaluated: tuple[Evaluated, ...] = ()
    rules, now = hearing.choice.rules, hearing.choice.now
    for identity in governing.agreeing:
        if identity.problem is None and rules.is_fresh(identity.read_at, now):
            evaluated += _evaluations(question, identity, hearing)
    return evaluated


def _evaluations(question: Question, identity: Identity, hearing: Hearing) -> tuple[Evaluated, ...]:
    key = (identity.arn, str(question.feedback))
    if (heard := hearing.heard.get(key)) is None:
        heard = hearing.heard[key] = tuple(_evaluate(question, identity, hearing))
    return heard


def _evaluate(question: Question, identity: Identity, hearing: Hearing) -> list[Evaluated]:
    """Ask the identity's policies in every reading; a refusal is asked again for its traces."""
    seen = hearing.circumstances
    if seen.feedback != str(question.feedback):
        seen = replace(seen, feedback=str(question.feedback))
    keys, bare_keys = keys_of(identity.policies)
    answers = []
    for label, context in contexts(seen, identity.arn, keys, bare_keys):
        request = Request(seen.caller, ACTION, str(identity.arn), context)
        answer = evaluate(request, identity.policies, trace=hearing.trace)
        if not hearing.trace and verdict_of(answer, seen.delegate) is not Verdict.ALLOWED:
            answer = evaluate(request, identity.policies, trace=True)
        answers.append((identity.arn, label, answer))
    return answers


def verdict_of(evaluation: Evaluation, delegate: Delegate) -> Verdict:
    """
    Read a verdict off an evaluation.

    A grant to a whole account only lets that account's administrators grant (IAM User Guide, "AWS JSON policy elements:
    Principal"). It counts where SES will ask them, for a role, or where the operator vouches for them.
    """
    match evaluation.decision:
        case Answer.ALLOW:
            counts = evaluation.grant != "account" or delegate.account_grant or delegate.role is not None
            return Verdict.ALLOWED if counts else Verdict.NOT_ALLOWED
        case Answer.EXPLICIT_DENY:
            return Verdict.DENIED
        case Answer.IMPLICIT_DENY:
            return Verdict.NOT_ALLOWED
        case Answer.UNDECIDED:
            return Verdict.UNDECIDED


# --- the three ways of not being allowed ------------------------------------------------------------------------------


def _without_identity(question: Question, lack: Ungoverned, hearing: Hearing) -> Decision:
    asker = Asker.of(hearing.choice.delegate, question.role, hearing.choice.rules)
    verdict = Verdict.UNDECIDED if lack.lack is Lack.UNKNOWN else Verdict.NOT_ALLOWED
    return Decision(
        question.role,
        question.address,
        None,
        "no identity governs",
        verdict,
        why=lack.why,
        advice=lack.advice,
        refusal=ungoverned(question, lack, asker),
        reason=reason_of(verdict, lack.lack),
    )


def _refused(decision: Decision, deciding: Evaluated, hearing: Hearing) -> Decision:
    arn, label, evaluation = deciding
    miss = nearest_miss(evaluation)
    asker = Asker.of(hearing.choice.delegate, decision.role, hearing.choice.rules)
    return replace(
        decision,
        why=_sentence(arn, label, miss),
        advice=advice_for(arn, label, miss, decision.address, hearing.choice.delegate),
        refusal=access_denied(arn, miss, asker),
        reason=reason_of(decision.verdict),
    )


def _undecided(decision: Decision, governing: Governing, hearing: Hearing) -> Decision:
    problems = tuple(problem for _, _, evaluation in decision.evaluations for problem in evaluation.problems)
    unreadable = tuple(
        dict.fromkeys(
            f"a policy of {arn} cannot be read"
            for arn, _, evaluation in decision.evaluations
            if evaluation.decision is Answer.UNDECIDED
        )
    )
    why = "; ".join(governing.doubts + unreadable)
    asker = Asker.of(hearing.choice.delegate, decision.role, hearing.choice.rules)
    return replace(
        decision,
        verdict=Verdict.UNDECIDED,
        why=why,
        advice=advice_for_problems(problems, doubtful=bool(governing.doubts)),
        refusal=undecided(why, asker),
        reason=reason_of(Verdict.UNDECIDED),
    )


def _sentence(arn: IdentityArn, label: str, miss: Miss) -> str:
    reading = f" ({label})" if label else ""
    return f"{arn.name}{reading}: {missed(miss, full=True)}"


def _because(evaluated: Sequence[Evaluated]) -> str:
    return ", ".join(dict.fromkeys(str(ref) for _, _, evaluation in evaluated for ref in evaluation.because))


def digests_of(identities: Sequence[Identity]) -> tuple[str, ...]:
    """Return the digest of every policy text of the identities, each once."""
    return tuple(dict.fromkeys(policy.digest for identity in identities for policy in identity.policies))
