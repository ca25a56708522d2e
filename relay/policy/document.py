"""A sending authorization policy, read strictly: what cannot be judged cannot be held by these types."""

import hashlib
from dataclasses import field
from typing import Final

from relay.policy.answers import PolicyProblem
from relay.policy.conditions import Comparison
from relay.policy.notes import Notes
from relay.policy.statements import Statement, read_statements
from relay.policy.strict_json import JsonProblem, decode
from relay.words.values import dataclass

#: No policy of any service is as long by far (characters).
LONGEST_TEXT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Policy:
    """
    A policy that was read whole.

    ``digest``: SHA-256 of its text, hex; empty when it was never text. ``keys``: every condition key and variable it
    asks for, lower-cased; ``bare_keys``: those it compares by an operator without ForAllValues or ForAnyValue. What is
    in neither cannot matter to it. ``doubts``: places that AWS does not define, judged so that they allow nothing.
    """

    name: str
    digest: str
    statements: tuple[Statement, ...] = field(default=())
    keys: frozenset[str] = frozenset()
    bare_keys: frozenset[str] = frozenset()
    doubts: tuple[PolicyProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadablePolicy:
    """A policy of which some part cannot be judged; whoever asks it gets UNDECIDED, unless another policy denies."""

    name: str
    digest: str
    problems: tuple[PolicyProblem, ...]


def parse_policy(name: str, text: str, *, needs_resource: bool = True) -> Policy | UnreadablePolicy:
    """
    Read a policy document (IAM User Guide, "Grammar of the IAM JSON policy language"). Never raises: all that is wrong
    with it is in the problems, each with its JSON path.

    The language is that of any service's resource policies; the narrower rules of SES are lint's affair. Its wish for a
    Resource is not: *needs_resource* is False for services whose policies go without, as role trust policies do.
    """
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    if len(text) > LONGEST_TEXT:
        return _unreadable(name, digest, f"longer than {LONGEST_TEXT} characters")
    try:
        value = decode(text)
    except JsonProblem as error:
        return _unreadable(name, digest, str(error))
    return parse_document(name, value, digest=digest, needs_resource=needs_resource)


def _unreadable(name: str, digest: str, why: str) -> UnreadablePolicy:
    return UnreadablePolicy(name, digest, (PolicyProblem(name, "$", why),))


def parse_document(
    name: str, value: object, *, digest: str = "", needs_resource: bool = True
) -> Policy | UnreadablePolicy:
    """Read a policy that is already a JSON value, as :func:`parse_policy` reads text. Never raises."""
    notes = Notes(name)
    statements = read_statements(value, notes, needs_resource=needs_resource)
    if notes.problems:
        return UnreadablePolicy(name, digest, tuple(notes.problems))
    conditions = [condition for statement in statements for condition in statement.conditions]
    asked = [condition.variables | {condition.key} for condition in conditions]
    asked += [statement.resources.variables for statement in statements]
    bare = frozenset(c.key for c in conditions if isinstance(c, Comparison) and c.quantifier is None)
    return Policy(name, digest, statements, frozenset().union(*asked), bare, tuple(notes.doubts))


__all__ = ["LONGEST_TEXT", "Policy", "Statement", "UnreadablePolicy", "parse_document", "parse_policy"]
