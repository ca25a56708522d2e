"""
What a folder of policies would have changed: every message that was judged is judged again, and the answers compared.

Pure: records come in one by one, a report goes out.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from math import inf
from typing import Any, Final, TypeAlias

from relay.judgement.catalog import Catalog
from relay.judgement.message import Bulk, judge_early, judge_message
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Decision, Judgement
from relay.owner.catalogs import identities_in
from relay.owner.observed import SEVERITY, Answer, NotReplayable, Observed
from relay.owner.records import read_observed
from relay.owner.report import Affected, Group, Kind, Report, Spared
from relay.words.addresses import AddressProblem
from relay.words.apis import MOST_RECIPIENTS, apis_for
from relay.words.arns import parse_identity_arn
from relay.words.delegates import Delegate
from relay.words.values import dataclass

#: Answers that are remembered: of a week's mail most is alike.
_REMEMBERED: Final = 100_000
_TIME_KEYS: Final = frozenset({"aws:currenttime", "aws:epochtime"})

FindDelegate: TypeAlias = Callable[[str, str | None], Delegate | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """The new answer. ``by_account``: it rests on a grant to the delegate's whole account alone."""

    answer: Answer
    why: str = ""
    advice: tuple[str, ...] = ()
    by_account: bool = False


class Replay:
    """
    Judges recorded mail again by *catalog*.

    *find_delegate* returns the delegate of a name and its recorded principal, None for one that is not configured;
    without it the records tell who asked. Then a grant to a delegate's whole account is taken to count for mail that
    was allowed: the report says how much hangs on it.
    """

    def __init__(self, catalog: Catalog, rules: Rules, find_delegate: FindDelegate | None = None) -> None:
        self._catalog = catalog
        # What was read a moment ago is to decide at the times of the records.
        self._rules = replace(rules, max_stale=inf, sealed=frozenset())
        self._find_delegate = find_delegate
        self._asked = _keys_of(catalog)
        self._delegates: dict[tuple[Any, ...], Delegate | None] = {}
        self._known: dict[tuple[Any, ...], Judged] = {}
        self._groups: dict[Group, Affected] = {}
        self._messages: Counter[str] = Counter()
        self._skipped: Counter[NotReplayable] = Counter()
        self._by_account = 0
        self._spared = Spared()

    def take(self, record: Mapping[str, Any]) -> None:
        """
        Judge the message of one decision record again.

        Raises:
            HashedAddresses: Its addresses are hashed.
        """
        seen = read_observed(record)
        if isinstance(seen, NotReplayable):
            self._skipped[seen] += 1
            return
        if not self._can_see(seen):
            self._skipped[NotReplayable.SEALED] += 1
            return
        delegate = self._delegate_of(seen)
        if delegate is None:
            self._skipped[NotReplayable.DELEGATE] += 1
            return
        try:
            judged = self._judge(seen, delegate)
        except AddressProblem:
            self._skipped[NotReplayable.UNREADABLE] += 1
            return
        self._messages[seen.delegate] += 1
        self._compare(seen, judged)

    def report(self) -> Report:
        """Say what was found so far."""
        order = list(Kind)
        ranked = sorted(
            self._groups.items(),
            key=lambda item: (order.index(item[0].kind), -item[1].count, item[0].delegate, item[0].address),
        )
        return Report(dict(ranked), dict(self._messages), dict(self._skipped), self._by_account, self._spared)

    def _can_see(self, seen: Observed) -> bool:
        """Whether the owners that only SES could judge by then can be judged by now."""
        sealed = [role.identity for role in seen.roles if role.verdict == "sealed" and role.identity is not None]
        return all((arn.account, arn.region) in self._catalog.owners for arn in map(parse_identity_arn, sealed))

    def _delegate_of(self, seen: Observed) -> Delegate | None:
        origins = tuple(pair for pair in seen.named if pair[0].startswith("default_"))
        key = (seen.delegate, seen.principal, origins, seen.lacks_account_grant)
        if key not in self._delegates:
            find = self._find_delegate
            found = seen.recorded_delegate() if find is None else find(seen.delegate, seen.principal)
            self._delegates[key] = None if found is None else _by_policies_alone(found)
        return self._delegates[key]

    def _judge(self, seen: Observed, delegate: Delegate) -> Judged:
        key = self._key(seen)
        judged = self._known.get(key)
        if judged is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            judged = self._known[key] = self._judge_anew(seen, delegate)
        return judged

    def _key(self, seen: Observed) -> tuple[Any, ...]:
        """Everything of a message that these policies can tell apart."""
        asked = self._asked
        return (
            seen.delegate,
            seen.principal,
            seen.author,
            seen.feedback,
            seen.mail_from,
            seen.named,
            seen.lacks_account_grant,
            seen.display_name if "ses:fromdisplayname" in asked else None,
            _recipients(seen) if "ses:recipients" in asked else None,
            apis_for(seen.octets),
            None if asked.isdisjoint(_TIME_KEYS) else int(seen.time),
        )

    def _judge_anew(self, seen: Observed, delegate: Delegate) -> Judged:
        facts = seen.facts()
        if facts is None:
            early = judge_early(seen.mail_from, delegate, self._catalog, self._rules, seen.time)
            return Judged(Answer("heard", "none")) if early is None else judged_of(early)
        envelope, bulk = seen.envelope(), Bulk(seen.octets)
        return judged_of(judge_message(facts, envelope, delegate, self._catalog, self._rules, seen.time, bulk=bulk))

    def _compare(self, seen: Observed, judged: Judged) -> None:
        before, after = seen.answer, judged.answer
        doubtful = judged.by_account and self._find_delegate is None
        if doubtful and before.is_allowed:
            self._by_account += 1
        if seen.spared:
            self._spared.add(is_allowed=after.is_allowed)
        kind = kind_of_change(before, after, doubtful=doubtful)
        if kind is None:
            return
        address = str(seen.author or seen.mail_from)
        is_same = kind is Kind.STATEMENT
        group = Group(kind, seen.delegate, address, _tell(before, is_same=is_same), _tell(after, is_same=is_same))
        why = judged.why or "it would not be refused at MAIL; what the message says is not recorded"
        if kind is Kind.MAY_GAIN and doubtful:
            why = f"{judged.why}, if a grant to the whole account of {seen.delegate} counts"
        self._groups.setdefault(group, Affected(why, judged.advice)).add(seen)


def _recipients(seen: Observed) -> Collection[str]:
    """Their order matters only where it divides them."""
    return frozenset(seen.recipients) if len(seen.recipients) <= MOST_RECIPIENTS else seen.recipients


def _by_policies_alone(delegate: Delegate) -> Delegate:
    """Its mail's MAIL FROM was replaced when it was judged first; and what is only observed is told, too."""
    return replace(delegate, return_path="envelope", mode="enforce")


def kind_of_change(before: Answer, after: Answer, *, doubtful: bool = False) -> Kind | None:
    """
    Compare two answers to one message; None when they are the same.

    *doubtful*: the new one rests on a grant of which it is not known whether it counts.
    """
    if before.is_allowed and not after.is_allowed:
        return Kind.LOSES
    if after.is_allowed and not before.is_allowed:
        return Kind.MAY_GAIN if doubtful else Kind.GAINS
    if after.verdict == "heard":
        return Kind.MAY_GAIN
    if before.reason != after.reason:
        return Kind.REASON
    return None if before.deciding == after.deciding or before.verdict == "sealed" else Kind.STATEMENT


def judged_of(judgement: Judgement) -> Judged:
    """Read the answer off a judgement, as :class:`Answer` reads it off a record."""
    decisions = judgement.decisions
    verdict = min((decision.verdict.value for decision in decisions), key=SEVERITY.index, default="refused")
    worst = [decision for decision in decisions if decision.verdict == verdict]
    deciding = frozenset(ref for decision in worst for ref in deciding_of(decision))
    if verdict == "allowed" and judgement.permit is None:
        verdict = "refused"
    why = worst[0].why if worst and verdict != "refused" else str(judgement.reply or "")
    advice = worst[0].advice if worst else ()
    by_account = verdict == "allowed" and any(
        evaluation.grant == "account" for decision in decisions for _, _, evaluation in decision.evaluations
    )
    return Judged(Answer(verdict, _reason(judgement, verdict), deciding), why, advice, by_account)


def _reason(judgement: Judgement, verdict: str) -> str:
    """The reason of the first that is as bad as any: that of a message which is only observed is ``none``."""
    worst = next((decision for decision in judgement.decisions if decision.verdict.value == verdict), None)
    return (judgement.reason if worst is None or judgement.permit is None else worst.reason).value


def deciding_of(decision: Decision) -> list[str]:
    """Name the statements that decided, as the decision record does."""
    return [str(ref) for _, _, evaluation in decision.evaluations[:1] for ref in evaluation.because]


def _tell(answer: Answer, *, is_same: bool) -> str:
    if is_same:
        return ", ".join(sorted(answer.deciding)) or answer.verdict
    if answer.is_allowed or answer.verdict == "heard":
        return answer.verdict
    return answer.reason


def _keys_of(catalog: Catalog) -> frozenset[str]:
    policies = [policy for identity in identities_in(catalog) for policy in identity.policies]
    return frozenset[str]().union(*(getattr(policy, "keys", frozenset()) for policy in policies))
