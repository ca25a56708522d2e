"""
A policy as lint sees it: every element with its path, as much as can be read, whatever else is wrong with it.

Evaluation must not judge half a policy; a person wants to hear of everything that is wrong at once.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relay.policy.operators import Operator, read_operator
from relay.policy.strict_json import is_text, scalar, step, texts
from relay.words.values import dataclass

VARIABLES_SINCE: Final = "2012-10-17"


@dataclass(frozen=True, slots=True)
class Spelled:
    """A value as it is spelt, and where: ``$.Statement[0].Action[1]``. ``kind`` is AWS, Service, ... of a principal."""

    path: str
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One key of a Condition under one operator.

    ``operator`` is None for one that does not exist; ``key`` is lower-cased; ``live``: the values may hold variables.
    """

    path: str
    operator_path: str
    spelled_operator: str
    operator: Operator | None
    spelled_key: str
    key: str
    values: tuple[Spelled, ...]
    live: bool

    @property
    def is_null(self) -> bool:
        """Whether it asks only for the key's presence."""
        return self.operator is not None and self.operator.family is None

    def wants(self, presence: str) -> bool:
        """Whether it is a Null of nothing but *presence*: ``true`` for absent, ``false`` for present."""
        return self.is_null and {value.text for value in self.values} == {presence}

    @property
    def allows_for_absence(self) -> bool:
        """Whether it says itself what is to be when the key is not there."""
        return self.wants("true") or (self.operator is not None and self.operator.if_exists)

    @property
    def holds_when_absent(self) -> bool:
        """Whether a comparison holds without its key, as :class:`~relay.policy.conditions.Comparison` has it."""
        operator = self.operator
        if operator is None or operator.family is None:
            return False
        if operator.quantifier is not None:
            return operator.quantifier == "all"
        return operator.if_exists or operator.negated


@dataclass(frozen=True, slots=True)
class StatementView:
    """
    One statement. ``effect`` is None when it is neither Allow nor Deny; the elements are the names that are there
    (``Principal``, ``NotPrincipal``), None when neither or both are.
    """

    path: str
    index: int
    value: Mapping[str, Any]
    effect: str | None
    principal: str | None
    principals: tuple[Spelled, ...]
    action: str | None
    actions: tuple[Spelled, ...]
    resource: str | None
    resources: tuple[Spelled, ...]
    entries: tuple[Entry, ...]

    def of_key(self, key: str) -> list[Entry]:
        """The entries of *key*, lower-cased."""
        return [entry for entry in self.entries if entry.key == key]

    def place(self, element: str) -> str:
        """The path of *element*."""
        return step(self.path, element)


@dataclass(frozen=True, slots=True)
class PolicyView:
    """One policy. ``live``: its Version gives it variables."""

    name: str
    value: Mapping[str, Any]
    live: bool
    statements: tuple[StatementView, ...]


def view_policy(name: str, value: object) -> PolicyView:
    """See the JSON *value* as a policy. Never fails: what has not the form of a policy is not there."""
    document = value if isinstance(value, Mapping) else {}
    live = document.get("Version") == VARIABLES_SINCE
    places = enumerate(_listed(document.get("Statement")))
    statements = [_statement(one, path, n, live=live) for n, (path, one) in places if isinstance(one, Mapping)]
    return PolicyView(name, document, live, tuple(statements))


def _listed(found: object) -> Iterator[tuple[str, object]]:
    if isinstance(found, list):
        yield from ((f"$.Statement[{n}]", one) for n, one in enumerate(found))
    else:
        yield "$.Statement", found


def _statement(value: Mapping[str, Any], path: str, index: int, *, live: bool) -> StatementView:
    effect = value.get("Effect")
    principal, action, resource = (_which(value, element) for element in ("Principal", "Action", "Resource"))
    return StatementView(
        path,
        index,
        value,
        effect if effect in ("Allow", "Deny") else None,
        principal,
        tuple(_principals(value[principal], step(path, principal))) if principal else (),
        action,
        tuple(_spelled(value[action], step(path, action))) if action else (),
        resource,
        tuple(_spelled(value[resource], step(path, resource))) if resource else (),
        tuple(_entries(value.get("Condition"), step(path, "Condition"), live=live)),
    )


def _which(value: Mapping[str, Any], element: str) -> str | None:
    there = [name for name in (element, f"Not{element}") if name in value]
    return there[0] if len(there) == 1 else None


def _spelled(value: object, path: str, kind: str = "") -> Iterator[Spelled]:
    for where, one in texts(value, path) or ():
        if is_text(one):
            yield Spelled(where, str(one), kind)


def _principals(value: object, path: str) -> Iterator[Spelled]:
    if value == "*":
        yield Spelled(path, "*", "AWS")
    elif isinstance(value, Mapping):
        for kind, named in value.items():
            yield from _spelled(named, step(path, kind), kind)


def _entries(value: object, path: str, *, live: bool) -> Iterator[Entry]:
    if not isinstance(value, Mapping):
        return
    for name, block in value.items():
        operator_path, operator = step(path, name), read_operator(name)
        for key, held in block.items() if isinstance(block, Mapping) else ():
            where = step(operator_path, key)
            values = [(place, scalar(one)) for place, one in texts(held, where) or ()]
            known = tuple(Spelled(place, text) for place, text in values if text is not None)
            yield Entry(where, operator_path, name, operator, key, key.lower(), known, live)
