"""Cases judged by the real judge, and compared with what was expected. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

from relay.judgement.catalog import Catalog
from relay.judgement.explanation import to_json
from relay.judgement.message import judge_message
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement
from relay.mail.facts import DisplayName, MessageFacts
from relay.owner.cases import Case, CaseProblem
from relay.owner.replay import Judged, judged_of
from relay.words.arns import ArnProblem, parse_identity_arn
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Bench:
    """What cases are judged by: identities, the operator's rules, the delegates of the settings by name, the time."""

    catalog: Catalog
    rules: Rules
    delegates: Mapping[str, Delegate]
    now: float


@dataclass(frozen=True, slots=True)
class Result:
    """How one case ended. ``why`` says what is wrong, empty when nothing is; ``explanation`` only then is None."""

    case: Case
    verdict: str
    because: tuple[str, ...]
    why: str = ""
    explanation: dict[str, Any] | None = None

    @property
    def passed(self) -> bool:
        """Whether the policies answer as expected."""
        return not self.why

    def to_json(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "file": self.case.file,
            "name": self.case.name,
            "passed": self.passed,
            "expected": self.case.expect,
            "verdict": self.verdict,
            "because": list(self.because),
            "why": self.why or None,
            "explanation": self.explanation,
        }


def bench(catalog: Catalog, rules: Rules, delegates: Mapping[str, Delegate], now: float) -> Bench:
    """
    Make ready to judge cases: by the policies as they stand, at whatever time a case names.

    Freshness, observing and ``source_arn = "required"`` are the relay's affairs, not those of policies.
    """
    enforced = {name: replace(delegate, mode="enforce") for name, delegate in delegates.items()}
    ours = replace(rules, max_stale=inf, source_arn="infer", sealed=rules.sealed - catalog.owners.keys(), reveal="full")
    return Bench(catalog, ours, enforced, now)


def problem_of(case: Case, asked: Bench) -> CaseProblem | None:
    """Say what a case names that is not there: a delegate, an identity."""
    where = f"{case.file}: case ({case.name})"
    if case.delegate is not None and case.delegate not in asked.delegates:
        known = ", ".join(sorted(asked.delegates)) or "none: name relay.toml with -c"
        return CaseProblem(f"{where}: delegate", f"no delegate is named {case.delegate}; there are: {known}")
    if case.identity is not None:
        found = _arns(case.identity, asked.catalog)
        if len(found) != 1:
            why = f"it is in several places, write one as ARN: {', '.join(found)}" if found else "no such identity"
            return CaseProblem(f"{where}: identity", f"{case.identity}: {why}")
    return None


def check(case: Case, asked: Bench) -> Result:
    """Judge one case, which :func:`problem_of` has nothing against."""
    delegate = _delegate_of(case, asked)
    facts, envelope = _message(case, asked.catalog)
    now = asked.now if case.time is None else case.time
    judgement = judge_message(facts, envelope, delegate, asked.catalog, asked.rules, now)
    judged = judged_of(judgement)
    because = tuple(sorted(judged.answer.deciding))
    why = _complaint(case, judged, judgement)
    if why:
        judgement = judge_message(facts, envelope, delegate, asked.catalog, asked.rules, now, trace=True)
    told = to_json(judgement, delegate, facts=facts, envelope=envelope) if why else None
    return Result(case, judged.answer.verdict, because, why, told)


def _complaint(case: Case, judged: Judged, judgement: Judgement) -> str:
    verdict = judged.answer.verdict
    wanted = {"allow": {"allowed"}, "deny": {"denied", "not-allowed", "refused"}}[case.expect]
    if verdict not in wanted:
        return f"expected {case.expect}, but it is {verdict}: {judged.why}"
    deciding = [
        ref for each in judgement.decisions for _, _, evaluation in each.evaluations for ref in evaluation.because
    ]
    names = {name for ref in deciding for name in (str(ref), ref.sid)}
    missing = [wanted_ref for wanted_ref in case.because if wanted_ref not in names]
    if not missing:
        return ""
    found = ", ".join(dict.fromkeys(map(str, deciding))) or "no statement"
    return f"{verdict} as expected, but decided by {found}, not by {', '.join(missing)}"


def _delegate_of(case: Case, asked: Bench) -> Delegate:
    if case.delegate is None:
        return Delegate("-", case.principal or "", account_grant=bool(case.account_grant), mode="enforce")
    delegate = asked.delegates[case.delegate]
    return delegate if case.account_grant is None else replace(delegate, account_grant=case.account_grant)


def _message(case: Case, catalog: Catalog) -> tuple[MessageFacts, Envelope]:
    facts = MessageFacts(
        author=case.author,
        display_name=None if case.display_name is None else DisplayName(case.display_name, case.display_name),
        return_path=None,
        source_arn=None if case.identity is None else _arns(case.identity, catalog)[0],
        from_arn=None,
        return_path_arn=None,
    )
    reverse_path = case.author.with_domain_lowered() if case.return_path is None else case.return_path
    return facts, Envelope(reverse_path, case.recipients)


def _arns(identity: str, catalog: Catalog) -> list[str]:
    """Every identity that *identity* may mean: an ARN as it stands, or a name wherever it is verified."""
    try:
        return [str(parse_identity_arn(identity))]
    except ArnProblem:
        groups = [owned.by_folded_name.get(identity.lower(), ()) for owned in catalog.owners.values()]
    return [str(one.arn) for group in groups for one in group if one.arn.name == identity]
