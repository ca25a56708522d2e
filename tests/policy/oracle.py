"""A second judge, written by others: ministack's evaluator, and how it is asked so that both hear the same."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

from relay.policy.answers import Decision
from relay.policy.document import parse_document
from relay.policy.evaluation import evaluate
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request

IDENTITY = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
ALICE = "arn:aws:iam::123456789012:user/alice"

_DECISIONS = {"Allow": Decision.ALLOW, "Deny": Decision.EXPLICIT_DENY, "ImplicitDeny": Decision.IMPLICIT_DENY}
_ACCOUNT = re.compile(r"[0-9]{12}")
_SERVICE = re.compile(r"[a-z-]+\.amazonaws\.com")
_VARIABLE = re.compile(r"\$\{(?:([*?$])|([A-Za-z:/]+)(?:, ?'([^']*)')?)\}")
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?", re.IGNORECASE)
#: The operators whose values may hold variables.
_WITH_VARIABLES = ("string", "arn")
#: An ARN that no request is about.
_NOTHING = "arn:aws:nothing:::nothing"


@dataclass(frozen=True)
class Case:
    """One policy and one request; ``context`` is complete, its keys spelled as SES spells them."""

    statements: Sequence[Mapping[str, Any]]
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)
    principal: str = ALICE
    action: str = "ses:SendRawEmail"
    resource: str = IDENTITY
    version: str | None = "2012-10-17"

    @property
    def document(self) -> dict[str, Any]:
        """The policy as JSON."""
        return {**({"Version": self.version} if self.version else {}), "Statement": list(self.statements)}

    @property
    def has_variables(self) -> bool:
        """Whether ``${`` means anything (IAM User Guide, "IAM JSON policy elements: Version")."""
        return self.version == "2012-10-17"

    def found(self, key: str) -> Sequence[str] | None:
        """What the request holds for *key*, whatever its case; None = absent."""
        return next((found for name, found in self.context.items() if name.lower() == key.lower()), None)


@dataclass(frozen=True)
class Entry:
    """One entry of a Condition beside what the request holds for its key. ``operator`` is bare and lower-cased."""

    effect: str
    quantifier: str
    operator: str
    if_exists: bool
    key: str
    wanted: Sequence[str]
    found: Sequence[str] | None

    @property
    def texts(self) -> list[str]:
        """Both sides."""
        return [*self.wanted, *(self.found or ())]


def entries(case: Case) -> Iterator[Entry]:
    """All entries of all Conditions."""
    for statement in case.statements:
        for spelled, block in statement.get("Condition", {}).items():
            read = _OPERATOR.fullmatch(spelled)
            assert read is not None, spelled
            for key, wanted in block.items():
                listed = [wanted] if isinstance(wanted, str) else list(wanted)
                quantifier, operator = (read[1] or "").lower(), read[2].lower()
                yield Entry(statement["Effect"], quantifier, operator, bool(read[3]), key, listed, case.found(key))


def values(case: Case, *names: str) -> list[str]:
    """The values of these elements of all statements."""
    found: list[str] = []
    for statement in case.statements:
        for name in names:
            value = statement.get(name, [])
            found += [value] if isinstance(value, str) else value
    return found


def people(case: Case, kind: str = "AWS") -> list[str]:
    """The principals of one kind, of all statements."""
    found: list[str] = []
    for statement in case.statements:
        principal = statement.get("Principal", {})
        if isinstance(principal, Mapping) and kind in principal:
            found += [principal[kind]] if isinstance(principal[kind], str) else principal[kind]
    return found


def ours(case: Case) -> Decision:
    """What relay.policy answers."""
    known = {key.lower(): tuple(found) for key, found in case.context.items()}
    context = Context(known, bare_on_many="either")
    request = Request(parse_caller(case.principal), case.action, case.resource, context)
    return evaluate(request, [parse_document("p", case.document)]).decision


def theirs(case: Case) -> Decision:
    """
    What ministack answers to the same.

    It has no callers that are accounts, so somebody of the account asks as its root; one value is a string to it,
    several are a list.
    """
    caller = f"arn:aws:iam::{case.principal}:root" if _ACCOUNT.fullmatch(case.principal) else case.principal
    known = {key.lower(): found[0] if len(found) == 1 else list(found) for key, found in case.context.items()}
    context = EvalContext(
        principal_arn=caller,
        principal_type="User",
        principal_account="",
        action=case.action,
        resource_arn=case.resource,
        region="us-east-1",
        source_ip=known.pop("aws:sourceip", None),
        secure_transport=True,
        service_context=known,
    )
    service = caller if _SERVICE.fullmatch(caller) else None
    return _DECISIONS[evaluate_resource_policy(json.loads(json.dumps(case.document)), context, service).decision]


def with_values_for_variables(case: Case) -> Case:
    """
    The case without variables, which ministack does not know: each replaced as the IAM User Guide says ("IAM policy
    elements: Variables and tags"). One that no plain text can stand for stays.
    """
    return replace(case, statements=[_replaced(statement, case) for statement in case.statements])


def _replaced(statement: Mapping[str, Any], case: Case) -> dict[str, Any]:
    made = dict(statement)
    for name in ("Resource", "NotResource"):
        if name in made:
            listed = [made[name]] if isinstance(made[name], str) else made[name]
            made[name] = _substituted(listed, case, patterns=True) or [_NOTHING]
    if "Condition" in made:
        made["Condition"] = {
            operator: {key: _of_entry(operator, wanted, case) for key, wanted in block.items()}
            for operator, block in made["Condition"].items()
        }
    return made


def _of_entry(operator: str, wanted: str | list[str], case: Case) -> list[str]:
    listed = [wanted] if isinstance(wanted, str) else wanted
    bare = operator.lower().rpartition(":")[2]
    if not bare.startswith(_WITH_VARIABLES):
        return listed
    return _substituted(listed, case, patterns="like" in bare or bare.startswith("arn"))


def _substituted(listed: Sequence[str], case: Case, *, patterns: bool) -> list[str]:
    """The values with the request's put in; a value of which a variable has none matches nothing, and is left out."""
    if not case.has_variables:
        return list(listed)
    made = []
    for value in listed:
        pieces = [_piece(found, case, patterns=patterns) for found in _VARIABLE.finditer(value)]
        known = iter([piece for piece in pieces if piece is not None])
        if None not in pieces:
            made.append(_VARIABLE.sub(lambda _, known=known: next(known), value))  # type: ignore[misc] # bound now
    return made


def _piece(variable: re.Match[str], case: Case, *, patterns: bool) -> str | None:
    """What stands for one variable: itself where no plain text does, None where it has no value."""
    literal, key, default = variable.groups()
    found = [literal] if literal else case.found(key) or ([] if default is None else [default])
    if not found:
        return None
    is_plain = len(found) == 1 and found[0] and not (patterns and set(found[0]) & set("*?:"))
    return found[0] if is_plain else variable[0]
