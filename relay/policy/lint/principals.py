"""Whom statements name (IAM User Guide, "Principal", "NotPrincipal")."""

import re
from collections.abc import Iterator
from typing import Final

from relay.policy.lint.findings import Remark
from relay.policy.lint.views import PolicyView, Spelled, StatementView
from relay.policy.lint.wording import did_you_mean, quoted
from relay.policy.principal_block import UNIQUE_ID
from relay.policy.principals import PrincipalArn, is_mistyped, parse_caller, read_principal_arn
from relay.policy.strict_json import step
from relay.words.arns import IdentityArn

_TYPES: Final = ("AWS", "Service", "Federated", "CanonicalUser")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")


def check_principals(view: PolicyView, identity: IdentityArn | None) -> Iterator[Remark]:
    """The principals of each statement. *identity*: whose policy it is, None when that is not known."""
    for statement in view.statements:
        if statement.principal is None:
            continue
        yield from _form(statement, statement.principal)
        for principal in statement.principals:
            yield from _one(principal, identity)
        if statement.principal == "NotPrincipal":
            yield from _incomplete(statement)
        elif statement.effect == "Allow":
            yield from _service(statement)
            yield from _meanings(statement)


def _form(statement: StatementView, element: str) -> Iterator[Remark]:
    value, path = statement.value[element], statement.place(element)
    if value == "*":
        return
    if isinstance(value, str):
        fix = f'Write {{"AWS": {quoted(value)}}}.'
        yield Remark("principal-form", path, f"{element} is an object, not the text {quoted(value)}.", fix)
    elif not isinstance(value, dict):
        yield Remark("principal-form", path, f"{element} is * or an object.")
    elif not value:
        yield Remark("no-principal", path, f"{element} names nobody.")
    else:
        for kind, named in value.items():
            if kind not in _TYPES:
                message = f"There is no type of principals {quoted(kind)}."
                yield Remark("principal-form", step(path, kind), message, did_you_mean(kind, _TYPES), on_key=True)
            elif named in ([], "", None):
                yield Remark("no-principal", step(path, kind), f"{element} names nobody under {kind}.")


def _one(principal: Spelled, identity: IdentityArn | None) -> Iterator[Remark]:
    text, path = principal.text, principal.path
    if principal.kind == "Service":
        if text not in ("", "*") and parse_caller(text).service is None:
            yield Remark("principal-not-for-ses", path, f"{quoted(text)} is not the name of a service.")
    elif principal.kind in ("Federated", "CanonicalUser"):
        yield Remark("principal-not-for-ses", path, f"{principal.kind} principals never ask SES to send.")
    elif principal.kind == "AWS" and text not in ("", "*"):
        yield from _aws(text, path, identity)


def _aws(text: str, path: str, identity: IdentityArn | None) -> Iterator[Remark]:
    arn = read_principal_arn(text)
    if arn is not None:
        if is_mistyped(arn.account):
            yield Remark("bad-principal", path, f"{quoted(text)} names nobody.", _better(arn.account))
        if identity is not None and arn.partition != identity.partition:
            message = f"{quoted(text)} is in the partition {arn.partition}, the identity in {identity.partition}."
            yield Remark("principal-partition", path, message)
    elif "*" in text or "?" in text:
        yield Remark("principal-wildcard", path, f"No wildcard works inside a principal: {quoted(text)} names nobody.")
    elif UNIQUE_ID.fullmatch(text):
        yield Remark("principal-deleted", path, f"{quoted(text)} is the id of a user or role that was deleted.")
    elif not _ACCOUNT.fullmatch(text):
        yield Remark("bad-principal", path, f"{quoted(text)} names nobody.", _better(text))


def _better(text: str) -> str | None:
    """What to write for the usual ways to miss a principal."""
    if text.isdigit():
        return f"An account has 12 digits; here are {len(text)}."
    if re.fullmatch(r"[0-9]{4}-[0-9]{4}-[0-9]{4}", text):
        return f"Write the account without hyphens: {text.replace('-', '')}."
    if re.match(r"arn:aws[a-z-]*:iam::[0-9]*:group/", text):
        return "A group is no principal: name its users, or a role."
    if re.match(r"arn:aws[a-z-]*:iam::[0-9]*:instance-profile/", text):
        return "An instance profile is no principal: name the role in it."
    if "@" in text:
        return "A principal is an AWS user or role, not a mail address; name addresses by ses:FromAddress."
    return None


# --- who may then send ------------------------------------------------------------------------------------------------


def _service(statement: StatementView) -> Iterator[Remark]:
    keys = {entry.key for entry in statement.entries}
    if keys.isdisjoint(("aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths")):
        for principal in statement.principals:
            if principal.kind == "Service":
                message = f"{quoted(principal.text)} may send for any of its customers."
                yield Remark("service-without-source", principal.path, message)


def _meanings(statement: StatementView) -> Iterator[Remark]:
    for principal in statement.principals:
        if principal.kind != "AWS":
            continue
        arn = read_principal_arn(principal.text)
        if _ACCOUNT.fullmatch(principal.text) or (arn is not None and arn.is_root):
            account = arn.account if arn is not None else principal.text
            message = f"Account {account} as a whole: who of it may send is up to its administrators."
            yield Remark("account-principal", principal.path, message)
        elif arn is not None and arn.is_session:
            message = f"Only the session {quoted(principal.text.rpartition('/')[2])} of the role {arn.role_name}."
            yield Remark("session-principal", principal.path, message)


def _incomplete(statement: StatementView) -> Iterator[Remark]:
    arns = [arn for arn in map(read_principal_arn, _aws_texts(statement)) if arn is not None]
    accounts = {arn.account for arn in arns if arn.is_root} | set(_aws_texts(statement))
    roles = {arn.role for arn in arns if arn.role_name is not None and not arn.is_session}
    for principal in statement.principals:
        arn = read_principal_arn(principal.text)
        if arn is None or arn.is_root or statement.effect != "Deny":
            continue
        missing = _missing(arn, accounts, roles)
        if missing:
            message = f"{quoted(principal.text)} is denied all the same: {' and '.join(missing)} must be listed too."
            yield Remark("notprincipal-incomplete", principal.path, message)


def _missing(arn: PrincipalArn, accounts: set[str], roles: set[tuple[str, str, str | None]]) -> list[str]:
    missing = [] if arn.account in accounts else [f"its account {arn.account}"]
    return missing if not arn.is_session or arn.role in roles else [*missing, f"its role {arn.role_name}"]


def _aws_texts(statement: StatementView) -> list[str]:
    return [principal.text for principal in statement.principals if principal.kind == "AWS"]
