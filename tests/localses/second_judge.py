"""
A second judge over what the embedded SES judged: ministack's evaluator, asked the same of the same policies.

Where the two are known to differ is listed by name, with the reason: in :mod:`tests.policy.differences`, and here.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relay.policy.answers import Decision
from relay.policy.document import Policy, parse_policy
from tests.policy.differences import Kind, known_differences
from tests.policy.oracle import Case, entries, theirs, with_values_for_variables


@dataclass(frozen=True)
class Question:
    """One question to an identity's policies, in the form of ``/_local/judged``."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, Sequence[str]]
    policies: Mapping[str, str]
    unknown: frozenset[str] = frozenset()

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Question":
        """Read what ``/_local/judged`` tells."""
        return cls(
            told["principal"],
            told["action"],
            told["resource"],
            told["context"],
            told["policies"],
            frozenset(told["unknown"]),
        )

    @property
    def is_readable(self) -> bool:
        """Whether all policies can be read; one that was edited by hand need not be."""
        return all(isinstance(parse_policy(name, text), Policy) for name, text in self.policies.items())

    def cases(self) -> list[Case]:
        """One case for each policy."""
        documents = [json.loads(text) for text in self.policies.values()]
        listed = [(each.get("Version"), each["Statement"]) for each in documents]
        return [
            Case(
                statements if isinstance(statements, list) else [statements],
                self.context,
                self.principal,
                self.action,
                self.resource,
                version,
            )
            for version, statements in listed
        ]


@dataclass(frozen=True)
class Difference:
    """A difference that lies in how the two are asked: ``why``, and whether it may show in a case of a question."""

    name: str
    kind: Kind
    why: str
    may_show: Callable[[Question, Case], bool]


def _asks_for(case: Case, keys: Collection[str]) -> bool:
    return any(entry.key.lower() in keys for entry in entries(case))


A_KEY_NOBODY_KNOWS = Difference(
    "a key that the embedded SES does not know",
    Kind.DOUBT,
    "SES fills it in with what a laptop cannot know: to ours it may be anything, to theirs it is absent.",
    lambda question, case: _asks_for(case, question.unknown),
)
THE_ROLE_OF_A_SESSION = Difference(
    "aws:PrincipalArn of a session",
    Kind.READING,
    "it is the ARN of the role (IAM User Guide, global condition keys); ministack takes the session's.",
    lambda question, case: ":assumed-role/" in question.principal and _asks_for(case, {"aws:principalarn"}),
)
THE_ACCOUNT = Difference(
    "aws:PrincipalAccount",
    Kind.READING,
    "ministack takes it from an argument of its own, which nobody gives here.",
    lambda question, case: _asks_for(case, {"aws:principalaccount"}),
)
DIFFERENCES = (A_KEY_NOBODY_KNOWS, THE_ROLE_OF_A_SESSION, THE_ACCOUNT)


@dataclass(frozen=True)
class Answer:
    """What the second judge says, and which known differences to ours may show."""

    decision: Decision
    differences: frozenset[str]
    kinds: frozenset[Kind]

    def contradicts(self, ours: Decision) -> bool:
        """Whether *ours* is another answer for no known reason, or the laxer one where AWS leaves a doubt."""
        if not self.kinds:
            return ours is not self.decision
        if self.kinds == {Kind.DOUBT}:
            laxer = ours is Decision.ALLOW and self.decision is not Decision.ALLOW
            return laxer or (self.decision is Decision.EXPLICIT_DENY and ours is not Decision.EXPLICIT_DENY)
        return False


def second_answer(question: Question) -> Answer:
    """Ask ministack about each policy by itself; a Deny of one denies, an Allow of one allows."""
    if not question.is_readable:
        return Answer(Decision.UNDECIDED, frozenset({"a policy that cannot be read"}), frozenset({Kind.UNREADABLE}))
    decisions: set[Decision] = set()
    found: dict[str, Kind] = {}
    for case in question.cases():
        plain = with_values_for_variables(case)
        known = [each for each in known_differences(case) if each.name != "variables"]
        known += known_differences(plain, readable=True)
        found |= {each.name: each.kind for each in known}
        found |= {each.name: each.kind for each in DIFFERENCES if each.may_show(question, case)}
        decisions.add(theirs(plain))
    order = (Decision.EXPLICIT_DENY, Decision.ALLOW)
    decision = next((each for each in order if each in decisions), Decision.IMPLICIT_DENY)
    return Answer(decision, frozenset(found), frozenset(found.values()))


def contradictions(judged: Iterable[Mapping[str, Any]]) -> list[str]:
    """What of ``/_local/judged`` the second judge sees otherwise, a line each; empty where the two agree."""
    found = []
    for told in judged:
        answer, ours = second_answer(Question.read(told)), Decision(told["decision"])
        if answer.contradicts(ours):
            found.append(f"ours says {ours}, the second judge {answer.decision}: {json.dumps(told)}")
        is_own = told["principal"].split(":")[4] == told["resource"].split(":")[4]
        if told["allowed"] != (ours is Decision.ALLOW or (is_own and ours is not Decision.EXPLICIT_DENY)):
            found.append(f"{ours} became allowed={told['allowed']}: {json.dumps(told)}")
    return found
