"""Records of the past explained: the judge asked again, by the policies of then."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from relay.journal.schema import JournalProblem
from relay.judgement.catalog import Catalog
from relay.judgement.rules import Rules
from relay.owner.again import Again, judge_again
from relay.owner.catalogs import KeptText
from relay.owner.observed import HashedAddresses, NotReplayable, Observed
from relay.owner.policy_texts import PolicyTexts
from relay.owner.records import read_observed
from relay.words.delegates import Delegate

#: Recipients of a message that is judged again: more would keep the interpreter from the mail.
MOST_RECIPIENTS: Final = 100


def explained(
    record: Mapping[str, Any],
    find_delegate: Callable[[str], Delegate | None],
    rules: Rules,
    *,
    alive: Catalog,
    texts: PolicyTexts | None,
) -> dict[str, Any]:
    """
    Explain the decision of *record*, JSON-ready; blocks.

    *alive*: what is in force now. *texts*: where texts of the past are kept, None for nowhere.
    """
    seen, why = _observed(record)
    again = None if seen is None else _again(seen, find_delegate(seen.delegate), rules, alive, texts)
    if again is None:
        return _told(why or "no identity governed its addresses")
    is_same = seen is not None and seen.answer.reason == again.answer.reason
    return _told(None, explanation=again.told, gone=list(again.gone), same_answer=is_same)


def _observed(record: Mapping[str, Any]) -> tuple[Observed | None, str | None]:
    """Read what can be judged again, or say why there is nothing."""
    try:
        seen = read_observed(record)
    except HashedAddresses as problem:
        return None, str(problem)
    if isinstance(seen, NotReplayable):
        return None, seen.why
    if seen.answer.verdict == "sealed":
        return None, "SES alone judged it"
    if len(seen.recipients) > MOST_RECIPIENTS:
        return None, f"it has more than {MOST_RECIPIENTS} recipients: ses-relay explain --decision judges it again"
    return seen, None


def _again(
    seen: Observed, delegate: Delegate | None, rules: Rules, alive: Catalog, texts: PolicyTexts | None
) -> Again | None:
    if delegate is None or delegate.principal != seen.principal:
        delegate = seen.recorded_delegate()
    return judge_again(seen, delegate, rules, _kept(seen, texts), alive)


def _kept(seen: Observed, texts: PolicyTexts | None) -> list[KeptText]:
    if texts is None:
        return []
    try:
        return texts.texts([digest for role in seen.roles for digest in role.digests])
    except JournalProblem:
        return []  # its texts are then told as gone


def _told(
    why_not: str | None,
    *,
    explanation: Mapping[str, Any] | None = None,
    gone: list[str] | None = None,
    same_answer: bool | None = None,
) -> dict[str, Any]:
    told = {"not_judged_again": why_not, "policies_gone": gone or [], "same_answer": same_answer}
    return {**told, "explanation": explanation}
