"""Statements that another one makes idle: Allows under a Deny that covers them, and repetitions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from relay.policy.lint.actions import actions_named
from relay.policy.lint.coverage import are_apart, atoms_of, covers, is_everything
from relay.policy.lint.findings import Remark
from relay.policy.lint.keys import find_key
from relay.policy.lint.values import MOST_VALUES
from relay.policy.lint.views import Entry, PolicyView, Spelled, StatementView
from relay.policy.lint.wording import quoted
from relay.policy.principals import PrincipalArn, read_principal_arn
from relay.words.values import dataclass

#: Each statement is compared with each other one; 20 policies of 4 KB hold hardly more.
_MOST_STATEMENTS: Final = 400


@dataclass(frozen=True, slots=True)
class _Placed:
    """A statement and the policy it stands in."""

    policy: str
    statement: StatementView
    actions: frozenset[str]

    def named_for(self, policy: str) -> str:
        """How to speak of it in a remark on *policy*."""
        sid = self.statement.value.get("Sid")
        name = quoted(sid) if isinstance(sid, str) and sid else f"number {self.statement.index + 1}"
        return f"statement {name}" if self.policy == policy else f"statement {name} of the policy {quoted(self.policy)}"


def check_shadows(views: Sequence[PolicyView]) -> Mapping[str, list[Remark]]:
    """What the statements of all policies of one identity make of each other, by the name of the policy."""
    placed = [(view.name, statement) for view in views for statement in view.statements][:_MOST_STATEMENTS]
    whole = [_Placed(name, one, actions_named(one)) for name, one in placed if _is_whole(one)]
    found: dict[str, list[Remark]] = {}
    for number, one in enumerate(whole):
        for remark in _idle(number, one, whole):
            found.setdefault(one.policy, []).append(remark)
    return found


def _idle(number: int, one: _Placed, whole: Sequence[_Placed]) -> Iterator[Remark]:
    statement = one.statement
    for other in whole if statement.effect == "Allow" else ():
        if other.statement.effect == "Deny" and _covers(other, one):
            message = f"The Deny of {other.named_for(one.policy)} covers everything that this allows."
            yield Remark("shadowed-by-deny", statement.path, message)
            return
    for place, other in enumerate(whole):
        if place == number or other.statement.effect != statement.effect or not _covers(other, one):
            continue
        if place < number or not _covers(one, other):
            verb = "allows" if statement.effect == "Allow" else "denies"
            message = f"What this {verb}, {other.named_for(one.policy)} {verb} already."
            yield Remark("redundant-statement", statement.path, message)
            return


def _is_whole(statement: StatementView) -> bool:
    """Whether it says of whom, what and where it is about, in a way that can be compared."""
    elements = (statement.principal, statement.action, statement.resource)
    if statement.effect is None or elements != ("Principal", "Action", "Resource"):
        return False
    named = statement.principals and statement.actions and statement.resources
    readable = all(entry.operator is not None and entry.values for entry in statement.entries)
    condition = statement.value.get("Condition", {})
    return bool(named) and readable and (bool(statement.entries) or condition == {})


def _covers(wide: _Placed, narrow: _Placed) -> bool:
    """Whether the statement *wide* surely applies to every request that *narrow* applies to."""
    general, special = wide.statement, narrow.statement
    return (
        bool(narrow.actions)
        and narrow.actions <= wide.actions
        and all(any(_names(some, one, general.effect) for some in general.principals) for one in special.principals)
        and {resource.text for resource in special.resources} <= {resource.text for resource in general.resources}
        and all(_is_implied(entry, special) for entry in general.entries)
    )


def _names(wide: Spelled, narrow: Spelled, effect: str | None) -> bool:
    """
    Whether *wide* names everybody whom *narrow* names.

    An Allow for a whole account is less than one for a user of it: the first only lets its administrators allow.
    """
    if (wide.text, wide.kind) in ((narrow.text, narrow.kind), ("*", "AWS")):
        return True
    if (wide.kind, narrow.kind) != ("AWS", "AWS"):
        return False
    arn, named = _principal(wide.text), _principal(narrow.text)
    if arn is None or named is None or arn.account != named.account:
        return False
    if arn.is_root:
        is_enough = effect == "Deny" or named.is_root
        return is_enough and (named.partition == "" or arn.partition in ("", named.partition))
    return arn.role_name is not None and not arn.is_session and named.is_session and arn.role == named.role


def _principal(text: str) -> PrincipalArn | None:
    """A principal of type AWS; the partition of a bare account is empty: it is that account wherever it is."""
    if text.isdecimal():
        return PrincipalArn(text, "", text, is_root=True)
    return read_principal_arn(text)


# --- conditions -------------------------------------------------------------------------------------------------------


def _is_implied(wanted: Entry, statement: StatementView) -> bool:
    """Whether *wanted* holds whenever the conditions of *statement* do."""
    key = find_key(wanted.spelled_key)
    always_there = key is not None and key.is_always_there
    there = always_there or any(_wants_presence(entry) for entry in statement.of_key(wanted.key))
    if wanted.is_null:
        return (wanted.wants("false") and there) or (
            wanted.wants("true") and any(entry.wants("true") for entry in statement.of_key(wanted.key))
        )
    if len(wanted.values) > MOST_VALUES:
        return False
    if there and _accepts_anything(wanted):
        return True
    return any(_implies(given, wanted, there=there) for given in statement.of_key(wanted.key))


def _wants_presence(entry: Entry) -> bool:
    return entry.wants("false") or (not entry.is_null and entry.operator is not None and not entry.holds_when_absent)


def _accepts_anything(entry: Entry) -> bool:
    if entry.operator is None or entry.operator.negated:
        return False
    return any(is_everything(atom) for atom in atoms_of(entry))


def _implies(given: Entry, wanted: Entry, *, there: bool) -> bool:
    """Whether *wanted* holds whenever *given* does. *there*: the key is surely there."""
    if not _are_alike(given, wanted) or (given.holds_when_absent and not there and not wanted.holds_when_absent):
        return False
    mine, theirs = atoms_of(given), atoms_of(wanted)
    if not mine or not theirs:
        return False
    match _is_negated(given), _is_negated(wanted):
        case False, False:
            return all(any(covers(wide, narrow) for wide in theirs) for narrow in mine)
        case True, True:
            return all(any(covers(excluded, one) for excluded in mine) for one in theirs)
        case False, True:
            return all(are_apart(one, other) for one in mine for other in theirs)
    return False


def _are_alike(given: Entry, wanted: Entry) -> bool:
    """Whether they ask for the same of the values: any, all, or the one there is."""
    if given.operator is None or wanted.operator is None or len(given.values) > MOST_VALUES:
        return False
    return given.operator.quantifier == wanted.operator.quantifier


def _is_negated(entry: Entry) -> bool:
    return entry.operator is not None and entry.operator.negated
