"""
One case of ``explain --batch``: a line of JSON in, an answer out. A line that cannot be read is Undecided with its
problems; nothing ends the batch.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from relay.policy.answers import Decision, Evaluation, Mismatch, PolicyProblem, StatementRef, StatementTrace
from relay.policy.document import Policy, UnreadablePolicy, parse_document, parse_policy
from relay.policy.evaluation import evaluate
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request
from relay.policy.strict_json import JsonProblem, Number, Object, decode, flaws, is_text, scalar, step

#: What a case asks with; any other key beside the policies is its author's.
_ASKED: Final = ("id", "principal", "action", "resource", "context")

_LONGEST_NUMBER: Final = 300


class _CaseProblem(ValueError):
    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path


def answer(line: str) -> dict[str, Any]:
    """
    Judge the case on *line*: ``id``, ``policy`` or ``policies``, ``principal``, ``action``, ``resource``, ``context``.

    The context is complete: a key that is not there is absent. An operator without ForAllValues or ForAnyValue on a key
    with several values counts only as far as both of its readings agree. Never raises.
    """
    try:
        case = decode(line)
    except JsonProblem as error:
        return refusal(str(error))
    if not isinstance(case, Object):
        return refusal("a case is a JSON object")
    try:
        request, policies = _read_case(case)
    except _CaseProblem as error:
        return refusal(str(error), error.path, _id(case))
    return _told(_id(case), evaluate(request, policies, trace=True))


def _read_case(case: Object) -> tuple[Request, list[Policy | UnreadablePolicy]]:
    _refuse_repeated(case, "$")
    for name in _ASKED:
        for path, why in flaws(case.get(name), f"$.{name}"):
            raise _CaseProblem(path, why)
    if case.get("id") is not None and scalar(case["id"]) is None:
        raise _CaseProblem("$.id", "an id is a string or a number")
    principal, action, resource = (_text(case, name) for name in ("principal", "action", "resource"))
    context = Context(_read_context(case.get("context")), bare_on_many="either")
    return Request(parse_caller(principal), action, resource, context), _read_policies(
        case, needs_resource=_needs_resource(resource)
    )


def _refuse_repeated(value: Object, path: str) -> None:
    if value.repeated:
        raise _CaseProblem(step(path, value.repeated[0]), "stands here more than once")


def _text(case: Mapping[str, Any], name: str) -> str:
    value = case.get(name)
    if isinstance(value, str) and is_text(value):
        return value
    raise _CaseProblem(f"$.{name}", "a string is wanted" if name in case else "missing")


def _read_policies(case: Object, *, needs_resource: bool) -> list[Policy | UnreadablePolicy]:
    one, several = case.get("policy"), case.get("policies")
    if (one is None) is (several is None):
        raise _CaseProblem("$", "either policy or policies is wanted")
    if one is not None:
        return [_read_policy("policy", one, needs_resource=needs_resource)]
    if not isinstance(several, Object):
        raise _CaseProblem("$.policies", "an object of policies by name is wanted")
    _refuse_repeated(several, "$.policies")
    return [_read_policy(name, value, needs_resource=needs_resource) for name, value in several.items()]


def _read_policy(name: str, value: object, *, needs_resource: bool) -> Policy | UnreadablePolicy:
    if isinstance(value, str):
        return parse_policy(name, value, needs_resource=needs_resource)
    return parse_document(name, value, needs_resource=needs_resource)


def _needs_resource(resource: str) -> bool:
    """Whether the service of *resource* wants a Resource in every statement, as SES does."""
    return resource.split(":")[2:3] == ["ses"]


def _read_context(value: object) -> dict[str, tuple[str, ...]]:
    if value is None:
        return {}
    if not isinstance(value, Object):
        raise _CaseProblem("$.context", "an object of condition keys is wanted")
    known: dict[str, tuple[str, ...]] = {}
    for key, found in value.items():
        if found is None:
            continue
        path = step("$.context", key)
        texts = tuple(scalar(one) for one in (found if isinstance(found, list) else [found]))
        if None in texts:
            raise _CaseProblem(path, "strings, numbers and booleans are wanted")
        if key.lower() in known:
            raise _CaseProblem(path, "stands here in another case too")
        known[key.lower()] = tuple(text for text in texts if text is not None)
    return known


def _id(case: Mapping[str, Any]) -> str | float | None:
    """The case's id as it came; a number beyond all measure as its digits; None for what is no id."""
    found = case.get("id")
    if not isinstance(found, Number):
        return found if isinstance(found, str | bool) else None
    if len(found) > _LONGEST_NUMBER:
        return str(found)
    number = int(found) if found.lstrip("-").isdigit() else float(found)
    return number if isfinite(number) else str(found)


def refusal(why: str, path: str = "$", identifier: object = None) -> dict[str, Any]:
    """The answer to a case that cannot be read: Undecided, with the place and the reason."""
    problem = PolicyProblem("", path, why)
    return _told(identifier, Evaluation(Decision.UNDECIDED, problems=(problem,)))


def _told(identifier: object, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "id": identifier,
        "decision": evaluation.decision.value,
        "because": [_ref(ref) for ref in evaluation.because],
        "grant": evaluation.grant,
        "trace": [_trace(trace) for trace in evaluation.traces],
        "problems": [{"policy": p.policy, "path": p.path, "why": p.why} for p in evaluation.problems],
    }


def _ref(ref: StatementRef) -> dict[str, Any]:
    return {"policy": ref.policy, "sid": ref.sid, "index": ref.index}


def _trace(trace: StatementTrace) -> dict[str, Any]:
    return {
        **_ref(trace.statement),
        "effect": trace.effect,
        "applies": trace.applies.value,
        "mismatch": None if trace.mismatch is None else _mismatch(trace.mismatch),
        "unknown": list(trace.unknown),
        "grant": trace.grant,
    }


def _mismatch(mismatch: Mismatch) -> dict[str, Any]:
    return {
        "element": mismatch.element,
        "operator": mismatch.operator,
        "key": mismatch.key,
        "wanted": list(mismatch.wanted),
        "found": None if mismatch.found is None else list(mismatch.found),
    }
