"""
A judgement as a chain that can be followed: delegate, principal; address, identity; statement, element, value.

Made from the very value that answered the client, for the operator: it quotes policies. The JSON is the contract of
``ses-relay explain --json``; keys are only added.
"""

from collections.abc import Mapping
from typing import Any

from relay.judgement.answers import missed
from relay.judgement.grants import verdict_of
from relay.judgement.misses import nearest_miss
from relay.judgement.verdicts import Decision, Judgement, Permit, Verdict
from relay.mail.facts import MessageFacts
from relay.policy.answers import Evaluation, PolicyProblem, StatementRef, StatementTrace, Truth
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope

FORMAT = 1

_FATES = {Truth.YES: "applies", Truth.NO: "does not apply", Truth.UNKNOWN: "may apply"}


def to_json(
    judgement: Judgement, delegate: Delegate, *, facts: MessageFacts | None = None, envelope: Envelope | None = None
) -> dict[str, Any]:
    """
    Explain *judgement*, JSON-ready.

    Ask the judge with ``trace=True`` for the fate of statements of what was allowed too. Order of keys is that of the
    chain: who asks, about what, each question, the answer.
    """
    return {
        "format": FORMAT,
        "verdict": overall(judgement),
        "mode": str(judgement.mode),
        "reason": str(judgement.reason),
        "delegate": _delegate(delegate),
        "message": None if facts is None else _message(facts),
        "envelope": None if envelope is None else _envelope(envelope),
        "questions": [_question(decision, delegate) for decision in judgement.decisions],
        "permit": None if judgement.permit is None else _permit(judgement.permit),
        "reply": None if judgement.reply is None else str(judgement.reply),
        "unenforced": None if judgement.unenforced is None else str(judgement.unenforced),
    }


def overall(judgement: Judgement) -> str:
    """
    Return the verdict on the whole message; ``refused`` where its form or an X-SES field decided.

    An observed delegate's message may be permitted in spite of it.
    """
    if judgement.permit is not None and judgement.unenforced is None:
        return str(Verdict.SEALED if judgement.permit.sealed else Verdict.ALLOWED)
    for verdict in (Verdict.DENIED, Verdict.NOT_ALLOWED, Verdict.UNDECIDED):
        if any(decision.verdict is verdict for decision in judgement.decisions):
            return str(verdict)
    return "refused"


def _delegate(delegate: Delegate) -> dict[str, Any]:
    return {
        "name": delegate.name,
        "principal": delegate.principal,
        "role": None if delegate.role is None else delegate.role.arn,
        "account_grant": delegate.account_grant,
        "same_account": delegate.same_account,
    }


def _message(facts: MessageFacts) -> dict[str, Any]:
    name = facts.display_name
    return {
        "from": str(facts.author),
        "display_name": None if name is None else name.decoded,
        "return_path": None if facts.return_path is None else str(facts.return_path),
        "source_arn": facts.source_arn,
        "from_arn": facts.from_arn,
        "return_path_arn": facts.return_path_arn,
        "x_ses": dict(facts.x_ses),
    }


def _envelope(envelope: Envelope) -> dict[str, Any]:
    return {"mail_from": str(envelope.reverse_path), "recipients": [str(path) for path in envelope.forward_paths]}


def _permit(permit: Permit) -> dict[str, Any]:
    return {
        "region": permit.region,
        "account": permit.account,
        "source": str(permit.source),
        "source_arn": permit.source_arn,
        "from_arn": permit.from_arn,
        "return_path_arn": permit.return_path_arn,
        "configuration_set": permit.configuration_set,
        "tags": dict(permit.tags),
        "tenant": permit.tenant,
        "api": permit.api.action,
    }


def _question(decision: Decision, delegate: Delegate) -> dict[str, Any]:
    return {
        "role": str(decision.role),
        "address": str(decision.address),
        "identity": None if decision.identity is None else str(decision.identity),
        "chosen": decision.chosen,
        "verdict": str(decision.verdict),
        "why": decision.why,
        "asked": [_asked(arn, reading, answer, delegate) for arn, reading, answer in decision.evaluations],
        "advice": list(decision.advice),
        "policies": list(decision.digests),
        "reply": None if decision.refusal is None else str(decision.refusal),
    }


def _asked(arn: IdentityArn, reading: str, answer: Evaluation, delegate: Delegate) -> dict[str, Any]:
    verdict = verdict_of(answer, delegate, arn)
    refused = verdict in {Verdict.DENIED, Verdict.NOT_ALLOWED}
    miss = nearest_miss(answer) if refused else None
    nearest = None if miss is None or miss.trace is None else miss.trace.statement
    return {
        "identity": str(arn),
        "action": answer.action,
        "reading": reading or None,
        "verdict": str(verdict),
        "because": [_ref(ref) for ref in answer.because],
        "grant": answer.grant,
        "unknown": list(answer.unknown),
        "nearest_miss": None if miss is None else missed(miss, full=True),
        "nearest": None if nearest is None else _ref(nearest),
        "statements": [statement_json(trace) for trace in answer.traces],
        "problems": [problem_json(problem) for problem in answer.problems],
    }


def _ref(ref: StatementRef) -> dict[str, Any]:
    return {"policy": ref.policy, "sid": ref.sid, "index": ref.index}


def statement_json(trace: StatementTrace) -> dict[str, Any]:
    """Say how one statement fared: it applies, or the first element that did not match, with wanted and found."""
    return {
        "policy": trace.statement.policy,
        "sid": trace.statement.sid,
        "index": trace.statement.index,
        "effect": trace.effect,
        "fate": _FATES[trace.applies],
        "mismatch": _mismatch(trace),
        "unknown": list(trace.unknown),
        "grant": trace.grant,
    }


def _mismatch(trace: StatementTrace) -> Mapping[str, Any] | None:
    mismatch = trace.mismatch
    if mismatch is None:
        return None
    return {
        "element": mismatch.element,
        "operator": mismatch.operator,
        "key": mismatch.key,
        "wanted": list(mismatch.wanted),
        "found": None if mismatch.found is None else list(mismatch.found),
    }


def problem_json(problem: PolicyProblem) -> dict[str, str]:
    """Say what in a policy could not be judged, and where."""
    return {"policy": problem.policy, "path": problem.path, "why": problem.why}
