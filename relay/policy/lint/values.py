"""Values of conditions: readable by their operator, and such as their key can hold."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from relay.policy.dates import Instant, read_date
from relay.policy.lint.coverage import atoms_of, covers, is_range_within
from relay.policy.lint.findings import Remark
from relay.policy.lint.keys import Key, Kind, find_key, meant_by
from relay.policy.lint.views import Entry, PolicyView, Spelled, StatementView
from relay.policy.lint.wording import quoted
from relay.policy.networks import read_range
from relay.policy.numbers import read_number
from relay.policy.operators import Operator, compile_values
from relay.policy.variables import VariableProblem, keys_of, read_template

#: Signs of a regular expression in free text: where "Inc.*" and "aws-cli/2.*" may well be meant as they stand.
_REGEX_OF_TEXTS: Final = re.compile(r"\A\.[*+]|(?<=[a-z]{5})\.[*+]|\\[dswb.]|\A\^|\$\Z")
#: The same in addresses, which hold no brackets and hardly bars.
_REGEX_OF_ADDRESSES: Final = re.compile(r"\.[*+]|\\|\A\^|\$\Z|\[[^\[\]]*\]|\([^()]*\)|\||\+@")
#: A star where a pattern would have it; one inside of a local part may be part of its name.
_WILD_ADDRESS: Final = re.compile(r"\A\*|\*@|@.*\*|\A[^@]*\Z")
_LONGEST_EPOCH: Final = 20
#: Each value is compared with each other one; a policy that SES takes holds hardly more.
MOST_VALUES: Final = 200
#: What is nobody's address in public.
_PRIVATE: Final = tuple(
    network
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10"),
        *("fc00::/7", "fe80::/10", "::1"),
    )
    if (network := read_range(text)) is not None
)


def check_values(view: PolicyView, now: datetime) -> Iterator[Remark]:
    """The values of each condition. *now*: timezone-aware."""
    for statement in view.statements:
        for resource in statement.resources:
            yield from _variables(resource, view, in_resource=True)
        for entry in statement.entries:
            if entry.operator is None:
                continue
            for value in entry.values:
                yield from _variables(value, view)
                yield from _readable(value, entry, entry.operator)
            key = find_key(entry.spelled_key)
            if key is not None:
                yield from _of_key(entry, entry.operator, key)
                yield from _past(entry, key, statement, now)
            yield from _redundant(entry)


# --- can it be read ---------------------------------------------------------------------------------------------------


def _variables(value: Spelled, view: PolicyView, *, in_resource: bool = False) -> Iterator[Remark]:
    try:
        asked = keys_of(read_template(value.text, live=True, wildcards=False))
    except VariableProblem:
        return
    if asked and not view.live:
        message = f"{quoted(value.text)} is plain text here: the policy's Version has no variables."
        yield Remark("variable-before-2012", value.path, message)
    for name in sorted(asked) if view.live and not in_resource else ():
        key = find_key(name)
        if key is None:
            meant = meant_by(name)
            message = f"There is no key {quoted(name)} for a variable to stand for."
            yield Remark("unknown-key", value.path, message, f"Did you mean ${{{meant}}}?" if meant else None)
        elif key.many:
            yield Remark("variable-of-many", value.path, f"{key.name} holds many values and can be no variable.")


def _readable(value: Spelled, entry: Entry, operator: Operator) -> Iterator[Remark]:
    doubts: list[str] = []
    if operator.family is None:
        doubts += [] if value.text in ("true", "false") else [f"{value.text!r} is neither true nor false"]
    else:
        takes_variables = entry.live and operator.family in ("string", "string-ignoring-case", "like", "arn")
        try:
            compile_values(operator, (value.text,), live=takes_variables, doubt=lambda _, why: doubts.append(why))
        except VariableProblem as error:
            doubts.append(str(error))
    for why in doubts:
        message = f"{entry.spelled_operator} cannot read {quoted(value.text)}: {_reason(why, value.text)}."
        yield Remark("unreadable-value", value.path, message, _hint(value.text, operator))


def _reason(why: str, text: str) -> str:
    return f"it {why.removeprefix(repr(text)).strip()}" if why.startswith(repr(text)) else why


def _hint(text: str, operator: Operator) -> str | None:
    if operator.family == "date":
        return "Write 2026-12-31T23:59:59Z."
    if operator.family == "arn" and not text.startswith("arn:"):
        return "Write an ARN of six fields, arn:aws:iam::123456789012:role/NAME; wildcards may stand for fields."
    return None


# --- can the key hold it ----------------------------------------------------------------------------------------------


def _of_key(entry: Entry, operator: Operator, key: Key) -> Iterator[Remark]:
    if operator.family in ("string", "string-ignoring-case") and key.kind in ("address", "arn", "account"):
        for value in entry.values:
            text = value.text.replace("${*}", "")
            if "*" in text and (key.kind != "address" or _WILD_ADDRESS.search(text)):
                message = f"{entry.spelled_operator} takes {quoted(value.text)} literally: it knows no wildcards."
                fix = f"Write {entry.spelled_operator.replace('EqualsIgnoreCase', 'Like').replace('Equals', 'Like')}."
                yield Remark("wildcard-under-equals", value.path, message, fix)
    if operator.family == "like":
        yield from _patterns(entry, key)
    if operator.family == "ip" and key.name == "aws:SourceIp" and not operator.negated:
        for value in entry.values:
            if _is_private(value.text):
                yield Remark("private-source-ip", value.path, f"SES is never called from {quoted(value.text)}.")


def _patterns(entry: Entry, key: Key) -> Iterator[Remark]:
    found = [(value, regex_in(value.text, key.kind)) for value in entry.values]
    for value, habit in found:
        if habit is not None:
            meant = _as_pattern(value.text)
            fix = f"Write {quoted(meant)}, if that is meant." if meant != value.text else None
            message = f"{entry.spelled_operator} takes no regular expressions, but {quoted(habit)} looks like one."
            yield Remark("regex-habit", value.path, message, fix)
        elif value.text and not value.text.strip("*"):
            yield Remark("matches-anything", value.path, f"{quoted(value.text)} matches whatever {key.name} holds.")
    if found and all(habit is None and not _is_open(value.text) for value, habit in found):
        spelled = quoted(found[0][0].text) if len(found) == 1 else "every one of its values"
        message = f"{entry.spelled_operator} compares {spelled} as it stands: there is no wildcard in it."
        yield Remark("like-without-wildcard", entry.path, message)


def regex_in(text: str, kind: Kind) -> str | None:
    """What in *text* looks like a regular expression; a text that begins with ``*`` can be none."""
    if text.startswith("*") and "\\" not in text:
        return None
    found = (_REGEX_OF_ADDRESSES if kind == "address" else _REGEX_OF_TEXTS).search(text)
    return None if found is None else found[0]


def _is_open(text: str) -> bool:
    """Whether the pattern *text* can match more than itself."""
    return "*" in text or "?" in text or "${" in text


def _as_pattern(text: str) -> str:
    """The pattern that was likely meant by the regular expression *text*."""
    text = re.sub(r"\A\^|\$\Z", "", text)
    text = re.sub(r"(?:\[[^\[\]]*\]|\\[wds]|(?<!\\)\.)[*+]", "*", text)
    return re.sub(r"\\(.)", r"\1", text)


def _is_private(text: str) -> bool:
    network = read_range(text)
    return network is not None and any(is_range_within(network, private) for private in _PRIVATE)


# --- is its time over -------------------------------------------------------------------------------------------------


def _past(entry: Entry, key: Key, statement: StatementView, now: datetime) -> Iterator[Remark]:
    operator = entry.operator
    if operator is None or operator.negated or key.name not in ("aws:CurrentTime", "aws:EpochTime"):
        return
    if operator.family not in ("date", "number") or operator.order in ("greater", "greater-or-equal"):
        return
    instants = [_instant(value.text, operator) for value in entry.values]
    known = [instant for instant in instants if instant is not None]
    if known and len(known) == len(instants) and max(known) < (int(now.timestamp()), ""):
        what = "denies nothing any more" if statement.effect == "Deny" else "allows nothing any more"
        latest = entry.values[known.index(max(known))]
        yield Remark("date-past", latest.path, f"{quoted(latest.text)} has passed: the statement {what}.")


def _instant(text: str, operator: Operator) -> Instant | None:
    if operator.family == "date":
        return read_date(text)
    number = read_number(text) if len(text) < _LONGEST_EPOCH else None
    return None if number is None else (int(number), "")


# --- is it needed -----------------------------------------------------------------------------------------------------


def _redundant(entry: Entry) -> Iterator[Remark]:
    atoms = [atoms_of(entry, (value,)) for value in entry.values[:MOST_VALUES]]
    readable = [(value, found[0]) for value, found in zip(entry.values, atoms, strict=False) if found]
    for place, (value, mine) in enumerate(readable):
        for other_place, (other, theirs) in enumerate(readable):
            if place == other_place or not covers(theirs, mine):
                continue
            if other_place < place or not covers(mine, theirs):
                message = f"{quoted(other.text)} covers {quoted(value.text)} already."
                yield Remark("redundant-value", value.path, message)
                break
