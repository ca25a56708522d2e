"""One question, answered: by every identity that must agree, in every reading that their policies can tell apart."""

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Final

from relay.judgement.advice import advice_for, advice_for_problems
from relay.judgement.answers import Asker, access_denied, missed, reason_of, undecided, ungoverned
from relay.judgement.catalog import Identity
from relay.judgement.choice import Choice, Governing, Lack, Ungoverned
from relay.judgement.context import Circumstances, contexts
from relay.judgement.governing import govern
from relay.judgement.grants import verdict_of
from relay.judgement.misses import Miss, nearest_miss
from relay.judgement.questions import Question
from relay.judgement.verdicts import Decision, Verdict
from relay.policy.answers import Decision as Answer
from relay.policy.answers import Evaluation
from relay.policy.document import Policy, UnreadablePolicy
from relay.policy.evaluation import evaluate, keys_asked
from relay.policy.request import Request
from relay.words.apis import Api
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

Evaluated = tuple[IdentityArn, str, Evaluation]

#: A refusal that no later reading can undo comes before one that might be undone: repeating would not help the client.
SEVERITY: Final = {
    Verdict.DENIED: 3,
    Verdict.NOT_ALLOWED: 2,
    Verdict.UNDECIDED: 1,
    Verdict.SEALED: 0,
    Verdict.ALLOWED: 0,
}


@dataclass(frozen=True, slots=True)
class Hearing:
    """
    What all questions of one message share.

    ``heard`` remembers evaluations by identity and feedback address, ``governed`` which identity governs an address:
    From and feedback mostly ask the same.
    """

    choice: Choice
    circumstances: Circumstances
    trace: bool = False
    heard: dict[tuple[IdentityArn, str], tuple[Evaluated, ...]] = field(default_factory=dict)
    governed: list[tuple[Question, Governing | Ungoverned]] = field(default_factory=list)


def decide(question: Question, hearing: Hearing) -> tuple[Decision, Governing | Ungoverned]:
    """Answer one question, and say on what identity the answer rests."""
    governing = _govern(question, hearing)
    if isinstance(governing, Ungoverned):
        return _without_identity(question, governing, hearing), governing
    if governing.sealed:
        return _sealed(question, governing), governing
    evaluated = _evaluate_all(question, governing, hearing)
    delegate = hearing.choice.delegate
    verdicts = [verdict_of(evaluation, delegate, arn) for arn, _, evaluation in evaluated]
    worst = max(verdicts, key=SEVERITY.__getitem__, default=Verdict.UNDECIDED)
    if SEVERITY[worst] > SEVERITY[Verdict.UNDECIDED]:
        return _refused(question, governing, _worst_first(evaluated, verdicts), worst, hearing), governing
    if governing.doubts or worst is Verdict.UNDECIDED:
        return _undecided(question, governing, _worst_first(evaluated, verdicts), hearing), governing
    return _allowed(question, governing, evaluated), governing


def _govern(question: Question, hearing: Hearing) -> Governing | Ungoverned:
    for asked, found in hearing.governed:  # three at most
        if asked.address == question.address and asked.names == question.names:
            return found
    found = govern(question, hearing.choice)
    hearing.governed.append((question, found))
    return found


def keys_of(policies: Sequence[Policy | UnreadablePolicy]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the keys that the policies refer to, and those of them under a bare operator."""
    if len(policies) == 1 and isinstance(policies[0], Policy):
        return policies[0].keys, policies[0].bare_keys
    read = [policy for policy in policies if isinstance(policy, Policy)]
    nothing: frozenset[str] = frozenset()
    return nothing.union(*[p.keys for p in read]), nothing.union(*[p.bare_keys for p in read])


def _evaluate_all(question: Question, governing: Governing, hearing: Hearing) -> tuple[Evaluated, ...]:
    evaluated: tuple[Evaluated, ...] = ()
    for identity in governing.agreeing:
        if identity.problem is None and hearing.choice.is_fresh(identity.read_at):
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
    for action in seen.api.actions:
        asked = "" if seen.api is Api.RAW else action
        for label, context in contexts(seen, identity.arn, keys, bare_keys):
            request = Request(seen.caller, action, str(identity.arn), context)
            hearing.choice.grounds.keys |= keys_asked(request, identity.policies)
            answer = evaluate(request, identity.policies, trace=hearing.trace)
            if not hearing.trace and verdict_of(answer, seen.delegate, identity.arn) is not Verdict.ALLOWED:
                answer = evaluate(request, identity.policies, trace=True)
            answers.append((identity.arn, "; ".join(filter(None, (asked, label))), answer))
    return answers


# --- the five ways out ------------------------------------------------------------------------------------------------


def _allowed(question: Question, governing: Governing, evaluated: tuple[Evaluated, ...]) -> Decision:
    because = dict.fromkeys(str(ref) for _, _, evaluation in evaluated for ref in evaluation.because)
    silent = dict.fromkeys(arn.name for arn, _, evaluation in evaluated if not evaluation.because)
    whys = [f"allowed by {', '.join(because)}"] if because else []
    whys += [f"no policy denies {name} to its owner's own account (same_account)" for name in silent]
    return Decision(
        question.role,
        question.address,
        governing.identity.arn,
        governing.chosen,
        Verdict.ALLOWED,
        evaluated,
        digests_of(governing.agreeing),
        "; ".join(whys),
        named=governing.named,
        agreeing=governing.others,
    )


def _sealed(question: Question, governing: Governing) -> Decision:
    arn = governing.identity.arn
    why = f"the policies of account {arn.account} cannot be seen here: SES judges alone"
    return Decision(
        question.role, question.address, arn, governing.chosen, Verdict.SEALED, why=why, named=governing.named
    )


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


def _refused(
    question: Question, governing: Governing, evaluated: tuple[Evaluated, ...], verdict: Verdict, hearing: Hearing
) -> Decision:
    arn, label, evaluation = evaluated[0]
    delegate = hearing.choice.delegate
    miss = nearest_miss(evaluation)
    asker = Asker.of(delegate, question.role, hearing.choice.rules)
    return Decision(
        question.role,
        question.address,
        governing.identity.arn,
        governing.chosen,
        verdict,
        evaluated,
        digests_of(governing.agreeing),
        _sentence(arn, label, miss),
        advice_for(arn, label, miss, hearing.circumstances.author or question.address, delegate),
        access_denied(arn, miss, asker),
        reason_of(verdict),
        governing.named,
        governing.others,
    )


def _undecided(
    question: Question, governing: Governing, evaluated: tuple[Evaluated, ...], hearing: Hearing
) -> Decision:
    problems = [problem for _, _, evaluation in evaluated for problem in evaluation.problems]
    open_ones = [arn for arn, _, evaluation in evaluated if evaluation.decision is Answer.UNDECIDED]
    why = "; ".join((*governing.doubts, *dict.fromkeys(f"a policy of {arn} cannot be read" for arn in open_ones)))
    asker = Asker.of(hearing.choice.delegate, question.role, hearing.choice.rules)
    return Decision(
        question.role,
        question.address,
        governing.identity.arn,
        governing.chosen,
        Verdict.UNDECIDED,
        evaluated,
        digests_of(governing.agreeing),
        why,
        advice_for_problems(problems, doubtful=bool(governing.doubts)),
        undecided(why, asker),
        reason_of(Verdict.UNDECIDED),
        governing.named,
        governing.others,
    )


def _worst_first(evaluated: tuple[Evaluated, ...], verdicts: Sequence[Verdict]) -> tuple[Evaluated, ...]:
    order = sorted(range(len(evaluated)), key=lambda i: -SEVERITY[verdicts[i]])
    return tuple(evaluated[i] for i in order)


def _sentence(arn: IdentityArn, label: str, miss: Miss) -> str:
    reading = f" ({label})" if label else ""
    return f"{arn.name}{reading}: {missed(miss, full=True)}"


def digests_of(identities: Sequence[Identity]) -> tuple[str, ...]:
    """Return the digest of every policy text of the identities, each once."""
    return tuple(dict.fromkeys(policy.digest for identity in identities for policy in identity.policies))
