"""Conditions: operators and keys that exist, and that go together (IAM User Guide, "Condition operators")."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from relay.policy.lint.actions import is_about_management
from relay.policy.lint.findings import Remark
from relay.policy.lint.keys import Key, Kind, find_key, meant_by
from relay.policy.lint.views import Entry, PolicyView, StatementView
from relay.policy.lint.wording import did_you_mean, quoted
from relay.policy.operators import Family, Operator

_ORDERS: Final = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
_BARE: Final = (
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    *("StringLike", "StringNotLike", "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"),
    *(f"{kind}{order}" for kind in ("Numeric", "Date") for order in _ORDERS),
    *("Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
)
#: Every operator as the documentation spells it.
OPERATORS: Final = (
    *(f"{prefix}{name}{suffix}" for prefix in ("", "ForAllValues:", "ForAnyValue:") for name in _BARE
      for suffix in ("", "IfExists")),
    "Null",
)  # fmt: skip

_TEXT: Final = frozenset[Family]({"string", "string-ignoring-case", "like"})
#: The operators of each kind of value, and those that compare no more than its text.
_RIGHT: Final[Mapping[Kind, frozenset[Family]]] = MappingProxyType(
    {
        "address": _TEXT,
        "string": _TEXT,
        "account": _TEXT,
        "arn": frozenset({*_TEXT, "arn"}),
        "date": frozenset({"date"}),
        "epoch": frozenset({"date", "number"}),
        "number": frozenset({"number"}),
        "bool": frozenset({"bool", "string", "string-ignoring-case"}),
        "ip": frozenset({"ip"}),
    }
)
_ODD: Final[Mapping[Kind, frozenset[Family]]] = MappingProxyType(
    {
        "account": frozenset({"number"}),
        "date": _TEXT,
        "epoch": _TEXT,
        "number": _TEXT,
        "bool": frozenset({"like"}),
        "ip": _TEXT,
    }
)
_BY_KIND: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "address": "StringEquals or StringLike",
        "string": "StringEquals or StringLike",
        "account": "StringEquals",
        "arn": "ArnLike",
        "date": "DateLessThan or DateGreaterThan",
        "epoch": "NumericLessThan or DateLessThan",
        "number": "NumericLessThan or NumericEquals",
        "bool": "Bool",
        "ip": "IpAddress",
    }
)


def check_conditions(view: PolicyView) -> Iterator[Remark]:
    """The operators and keys of each statement's conditions."""
    for statement in view.statements:
        seen = set()
        for entry in statement.entries:
            if entry.operator_path not in seen:
                seen.add(entry.operator_path)
                yield from _operator(entry)
            key = find_key(entry.spelled_key)
            if key is None:
                yield _unknown(entry)
                continue
            yield from _key(entry, key, statement)
            if entry.operator is not None:
                yield from _pair(entry, entry.operator, key)
                yield from _set_operator(entry, entry.operator, key, statement)


def _operator(entry: Entry) -> Iterator[Remark]:
    if entry.operator is None:
        message = f"There is no operator {quoted(entry.spelled_operator)}."
        fix = did_you_mean(entry.spelled_operator, OPERATORS)
        yield Remark("unknown-operator", entry.operator_path, message, fix, on_key=True)
    elif entry.spelled_operator not in OPERATORS and not entry.is_null:
        message = f"The documentation spells {quoted(entry.spelled_operator)} in another case."
        fix = next((f"Write {name}." for name in OPERATORS if name.lower() == entry.spelled_operator.lower()), None)
        yield Remark("operator-case", entry.operator_path, message, fix, on_key=True)


def _unknown(entry: Entry) -> Remark:
    meant = meant_by(entry.spelled_key)
    message = f"SES knows no condition key {quoted(entry.spelled_key)}."
    return Remark("unknown-key", entry.path, message, f"Did you mean {meant}?" if meant else None, on_key=True)


# --- when the key is there --------------------------------------------------------------------------------------------


def _key(entry: Entry, key: Key, statement: StatementView) -> Iterator[Remark]:
    name = key.name
    if name != entry.spelled_key:
        message = f"SES was seen to refuse keys spelt in another case: {quoted(entry.spelled_key)}."
        yield Remark("key-case", entry.path, message, f"Write {name}.", on_key=True)
    if not entry.allows_for_absence and not is_about_management(statement):
        yield from _presence(entry, key, statement)
    if not key.documented and key.presence != "never":
        message = f"SES's guide does not name {name}; whether SES takes it is not documented."
        yield Remark("undocumented-key", entry.path, message, on_key=True)
    if key.told_by:
        what = "counts it for everybody" if statement.effect == "Deny" else "allows nothing by it"
        message = f"The relay cannot know {name} unless {key.told_by} tells it, and until then {what}."
        fix = f"Tell the relay by {key.told_by} in its settings."
        yield Remark("key-unknown-to-relay", entry.path, message, fix, on_key=True)


def _presence(entry: Entry, key: Key, statement: StatementView) -> Iterator[Remark]:
    if key.presence == "never":
        yield Remark("key-never-sent", entry.path, f"{key.name} is never there when mail is sent.", on_key=True)
    elif key.presence == "services" and _is_for_people_only(statement):
        message = f"{key.name} is there only when a service of AWS sends, and the principals here are none."
        yield Remark("key-of-services", entry.path, message, on_key=True)
    elif key.presence == "api-only":
        message = f"{key.name} is there only through SES's newest API with a global endpoint, never over SMTP."
        yield Remark("key-not-over-smtp", entry.path, message, on_key=True)


def _is_for_people_only(statement: StatementView) -> bool:
    return statement.principal == "Principal" and all(
        principal.kind == "AWS" and principal.text != "*" for principal in statement.principals
    )


# --- operators and the keys under them --------------------------------------------------------------------------------


def _pair(entry: Entry, operator: Operator, key: Key) -> Iterator[Remark]:
    if operator.family is None or operator.family in _RIGHT[key.kind]:
        return
    code = "odd-operator" if operator.family in _ODD.get(key.kind, ()) else "operator-key-mismatch"
    what = "compares only the text of" if code == "odd-operator" else "cannot compare"
    message = f"{entry.spelled_operator} {what} {key.name}, which holds {_HELD[key.kind]}."
    yield Remark(code, entry.path, message, f"Write {_BY_KIND[key.kind]}.", on_key=True)


_HELD: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "address": "a mail address",
        "string": "text",
        "account": "an account id",
        "arn": "an ARN",
        "date": "a date",
        "epoch": "a date in epoch seconds",
        "number": "a number",
        "bool": "true or false",
        "ip": "an IP address",
    }
)


def _set_operator(entry: Entry, operator: Operator, key: Key, statement: StatementView) -> Iterator[Remark]:
    quantifier, allows, place = operator.quantifier, statement.effect == "Allow", entry.operator_path
    prefix, _, bare = entry.spelled_operator.rpartition(":")
    if quantifier is None and key.many and not entry.is_null:
        message = f"{key.name} holds many values; {bare} alone does not say whether all or any count."
        fix = f"Write {'ForAllValues' if allows else 'ForAnyValue'}:{bare}."
        yield Remark("multi-without-set-operator", place, message, fix, on_key=True)
    elif quantifier is not None and (entry.is_null or not key.many):
        message = f"{key.name} holds one value; {prefix} is for keys of many."
        if entry.is_null:
            message = f"Null asks whether {key.name} is there at all; {prefix} adds nothing to that."
        yield Remark("needless-set-operator", place, message, f"Write {bare}.", on_key=True)
        return
    elif key.name == "ses:Recipients" and (quantifier, statement.effect) in (("any", "Allow"), ("all", "Deny")):
        message = "One recipient that matches is enough; the others may be anybody."
        if not allows:
            message = "It denies only where every recipient matches; one other lifts the Deny."
        fix = f"Write {'ForAllValues' if allows else 'ForAnyValue'}:{bare}."
        yield Remark("one-recipient-is-enough", place, message, fix, on_key=True)
    yield from _absence(entry, operator, key, statement)


def _absence(entry: Entry, operator: Operator, key: Key, statement: StatementView) -> Iterator[Remark]:
    """What an Allow lets pass when the key is not there."""
    if statement.effect != "Allow" or entry.is_null or is_guarded(statement, entry.key):
        return
    fix = f'Add "Null": {{"{key.name}": "false"}} to the Condition.'
    if operator.quantifier == "all":
        message = f"{entry.spelled_operator} holds also when {key.name} is absent or empty."
        yield Remark("forallvalues-without-null", entry.operator_path, message, fix, on_key=True)
    elif operator.negated and operator.quantifier is None and key.presence == "sometimes":
        message = f"{entry.spelled_operator} holds also when {key.name} is absent."
        yield Remark("negated-when-absent", entry.operator_path, message, fix, on_key=True)


def is_guarded(statement: StatementView, key: str) -> bool:
    """Whether some other condition of *statement* wants *key*, lower-cased, to be there."""
    return any(
        entry.wants("false") or (entry.operator is not None and not entry.is_null and not entry.holds_when_absent)
        for entry in statement.of_key(key)
    )
