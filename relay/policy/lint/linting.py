"""All checks of one policy, or of all policies of one identity."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from relay.policy.document import UnreadablePolicy, parse_document
from relay.policy.lint.actions import check_actions
from relay.policy.lint.addresses import check_addresses
from relay.policy.lint.catalog import CHAPTERS, RULES
from relay.policy.lint.conditions import check_conditions
from relay.policy.lint.contradictions import check_contradictions
from relay.policy.lint.elements import check_elements
from relay.policy.lint.findings import Finding, Remark, Severity
from relay.policy.lint.positions import Lines, Positions, Span
from relay.policy.lint.principals import check_principals
from relay.policy.lint.resources import check_resources, identity_named
from relay.policy.lint.shadows import check_shadows
from relay.policy.lint.strangers import check_strangers, denied_to_strangers
from relay.policy.lint.texts import check_name, check_size, json_fix
from relay.policy.lint.values import check_values
from relay.policy.lint.views import view_policy
from relay.policy.lint.wording import quoted
from relay.policy.strict_json import JsonProblem, decode
from relay.words.arns import IdentityArn

MOST_POLICIES: Final = 20
#: Characters; of a longer text nothing is said but that it is too long: it is sixteen times what SES takes.
_LONGEST: Final = 1 << 16

#: The rules that say in better words what makes the reader give a policy up.
_RESTATED: Final = {"unknown-operator", "unreadable-value"}.union(
    rule.code
    for chapter in ("Elements", "Principals", "Actions", "Resources")
    for rule in CHAPTERS[chapter]
    if rule.severity is Severity.ERROR
)
_WHERE: Final = re.compile(r", line [0-9]+ column [0-9]+\Z")
#: The reader tells of a variable at the first of several values.
_NUMBER: Final = re.compile(r"\[[0-9]+\]\Z")


def lint_policy(name: str, text: str, *, identity: IdentityArn | None, now: datetime) -> tuple[Finding, ...]:
    """
    What is wrong with, or worth knowing of, the policy *text*, in the order of the text. Never raises.

    *identity*: the identity that the policy is attached to; None takes it from the policy's own Resource. *now*:
    timezone-aware, for dates that have passed.
    """
    return lint_identity({name: text}, identity, now)


def lint_identity(policies: Mapping[str, str], identity: IdentityArn | None, now: datetime) -> tuple[Finding, ...]:
    """
    What is wrong with, or worth knowing of, all the policies of one identity, by name and text: each by itself, their
    number, and what they make of each other. In the order of the names, and of each text. Never raises.
    """
    read = [_Reading(name, text) for name, text in sorted(policies.items())]
    views = [reading.view for reading in read]
    shadows, denied = check_shadows(views), denied_to_strangers(views)
    found: list[Finding] = []
    for number, reading in enumerate(read):
        remarks = [*_count(number, len(read)), *reading.check(identity, now), *shadows.get(reading.name, ())]
        remarks += check_strangers(reading.view, denied)
        found += reading.findings(remarks)
    return tuple(found)


def identity_told_by(text: str) -> IdentityArn | None:
    """The identity that the policy *text* says it is of; None when it says none, or several. Never raises."""
    return identity_named(_Reading("", text).view)


def _count(number: int, policies: int) -> Iterator[Remark]:
    if number == MOST_POLICIES:
        message = f"The identity has {policies} policies; SES takes {MOST_POLICIES}."
        yield Remark("too-many-policies", "$", message)


class _Reading:
    """One policy, read as far as it can be."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text
        self._value: object = None
        self._problem: JsonProblem | None = None
        self._is_read = False
        if len(text) <= _LONGEST:
            try:
                self._value, self._is_read = decode(text), True
            except JsonProblem as error:
                self._problem = error
        self._positions = Positions(text if self._is_read else "")
        self.view = view_policy(name, self._value)

    def check(self, identity: IdentityArn | None, now: datetime) -> list[Remark]:
        """Everything that can be said of the policy by itself, but for what its JSON is wrong in."""
        remarks = [*check_name(self.name), *check_size(self._text)]
        if not self._is_read:
            return remarks
        view, known = self.view, identity or identity_named(self.view)
        if isinstance(self._value, Mapping):
            remarks += check_elements(view)
        remarks += check_principals(view, known)
        remarks += check_actions(view)
        remarks += check_resources(view, identity)
        remarks += check_conditions(view)
        remarks += check_values(view, now)
        remarks += check_addresses(view, known)
        remarks += check_contradictions(view)
        return [*remarks, *self._leftover(remarks)]

    def _leftover(self, remarks: Sequence[Remark]) -> Iterator[Remark]:
        """The problems of the reader that no remark tells in better words."""
        told = {path for path, _, _ in self._positions.repeated}
        for remark in remarks:
            if remark.code in _RESTATED:
                told |= {remark.path, _NUMBER.sub("[0]", remark.path)}
        parsed = parse_document(self.name, self._value)
        for problem in parsed.problems if isinstance(parsed, UnreadablePolicy) else ():
            if problem.path not in told:
                yield Remark("unreadable", problem.path, f"{problem.why[:1].upper()}{problem.why[1:]}.")

    def findings(self, remarks: Iterable[Remark]) -> list[Finding]:
        """The *remarks*, and what the JSON is wrong in, each in its place; in the order of the text."""
        placed = [(remark, self._positions.of(remark.path, on_key=remark.on_key)) for remark in remarks]
        placed += self._of_the_json()
        found = [_finding(self.name, remark, span) for remark, span in placed]
        return sorted(found, key=lambda finding: (finding.line, finding.column))

    def _of_the_json(self) -> Iterator[tuple[Remark, Span]]:
        if self._problem is not None:
            why, offset = _WHERE.sub("", str(self._problem)).removeprefix("not JSON: "), self._problem.offset or 0
            message = f"{why[:1].upper()}{why[1:]}."
            yield Remark("not-json", "$", message, json_fix(self._text, offset)), Lines(self._text).at(offset)
        for path, key, span in self._positions.repeated:
            yield Remark("duplicate-key", path, f"The key {quoted(key)} stands here a second time."), span


def _finding(policy: str, remark: Remark, span: Span) -> Finding:
    rule = RULES[remark.code]
    return Finding(
        remark.code,
        rule.severity,
        policy,
        remark.path,
        span.line,
        span.column,
        span.end_line,
        span.end_column,
        remark.message,
        remark.fix or rule.fix,
    )
