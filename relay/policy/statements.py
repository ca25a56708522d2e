"""
Statements, and how they are read: every element by name, type and form, all problems at once (IAM User Guide, "Grammar
of the IAM JSON policy language").
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from relay.policy.actions import Actions, compile_actions, is_action
from relay.policy.answers import StatementRef
from relay.policy.condition_block import read_conditions
from relay.policy.conditions import Condition
from relay.policy.notes import Notes
from relay.policy.principal_block import read_principals
from relay.policy.principals import Principals
from relay.policy.resources import Resources, compile_resources
from relay.policy.strict_json import flaws, is_text, step, texts
from relay.policy.variables import VariableProblem
from relay.words.values import dataclass

_DOCUMENT: Final = ("Version", "Id", "Statement")
_STATEMENT: Final = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
_VARIABLES_SINCE: Final = "2012-10-17"
_VERSIONS: Final = ("2008-10-17", _VARIABLES_SINCE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, compiled. It applies when principals, actions, resources and all conditions do."""

    ref: StatementRef
    effect: Literal["Allow", "Deny"]
    principals: Principals
    actions: Actions
    resources: Resources
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """One statement being read: its value, where it stands, and what its policy says of variables."""

    value: Mapping[str, Any]
    path: str
    live: bool
    needs_resource: bool
    notes: Notes

    def one_of(self, element: str) -> tuple[str, Any, str] | None:
        """Whichever of *element* and its Not- form is there: its name, value and path. Exactly one must be."""
        there = [name for name in (element, f"Not{element}") if name in self.value]
        if len(there) == 1:
            return there[0], self.value[there[0]], step(self.path, there[0])
        self.notes.problem(self.path, f"{element} and Not{element} exclude each other" if there else f"no {element}")
        return None


def read_statements(value: object, notes: Notes, *, needs_resource: bool) -> tuple[Statement, ...]:
    """
    The statements of the document *value*; those that cannot be read are missing and among the problems.

    *needs_resource*: its service wants a Resource; else, without one, a statement is about the resource that its policy
    is attached to (IAM User Guide, "Policies and permissions", "JSON policy document structure").
    """
    for path, why in flaws(value, "$"):
        notes.problem(path, why)
    if not isinstance(value, Mapping):
        notes.problem("$", "a policy is a JSON object")
        return ()
    _refuse_unknown(value, _DOCUMENT, "$", notes)
    if not is_text(value.get("Id", "")):
        notes.problem("$.Id", "Id is a string")
    live = _reads_variables(value, notes)
    places = [_Place(one, path, live, needs_resource, notes) for path, one in _listed(value, notes)]
    read = [_read_statement(place, index) for index, place in enumerate(places)]
    return tuple(statement for statement in read if statement is not None)


def _refuse_unknown(value: Mapping[str, Any], known: tuple[str, ...], path: str, notes: Notes) -> None:
    for key in value:
        if key not in known:
            notes.problem(step(path, str(key)), f"unknown; the elements here are {', '.join(known)}")


def _reads_variables(value: Mapping[str, Any], notes: Notes) -> bool:
    version = value.get("Version", _VERSIONS[0])
    if version not in _VERSIONS:
        notes.problem("$.Version", f"Version is {' or '.join(_VERSIONS)}")
    return bool(version == _VARIABLES_SINCE)


def _listed(value: Mapping[str, Any], notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "Statement" not in value:
        notes.problem("$", "no Statement")
        return
    found = value["Statement"]
    if isinstance(found, Mapping):
        yield "$.Statement", found
    elif not isinstance(found, list | tuple) or not found:
        notes.problem("$.Statement", "Statement is an object, or a list of at least one")
    else:
        for index, one in enumerate(found):
            path = f"$.Statement[{index}]"
            if isinstance(one, Mapping):
                yield path, one
            else:
                notes.problem(path, "a statement is an object")


def _read_statement(place: _Place, index: int) -> Statement | None:
    _refuse_unknown(place.value, _STATEMENT, place.path, place.notes)
    sid = _read_sid(place)
    effect = place.value.get("Effect")
    if effect not in ("Allow", "Deny"):
        place.notes.problem(step(place.path, "Effect"), "Effect is Allow or Deny, spelt so")
    principals = _read_principals(place, effect)
    actions = _read_actions(place)
    resources = _read_resources(place)
    conditions = read_conditions(
        place.value.get("Condition", {}),
        step(place.path, "Condition"),
        live=place.live,
        allows=effect == "Allow",
        notes=place.notes,
    )
    if effect not in ("Allow", "Deny") or principals is None or actions is None or resources is None:
        return None
    return Statement(StatementRef(place.notes.policy, sid, index), effect, principals, actions, resources, conditions)


def _read_sid(place: _Place) -> str | None:
    if "Sid" not in place.value:
        return None
    sid = place.value["Sid"]
    if not is_text(sid):
        place.notes.problem(step(place.path, "Sid"), "Sid is a string")
    return str(sid)


def _read_principals(place: _Place, effect: object) -> Principals | None:
    there = place.one_of("Principal")
    if there is None:
        return None
    name, value, path = there
    if name == "NotPrincipal" and effect == "Allow":
        place.notes.problem(path, "NotPrincipal with Allow would grant everyone else, and AWS does not support it")
    return read_principals(value, path, negated=name == "NotPrincipal", notes=place.notes)


def _checked(place: _Place, there: tuple[str, Any, str], is_good: Callable[[str], bool], why: str) -> list[str] | None:
    """The strings of an element, or None after noting what is wrong with them."""
    name, value, path = there
    found = texts(value, path)
    if found is None:
        place.notes.problem(path, f"{name} is a string, or a list of at least one")
        return None
    bad = [(where, text) for where, text in found if not is_text(text) or not is_good(text)]
    for where, text in bad:
        place.notes.problem(where, f"{text!r} {why}" if is_text(text) else "a string is wanted")
    return None if bad else [text for _, text in found]


def _read_actions(place: _Place) -> Actions | None:
    there = place.one_of("Action")
    if there is None:
        return None
    spelled = _checked(place, there, is_action, "is no action: * or service:Name, with wildcards in the name")
    return None if spelled is None else compile_actions(spelled, negated=there[0] == "NotAction")


def _read_resources(place: _Place) -> Resources | None:
    if not place.needs_resource and not {"Resource", "NotResource"} & place.value.keys():
        return compile_resources(["*"], negated=False, live=False)
    there = place.one_of("Resource")
    if there is None:
        return None
    spelled = _checked(place, there, lambda text: text == "*" or text.startswith("arn:"), "is neither * nor an ARN")
    if spelled is None:
        return None
    try:
        return compile_resources(spelled, negated=there[0] == "NotResource", live=place.live)
    except VariableProblem as error:
        place.notes.problem(there[2], str(error))
        return None
