"""The pieces of a policy that this desk writes: principals, conditions, statements, and the text that SES takes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay.words.addresses import AddressProblem, parse_address

#: Octets of one policy (SES Developer Guide, "Sending authorization policy anatomy": up to 4 KB).
LONGEST_POLICY: Final = 4096
ACTION: Final = "ses:SendRawEmail"
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
_WILD: Final = re.compile(r"[*?]")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Pattern:
    """
    Text that a condition compares with. ``is_wild``: ``*`` stands for any characters, ``?`` for one; else both are
    what they are.
    """

    text: str
    is_wild: bool = False


class PatternProblem(ValueError):
    """Text that is neither an address nor a pattern of some. ``str()`` says why."""


def read_pattern(text: str) -> Pattern:
    """
    Read an address, a pattern such as ``invoices*@example.com``, or a domain, which stands for all its addresses.

    Raises:
        PatternProblem: No address could match it.
    """
    whole = text if "@" in text.lstrip("@") else f"*@{text.lstrip('@')}"
    if text == "*":
        return Pattern("*", is_wild=True)
    try:
        parse_address(_WILD.sub("x", whole))
    except AddressProblem as problem:
        raise PatternProblem(f"{text!r} is no address, domain or pattern of addresses: {problem}") from None
    return Pattern(whole, _WILD.search(whole) is not None)


def principal_element(principal: str) -> Json:
    """Return the Principal that names *principal*: an account, an ARN, or a service."""
    return {"Service" if _SERVICE.fullmatch(principal) else "AWS": principal}


def compare(key: str, patterns: Sequence[Pattern]) -> dict[str, Json]:
    """Return the condition that *key* is one of *patterns*; case matters in addresses, so it is never ignored."""
    wild = any(pattern.is_wild for pattern in patterns)
    values = [_literal(pattern, wild=wild) for pattern in sorted(set(patterns))]
    return {"StringLike" if wild else "StringEquals": {key: _one_or_many(values)}}


def compare_in_any_case(key: str, addresses: Sequence[Pattern]) -> dict[str, Json]:
    """Return the condition that *key* is one of *addresses*, none of them wild, however its letters are written."""
    return {"StringEqualsIgnoreCase": compare(key, addresses)["StringEquals"]}


def compare_each(key: str, patterns: Sequence[Pattern]) -> dict[str, Json]:
    """
    Return the conditions that *key* is there and each of its values one of *patterns*.

    Without the Null guard ``ForAllValues`` holds for a request without the key, too.
    """
    ((operator, compared),) = compare(key, patterns).items()
    return {f"ForAllValues:{operator}": compared, "Null": {key: "false"}}


def compare_any(key: str, patterns: Sequence[Pattern]) -> dict[str, Json]:
    """Return the condition that one of the values of *key*, at least, is one of *patterns*."""
    ((operator, compared),) = compare(key, patterns).items()
    return {f"ForAnyValue:{operator}": compared}


def join(*conditions: Mapping[str, Json]) -> Json:
    """Return the conditions together; keys under the same operator stand side by side."""
    joined: Json = {}
    for condition in conditions:
        for operator, compared in condition.items():
            joined[operator] = {**joined.get(operator, {}), **compared}
    return joined


def allow(sid: str, principal: str, actions: Sequence[str], resource: str, condition: Mapping[str, Json]) -> Json:
    """Return one Allow."""
    statement: Json = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal_element(principal),
        "Action": _one_or_many(list(actions)),
        "Resource": resource,
    }
    return statement | ({"Condition": dict(condition)} if condition else {})


def deny(sid: str, principal: str, actions: Sequence[str], resource: str, condition: Mapping[str, Json]) -> Json:
    """Return one Deny."""
    return allow(sid, principal, actions, resource, condition) | {"Effect": "Deny"}


def document(statements: Sequence[Json]) -> Json:
    """Return a policy of these statements; the version in which ``${*}`` means an asterisk."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def text_of(policy: Json) -> str:
    """Return the policy's text, for people while it fits into a policy so, else without blanks; a line feed last."""
    laid_out = json.dumps(policy, indent=2) + "\n"
    return laid_out if len(laid_out.encode()) <= LONGEST_POLICY else json.dumps(policy, separators=(",", ":")) + "\n"


def fits(policy: Json) -> bool:
    """Whether SES takes a policy of this size."""
    return len(text_of(policy).encode()) <= LONGEST_POLICY


def _literal(pattern: Pattern, *, wild: bool) -> str:
    """Spell what is no wildcard so that neither variables nor wildcards are read into it (Version 2012-10-17)."""
    text = pattern.text.replace("${", "${$}{")
    return text if pattern.is_wild or not wild else _WILD.sub(lambda found: f"${{{found[0]}}}", text)


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
