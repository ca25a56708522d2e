"""
Reading Principal and NotPrincipal (IAM User Guide, "Principal"): ``*``, or a map of AWS, Service, Federated and
CanonicalUser.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from relay.policy.notes import Notes
from relay.policy.principals import PrincipalArn, Principals, read_principal_arn
from relay.policy.strict_json import is_text, step, texts
from relay.words.patterns import on_demand

_TYPES: Final = ("AWS", "Service", "Federated", "CanonicalUser")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
#: What AWS shows for a principal that was deleted (IAM User Guide, "IAM identifiers"): it is nobody any more.
UNIQUE_ID: Final = on_demand(r"(?:ABIA|ACCA|AGPA|AIDA|AIPA|AKIA|ANPA|ANVA|APKA|AROA|ASCA|ASIA)[A-Z0-9]+")


def read_principals(value: object, path: str, *, negated: bool, notes: Notes) -> Principals | None:
    """Whom the element *value* names, or None after noting what is wrong with it."""
    if value == "*":
        return _principals(["*"], [], negated=negated)
    if not isinstance(value, Mapping) or not value:
        notes.problem(path, f"a principal is *, or an object of {', '.join(_TYPES)}")
        return None
    before = len(notes.problems)
    aws: list[str] = []
    others: list[str] = []
    for kind, found in value.items():
        where = step(path, str(kind))
        if kind not in _TYPES:
            notes.problem(where, f"unknown; principals are {', '.join(_TYPES)}")
            continue
        (aws if kind == "AWS" else others).extend(_names(found, kind, where, notes))
    return None if len(notes.problems) > before else _principals(aws, others, negated=negated)


def _names(value: object, kind: str, path: str, notes: Notes) -> list[str]:
    found: list[tuple[str, Any]] | None = texts(value, path)
    if found is None:
        notes.problem(path, f"{kind} is a string, or a list of at least one")
        return []
    for where, text in found:
        if not is_text(text) or not text:
            notes.problem(where, "a principal is a string")
        elif kind == "AWS" and not _is_aws(text):
            notes.problem(
                where,
                f"{text!r} names nobody: write *, an account of 12 digits, or the whole ARN of an account root, user,"
                " role or session, without wildcards",
            )
    return [text for _, text in found if isinstance(text, str)]


def _is_aws(text: str) -> bool:
    return (
        text == "*"
        or _ACCOUNT.fullmatch(text) is not None
        or UNIQUE_ID.fullmatch(text) is not None
        or read_principal_arn(text) is not None
    )


def _principals(aws: list[str], others: list[str], *, negated: bool) -> Principals:
    arns = [arn for arn in map(read_principal_arn, aws) if arn is not None]
    people = [arn for arn in arns if not arn.is_root]
    bare: list[tuple[str | None, str]] = [(None, text) for text in aws if _ACCOUNT.fullmatch(text)]
    return Principals(
        spelled=(*aws, *others),
        negated=negated,
        everyone="*" in aws,
        arns=frozenset(arn.text for arn in people),
        accounts=frozenset([*bare, *((arn.partition, arn.account) for arn in arns if arn.is_root)]),
        roles=_roles(people, sessions=False),
        sessions=_roles(people, sessions=True),
        members_of=frozenset(arn.account for arn in people),
        texts=frozenset(others),
        any_text="*" in others,
    )


def _roles(people: list[PrincipalArn], *, sessions: bool) -> frozenset[tuple[str, str, str | None]]:
    return frozenset(arn.role for arn in people if arn.role_name is not None and arn.is_session is sessions)
