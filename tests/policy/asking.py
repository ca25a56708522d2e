"""Short ways to write policies and to ask them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relay.policy.answers import Decision, Evaluation
from relay.policy.document import Policy, UnreadablePolicy, parse_document
from relay.policy.evaluation import evaluate
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request

CASES = Path(__file__).parent.parent / "cases"
ALICE = "arn:aws:iam::123456789012:user/alice"
IDENTITY = "arn:aws:ses:us-east-1:888888888888:identity/example.com"


def load(name: str) -> list[dict[str, Any]]:
    """The cases of a JSON-lines file of tests/cases."""
    return [json.loads(line) for line in (CASES / name).read_text("utf-8").splitlines()]


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A statement about everyone and everything, but for *elements*."""
    made: dict[str, Any] = {"Effect": effect, "Principal": "*", "Action": "*", "Resource": "*"}
    for name in ("Principal", "Action", "Resource"):
        if f"Not{name}" in elements:
            del made[name]
    return made | elements


def policy(*statements: Mapping[str, Any], version: str | None = "2012-10-17") -> Policy | UnreadablePolicy:
    """A policy of *statements*."""
    head = {} if version is None else {"Version": version}
    return parse_document("p", {**head, "Statement": list(statements)})


def readable(*statements: Mapping[str, Any], version: str | None = "2012-10-17") -> Policy:
    """A policy that must be readable."""
    made = policy(*statements, version=version)
    assert isinstance(made, Policy), made
    return made


def request(
    context: Mapping[str, str | Sequence[str]] | None = None,
    *,
    caller: str = ALICE,
    action: str = "ses:SendRawEmail",
    resource: str = IDENTITY,
    **more: Any,
) -> Request:
    """A request whose context is *context*, a single string standing for one value; *more* goes to Context."""
    known = {k.lower(): (v,) if isinstance(v, str) else tuple(v) for k, v in (context or {}).items()}
    return Request(parse_caller(caller), action, resource, Context(known, **more))


def ask(asked: Request, *statements: Mapping[str, Any], version: str | None = "2012-10-17") -> Evaluation:
    """What a policy of *statements* answers."""
    return evaluate(asked, [policy(*statements, version=version)], trace=True)


def decision(asked: Request, *statements: Mapping[str, Any], version: str | None = "2012-10-17") -> Decision:
    """Only the decision of it."""
    return ask(asked, *statements, version=version).decision


def both_ways(asked: Request, version: str | None = "2012-10-17", **elements: Any) -> tuple[bool, bool]:
    """Whether a lone Allow of *elements* allows, and whether a lone Deny of them denies."""
    allowed = decision(asked, statement(**elements), version=version) is Decision.ALLOW
    denied = decision(asked, statement("Deny", **elements), version=version) is Decision.EXPLICIT_DENY
    return allowed, denied


#: Surely applies; surely does not; and in between: too little for an Allow, enough for a Deny.
YES, NO, FAILS_CLOSED = (True, True), (False, False), (False, True)


def condition(
    operator: str,
    values: Any,
    found: str | Sequence[str] | None,
    version: str | None = "2012-10-17",
    **more: str,
) -> tuple[bool, bool]:
    """:func:`both_ways` of one condition on the key ``aws:k``; *found* None = absent; *more*: other keys."""
    context: dict[str, str | Sequence[str]] = {key.replace("_", ":"): value for key, value in more.items()}
    if found is not None:
        context["aws:k"] = found
    return both_ways(request(context, bare_on_many="either"), version, Condition={operator: {"aws:k": values}})
