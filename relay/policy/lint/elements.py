"""The elements of documents and statements: there, known, and of the form that SES takes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from relay.policy.lint.findings import Remark
from relay.policy.lint.views import PolicyView, StatementView
from relay.policy.lint.wording import did_you_mean, quoted, spelled
from relay.policy.strict_json import step

_OF_A_POLICY: Final = ("Version", "Id", "Statement")
_OF_A_STATEMENT: Final = ("Sid", "Effect", "Principal", "Action", "Resource", "Condition")
_NEGATIVE: Final = ("NotPrincipal", "NotAction", "NotResource")
_VERSIONS: Final = ("2012-10-17", "2008-10-17")


def check_elements(view: PolicyView) -> Iterator[Remark]:
    """The elements of the policy and of each of its statements."""
    yield from _unknown(view.value, _OF_A_POLICY, "$")
    yield from _version(view)
    if "Statement" not in view.value:
        yield Remark("missing-element", "$", "The policy has no Statement.", 'Add "Statement": [...].')
    for statement in view.statements:
        yield from _unknown(statement.value, (*_OF_A_STATEMENT, *_NEGATIVE), statement.path)
        yield from _effect(statement)
        yield from _required(statement)
        yield from _negative(statement)
        yield from _condition(statement)
    yield from _sids(view)


def _unknown(value: Mapping[str, Any], known: tuple[str, ...], path: str) -> Iterator[Remark]:
    for key in value:
        if key not in known:
            message = f"There is no element {quoted(key)}; SES refuses what it does not know."
            yield Remark("unknown-element", step(path, key), message, did_you_mean(key, known), on_key=True)


def _version(view: PolicyView) -> Iterator[Remark]:
    if "Version" not in view.value:
        yield Remark("old-version", "$", "The policy has no Version, so it has no variables (the rules of 2008).")
    elif view.value["Version"] == _VERSIONS[1]:
        yield Remark("old-version", "$.Version", "Version 2008-10-17 has no variables.")
    elif view.value["Version"] not in _VERSIONS:
        message = f"There is no version {spelled(view.value['Version'])} of the policy language."
        yield Remark("bad-version", "$.Version", message)


def _effect(statement: StatementView) -> Iterator[Remark]:
    if "Effect" in statement.value and statement.effect is None:
        effect = statement.value["Effect"]
        fix = did_you_mean(effect, ("Allow", "Deny")) if isinstance(effect, str) else None
        yield Remark("bad-effect", statement.place("Effect"), f"Effect is Allow or Deny, not {spelled(effect)}.", fix)


def _required(statement: StatementView) -> Iterator[Remark]:
    if "Effect" not in statement.value:
        path = statement.place("Effect")
        yield Remark("missing-element", path, "The statement has no Effect.", 'Add "Effect": "Allow".')
    for element in ("Principal", "Action", "Resource"):
        there = [name for name in (element, f"Not{element}") if name in statement.value]
        if len(there) == 2:
            message = f"{element} and Not{element} exclude each other."
            yield Remark("exclusive-elements", statement.path, message)
        elif not there and element == "Principal":
            yield Remark("no-principal", statement.path, "The statement has no Principal: it is about nobody.")
        elif not there:
            yield Remark("missing-element", statement.path, f"The statement has no {element}.", f"Add {element}.")


def _negative(statement: StatementView) -> Iterator[Remark]:
    if statement.resource == "NotResource":
        message = "NotResource names every identity but one; SES wants the one that the policy is attached to."
        yield Remark("notresource", statement.place("NotResource"), message, on_key=True)
    if statement.principal == "NotPrincipal" and statement.effect == "Allow":
        message = "NotPrincipal with Allow lets everyone but these send."
        yield Remark("notprincipal-allow", statement.place("NotPrincipal"), message, on_key=True)
    elif statement.principal == "NotPrincipal":
        message = "SES's list of elements has no NotPrincipal."
        yield Remark("undocumented-element", statement.place("NotPrincipal"), message, on_key=True)
    if statement.action == "NotAction":
        grants = "allows every action but these, to delete the identity among them"
        denies = "denies every action but these"
        what = denies if statement.effect == "Deny" else grants
        message = f"SES's list of elements has no NotAction; it {what}."
        yield Remark("undocumented-element", statement.place("NotAction"), message, on_key=True)


def _condition(statement: StatementView) -> Iterator[Remark]:
    if statement.value.get("Condition") == {}:
        yield Remark("empty-condition", statement.place("Condition"), "The Condition is empty: it restricts nothing.")


def _sids(view: PolicyView) -> Iterator[Remark]:
    sids = [statement.value.get("Sid") for statement in view.statements]
    times = Counter(sid for sid in sids if isinstance(sid, str))
    seen = set()
    for statement, sid in zip(view.statements, sids, strict=True):
        if isinstance(sid, str) and sid in seen:
            message = f"{times[sid]} statements have the Sid {quoted(sid)}."
            yield Remark("duplicate-sid", statement.place("Sid"), message)
        if isinstance(sid, str):
            seen.add(sid)
