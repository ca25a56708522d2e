"""
Where ministack's evaluator and ours are known to differ: why, and the AWS page that ours rests on.

Of a ``READING`` the two mean different things. Of a ``DOUBT`` AWS does not say: ministack takes one side, ours takes
both, so that an Allow counts only if it applies either way and a Deny unless it fails either way. There ours may be
stricter, never laxer. An ``UNREADABLE`` policy is Undecided to us; ministack skips what it cannot read.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from relay.policy.answers import Decision
from tests.policy.oddities import (
    LAST_SECOND,
    LONG_FRACTION,
    MONTH,
    PLAIN_NUMBER,
    Asked,
    any_entry,
    any_text,
    arn_crosses,
    family,
    has_newline,
    imprecise,
    is_long_number,
    is_odd_address,
    is_odd_base64,
    is_odd_date,
    is_unreadable,
    leaves_variables,
    other_case,
    other_partition,
    resource_doubts,
)
from tests.policy.oracle import Case, people, values

OPERATORS = "Condition operators"
MANY = "Multivalued context keys"
PRINCIPAL = "Principal"
GRAMMAR = "Grammar of the IAM JSON policy language"


class Kind(Enum):
    """What is known of a difference beforehand."""

    READING = auto()
    DOUBT = auto()
    UNREADABLE = auto()


@dataclass(frozen=True)
class Difference:
    """
    One difference. ``page`` is a page of the IAM User Guide; ``may_show`` tells from the case alone whether it could;
    ``example`` is a case where it does, with both answers.
    """

    name: str
    kind: Kind
    why: str
    page: str
    may_show: Asked
    example: Case
    ours: Decision
    theirs: Decision


def _one(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    made = {"Effect": effect, "Principal": "*", "Action": "*", "Resource": "*"} | elements
    for name in ("Principal", "Action", "Resource"):
        if f"Not{name}" in elements:
            del made[name]
    return made


def _condition(operator: str, wanted: Any, found: str | list[str] | None, effect: str = "Allow") -> Case:
    """A lone statement (beside an Allow of everything, if it denies) with one condition on ``ses:Key``."""
    statements = [_one(effect, Condition={operator: {"ses:Key": wanted}})]
    context = {} if found is None else {"ses:Key": [found] if isinstance(found, str) else found}
    return Case(([] if effect == "Allow" else [_one()]) + statements, context)


_ROLE = "arn:aws:iam::123456789012:role/R"
_SESSION = "arn:aws:sts::123456789012:assumed-role/R/s"


READING, DOUBT, UNREADABLE = Kind.READING, Kind.DOUBT, Kind.UNREADABLE
ALLOW, DENY, NOTHING, UNDECIDED = (
    Decision.ALLOW,
    Decision.EXPLICIT_DENY,
    Decision.IMPLICIT_DENY,
    Decision.UNDECIDED,
)

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "a policy with something that cannot be read",
        UNREADABLE,
        "ministack passes over a statement or a condition that it cannot read, a Deny too.",
        GRAMMAR,
        is_unreadable,
        Case([_one(), _one("Deny", Condition={"StringMatches": {"ses:Key": "a"}})]),
        UNDECIDED,
        ALLOW,
    ),
    Difference(
        "variables",
        READING,
        "ministack knows no variables: they are text to it.",
        "IAM policy elements: Variables and tags",
        leaves_variables,
        _condition("StringEquals", "${aws:PrincipalTag/team}", "${aws:PrincipalTag/team}"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "NotPrincipal",
        READING,
        "ministack never applies it; with Deny it is about everyone but those it lists.",
        "NotPrincipal",
        lambda case: any("NotPrincipal" in statement for statement in case.statements),
        Case([_one(), _one("Deny", NotPrincipal={"AWS": _ROLE})]),
        DENY,
        ALLOW,
    ),
    Difference(
        "Federated and CanonicalUser principals",
        READING,
        "ministack names nobody by them in a resource's policy.",
        PRINCIPAL,
        lambda case: case.principal in [*people(case, "Federated"), *people(case, "CanonicalUser")],
        Case([_one(Principal={"CanonicalUser": "c"})], principal="c"),
        ALLOW,
        NOTHING,
    ),
    Difference(
        "a service of any name",
        DOUBT,
        "a star among Service principals is no service's name; what AWS makes of it is not written.",
        PRINCIPAL,
        lambda case: any("*" in people(case, kind) for kind in ("Service", "Federated", "CanonicalUser")),
        Case([_one(), _one("Deny", Principal={"Service": "*"})], principal="ecs.amazonaws.com"),
        DENY,
        ALLOW,
    ),
    Difference(
        "principals in another case",
        READING,
        "ministack compares principals without case; the guide says how they are spelt, and names no such leniency.",
        PRINCIPAL,
        other_case,
        Case([_one(Principal={"AWS": "arn:aws:iam::123456789012:user/Alice"})]),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "accounts and roles of another partition",
        READING,
        "ministack passes over the partition; partitions are separate, their accounts too.",
        "Amazon Resource Names (ARNs)",
        other_partition,
        Case([_one(Principal={"AWS": "arn:aws-cn:iam::123456789012:root"})]),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "a caller less precise than the principal",
        DOUBT,
        "who asks for an account or a role may be the very user or session that is named.",
        PRINCIPAL,
        imprecise,
        Case([_one(), _one("Deny", Principal={"AWS": _SESSION})], principal=_ROLE),
        DENY,
        ALLOW,
    ),
    Difference(
        "a wildcard in an action's service",
        DOUBT,
        "ministack matches it; the guide has wildcards in the action's name only.",
        "Action",
        lambda case: any(
            a != "*" and set(a.partition(":")[0]) & set("*?") for a in values(case, "Action", "NotAction")
        ),
        Case([_one(Action="s*:SendRawEmail")]),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "resources with wildcards where they are not described, or with fewer than six fields",
        DOUBT,
        "ministack matches the ARN as one text; the guide keeps wildcards inside their segment, but for a last star.",
        "Resource",
        resource_doubts,
        Case([_one(Resource="arn:aws:ses:*y/example.com")]),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "ForAnyValue with IfExists, without the key",
        READING,
        "ministack lets IfExists decide; ForAnyValue is false of a key that is not there.",
        MANY,
        any_entry(lambda e: e.quantifier == "foranyvalue" and e.if_exists and not e.found),
        _condition("ForAnyValue:StringEqualsIfExists", "a", None),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "several values under an operator for one",
        READING,
        "ministack compares Python's spelling of the list; the guide asks for a set operator, and has no answer.",
        MANY,
        any_entry(lambda e: not e.quantifier and e.operator != "null" and len(e.found or ()) > 1),
        _condition("StringNotLike", "a*", ["a", "b"]),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "a key with no values",
        READING,
        "ministack takes it for present; of no values at all a positive operator holds of none.",
        MANY,
        any_entry(lambda e: e.found is not None and not e.found),
        _condition("StringLike", "*", []),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "an empty string under a set operator or Null",
        DOUBT,
        "it may be the 'null data set, such as an empty string' of the guide, or a value.",
        MANY,
        any_entry(lambda e: bool(e.found) and not any(e.found or ()) and bool(e.quantifier or e.operator == "null")),
        _condition("ForAnyValue:StringEquals", "", ""),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "Null with a set operator, or with several values",
        READING,
        "ministack knows no such Null, and reads the first value only; any value of a condition will do.",
        OPERATORS,
        any_entry(lambda e: e.operator == "null" and (bool(e.quantifier) or len(e.wanted) > 1)),
        _condition("Null", ["true", "false"], "a"),
        ALLOW,
        NOTHING,
    ),
    Difference(
        "Null with neither true nor false",
        DOUBT,
        "ministack takes it for false.",
        OPERATORS,
        any_entry(lambda e: e.operator == "null" and not {"true", "false"}.issuperset(e.wanted)),
        _condition("Null", "no", "a"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "long numbers",
        READING,
        "ministack compares floating-point numbers, to which neighbours are equal.",
        OPERATORS,
        any_text(family("numeric"), is_long_number),
        _condition("NumericEquals", "9007199254740993", "9007199254740992"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "numbers spelt otherwise",
        DOUBT,
        "ministack reads what Python does; the guide promises integers and decimals.",
        OPERATORS,
        any_text(family("numeric"), lambda text: not PLAIN_NUMBER.fullmatch(text)),
        _condition("NumericLessThan", "20", "1e1"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "dates spelt otherwise, or that could be two",
        DOUBT,
        "ministack reads what Python does, and 2020 as seconds; the guide names W3C formats and epoch seconds.",
        OPERATORS,
        any_text(family("date"), is_odd_date),
        _condition("DateGreaterThan", "2020-01-01T00:00:00Z", "2020-06-01T00:00:00"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "eight digits as a date",
        READING,
        "ministack reads a calendar date; digits alone are epoch seconds.",
        OPERATORS,
        any_text(family("date"), lambda text: text.isdigit() and len(text) == 8),
        _condition("DateGreaterThan", "2019-01-01", "20200101"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "a month as a date",
        READING,
        "ministack cannot read it; it is one of the W3C formats.",
        OPERATORS,
        any_text(family("date"), lambda text: MONTH.fullmatch(text) is not None),
        _condition("DateLessThan", "2020-02", "2020-01-28"),
        ALLOW,
        NOTHING,
    ),
    Difference(
        "fractions of a microsecond",
        READING,
        "ministack cuts them off.",
        OPERATORS,
        any_text(family("date"), lambda text: LONG_FRACTION.search(text) is not None),
        _condition("DateEquals", "2020-01-01T00:00:00.0000001Z", "2020-01-01T00:00:00Z"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "seconds after the year 9999",
        READING,
        "ministack cannot read them.",
        OPERATORS,
        any_text(family("date"), lambda text: text.isdigit() and int(text) > LAST_SECOND),
        _condition("DateGreaterThan", "2020-01-01", "999999999999"),
        ALLOW,
        NOTHING,
    ),
    Difference(
        "booleans spelt otherwise",
        DOUBT,
        "ministack compares any texts without case; the guide has true and false.",
        OPERATORS,
        any_text(family("bool"), lambda text: text not in ("true", "false")),
        _condition("Bool", "true", "True"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "addresses spelt otherwise, or of both families",
        DOUBT,
        "ministack never takes ::ffff:a.b.c.d for a.b.c.d, and what is no address is in no range; AWS does not say.",
        OPERATORS,
        any_text(family("ip", "notip"), is_odd_address),
        _condition("NotIpAddress", "10.0.0.0/8", "::ffff:10.0.0.1"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "octets spelt otherwise",
        READING,
        "ministack compares the texts; the guide has the octets compared.",
        OPERATORS,
        any_text(family("binary"), is_odd_base64),
        _condition("BinaryEquals", "YQ==", "YR=="),
        ALLOW,
        NOTHING,
    ),
    Difference(
        "ARN operators whose wildcards run over colons",
        READING,
        "ministack compares the ARN as one text; each of its six components is checked separately.",
        OPERATORS,
        any_entry(arn_crosses),
        _condition("ArnLike", "arn:aws:s*:::t", "arn:aws:sns:us-east-1:1:::t"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "ARN operators about what is no ARN",
        DOUBT,
        "ministack compares any texts.",
        OPERATORS,
        any_text(family("arn"), lambda text: text.count(":") < 5),
        _condition("ArnLike", "*", "x"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "letters outside ASCII, whatever the case",
        DOUBT,
        "ministack folds them as Python does; AWS does not say how it does.",
        OPERATORS,
        any_text(lambda e: "ignorecase" in e.operator, lambda text: not text.isascii()),
        _condition("StringEqualsIgnoreCase", "É", "é"),
        NOTHING,
        ALLOW,
    ),
    Difference(
        "line ends under wildcards",
        READING,
        "ministack's star stops at a line end, and a last one is passed over; a star is any characters.",
        OPERATORS,
        has_newline,
        _condition("StringLike", "a*", "a\nb"),
        ALLOW,
        NOTHING,
    ),
)


def known_differences(case: Case, *, readable: bool = False) -> list[Difference]:
    """Those that may show; *readable*: not asking again whether the policy can be read."""
    asked = [d for d in DIFFERENCES if not (readable and d.kind is Kind.UNREADABLE)]
    return [difference for difference in asked if difference.may_show(case)]
