"""
Ours against ministack's evaluator, over generated policies and requests: two readings of the same guide, by different
people. ``DIFFERENTIAL_EXAMPLES`` sets how many (``make differential`` takes many).
"""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from relay.policy.answers import Decision
from tests.policy.differences import DIFFERENCES, Difference, Kind, known_differences
from tests.policy.oracle import IDENTITY, Case, ours, theirs, with_values_for_variables

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", 4 * settings().max_examples))
ACCOUNT = "123456789012"
PEOPLE = (
    f"arn:aws:iam::{ACCOUNT}:user/alice",
    f"arn:aws:iam::{ACCOUNT}:role/R",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/R/s",
    f"arn:aws:iam::{ACCOUNT}:root",
    ACCOUNT,
)
SERVICES = ("ecs.amazonaws.com", "sns.amazonaws.com")
CALLERS = (
    *PEOPLE,
    *PEOPLE[:3],
    f"arn:aws:sts::{ACCOUNT}:assumed-role/R/other",
    f"arn:aws:sts::{ACCOUNT}:federated-user/f",
    "arn:aws:iam::999999999999:user/alice",
    f"arn:aws-cn:iam::{ACCOUNT}:user/alice",
    "ecs.amazonaws.com",
    "anonymous",
)
NAMED = (
    *("*", "*", "*"),
    *PEOPLE[:3],
    *PEOPLE,
    f"arn:aws:iam::{ACCOUNT}:role/path/R",
    f"arn:aws:sts::{ACCOUNT}:federated-user/f",
    "arn:aws:iam::999999999999:root",
    "AIDACKCEVSQ6C2EXAMPLE",
)
ODD_NAMED = (f"arn:aws:iam::{ACCOUNT}:user/Alice", f"arn:aws-cn:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:user/*")
ACTIONS = (
    *("*", "ses:*", "ses:SendRawEmail", "ses:sendrawemail", "SES:Send*", "ses:S*l", "ses:Send???Email"),
    *("ses:SendEmail", "ses:Get*", "s3:*"),
)
ODD_ACTIONS = ("s*:SendRawEmail", "?es:*")
RESOURCES = (
    *("*", "*", IDENTITY, "arn:aws:ses:*:888888888888:identity/*", "arn:aws:ses:us-east-1:*:identity/example.com"),
    *("arn:aws:ses:us-east-?:888888888888:identity/*.com", "arn:aws:ses:us-east-1:888888888888:*", "arn:aws:s3:::*"),
    "arn:aws:ses:us-east-1:888888888888:identity/${aws:PrincipalTag/team}.com",
)
ODD_RESOURCES = (
    *("arn:*", "arn:aws:ses:*e.com", "arn:aws:*:us-east-1:888888888888:identity/example.com"),
    *("arn:aws:ses:us-east-1:8*/example.*", "arn:aws:ses:*:*:id*/example.com", "arn:${aws:PrincipalTag/team}:x"),
)
VARIABLES = (
    *("${aws:PrincipalTag/team}", "${aws:principaltag/TEAM}@a", "${aws:PrincipalTag/absent}", "a${ses:FromAddress}"),
    *("${aws:PrincipalTag/absent, 'b'}", "${*}", "${$}{x}", "*${aws:PrincipalTag/team}?"),
)
TEXTS = st.text("abA@.", max_size=3)
PATTERNS = st.text("aab@.*?", max_size=4)


def some(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


def once_in(times: int) -> st.SearchStrategy[bool]:
    """Rarely true; not at an end of the range, which Hypothesis likes best."""
    return st.integers(0, times - 1).map(lambda n: n == times // 2)


def either(usual: st.SearchStrategy[str], odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Mostly the usual; an odd one in about thirty."""
    return once_in(30).flatmap(lambda rare: odd if rare else usual)


ARNS = st.builds(
    "arn:{}:{}:{}:{}:{}".format,
    some("aws"),
    some("sns", "ses"),
    some("", "r"),
    some("1", "12"),
    some("t", "t:u", "v/t"),
)
ARN_PATTERNS = st.builds(
    "arn:{}:{}:{}:{}:{}".format,
    some("aws", "*", "a?s"),
    some("s*s", "sns", "*"),
    some("*", "", "r"),
    some("1", "?2", "*"),
    some("*", "t:*", "?", "v/*", "t*u"),
)
DATES = some(
    *("2020-01-01", "2020-01-01T00:00:00Z", "2019-12-31T23:00:00-01:00", "1577836800", "2020-01-01T00:00:00.5Z"),
    *("2021-06-15T12:30Z", "2019-12-31T23:59:59.999999Z", "1577836799", "2021-06-15T14:30:00+02:00"),
)
ODD_DATES = some("2020", "20200101", "2020-01", "2020-01-01T00:00:00", "2020-02-30", "", "soon", "99999999999999")
NUMBERS = st.one_of(st.integers(-3, 3).map(str), some("1.5", "1.50", "-0", "0.0", "10", "007"))
ODD_NUMBERS = some("1e1", "+1", ".5", "", "x", "9007199254740993", "9007199254740992", "nan")
ADDRESSES = some("10.0.0.1", "10.0.1.255", "192.168.1.7", "::1", "2001:db8::1", "2001:db8:0:1::")
RANGES = some(
    *("10.0.0.0/8", "10.0.0.1", "10.0.0.0/24", "192.168.1.0/30", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1/128"),
    *("10.0.0.99/24", "192.168.1.7/32"),
)
ODD_ADDRESSES = some("::ffff:10.0.0.1", "x", "", "10.0.0", "fe80::1%eth0", "10.0.0.0/33")
OCTETS, ODD_OCTETS = some("YQ==", "YWI=", "YWJj", ""), some("YR==", "YQ", "a b")
FLAGS, ODD_FLAGS = some("true", "false"), some("True", "yes", "")

#: Beginning of an operator's name: its endings, the key it asks for, the policy's values, the request's.
FAMILIES: dict[str, tuple[tuple[str, ...], str, st.SearchStrategy[str], st.SearchStrategy[str]]] = {
    "String": (
        ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase"),
        "ses:FromAddress",
        either(TEXTS, some(*VARIABLES, "É")),
        either(TEXTS, some("a\n", "é", "*")),
    ),
    "StringL": (
        ("ike", "ike", "ike"),
        "ses:Recipients",
        st.one_of(PATTERNS, PATTERNS, PATTERNS, some(*VARIABLES)),
        either(TEXTS, some("a\n", "a*")),
    ),
    "StringN": (("otLike",), "ses:Recipients", either(PATTERNS, some(*VARIABLES)), TEXTS),
    "Numeric": (
        ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
        "ses:Number",
        either(NUMBERS, ODD_NUMBERS),
        either(NUMBERS, ODD_NUMBERS),
    ),
    "Date": (
        ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
        "ses:Date",
        either(DATES, ODD_DATES),
        either(DATES, ODD_DATES),
    ),
    "Bool": (("",), "ses:Flag", either(FLAGS, ODD_FLAGS), either(FLAGS, ODD_FLAGS)),
    "Binary": (("Equals",), "ses:Octets", either(OCTETS, ODD_OCTETS), either(OCTETS, ODD_OCTETS)),
    "Ip": (("Address",), "aws:SourceIp", either(RANGES, ODD_ADDRESSES), either(ADDRESSES, ODD_ADDRESSES)),
    "NotIp": (("Address",), "aws:SourceIp", either(RANGES, ODD_ADDRESSES), either(ADDRESSES, ODD_ADDRESSES)),
    "Arn": (
        ("Equals", "Like", "NotEquals", "NotLike"),
        "ses:Arn",
        either(st.one_of(ARNS, ARN_PATTERNS), some("*", "arn:aws", *VARIABLES)),
        either(ARNS, some("x", "arn:aws:sns:r:1")),
    ),
    "Null": (("",), "ses:Number", either(FLAGS, some("no")), NUMBERS),
}
KEYS = {family[1]: family[3] for name, family in FAMILIES.items() if name != "Null"}
MANY_VALUED = ("ses:Recipients", "ses:FromAddress")


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """A Condition of up to two entries."""
    made: dict[str, dict[str, Any]] = {}
    for family in draw(st.lists(st.sampled_from(sorted(FAMILIES)), max_size=2)):
        endings, key, wanted, _ = FAMILIES[family]
        operator = family + draw(st.sampled_from(endings))
        if operator != "Null" or draw(once_in(10)):
            quantifiers = ("", "ForAllValues:", "ForAnyValue:") if key in MANY_VALUED else ("",) * 8 + ("ForAnyValue:",)
            operator = draw(st.sampled_from(quantifiers)) + operator
        operator += draw(st.sampled_from(("", "", "", "IfExists"))) if not operator.endswith("Null") else ""
        several = 1 if operator == "Null" and not draw(once_in(10)) else 3
        values = draw(st.lists(wanted, min_size=1, max_size=several))
        made[operator] = {draw(some(key, key, key.lower())): values if len(values) > 1 else values[0]}
    return made


def listed(usual: Sequence[str], odd: Sequence[str]) -> st.SearchStrategy[Any]:
    one = either(st.sampled_from(usual), st.sampled_from(odd))
    return st.one_of(one, st.lists(one, min_size=1, max_size=2))


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """A statement, readable but for its values, mostly about the requests below."""
    who: Any = draw(st.one_of(st.just("*"), listed(NAMED, ODD_NAMED).map(lambda named: {"AWS": named})))
    if isinstance(who, dict) and draw(once_in(6)):
        who[draw(some("Service", "Service", "Federated"))] = draw(either(some(*SERVICES), some("*")))
    effect = draw(some("Allow", "Deny"))
    principal = "NotPrincipal" if effect == "Deny" and draw(once_in(20)) else "Principal"
    return {
        "Effect": effect,
        principal: who,
        draw(some("Action", "Action", "Action", "NotAction")): draw(listed(ACTIONS, ODD_ACTIONS)),
        draw(some("Resource", "Resource", "Resource", "NotResource")): draw(listed(RESOURCES, ODD_RESOURCES)),
        "Condition": draw(conditions()),
    }


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A policy of up to three statements, beside a broad Allow in half of them, and a request."""
    made = draw(st.lists(statements(), min_size=1, max_size=3))
    if draw(st.booleans()):
        made.append({"Effect": "Allow", "Principal": "*", "Action": "ses:*", "Resource": "*"})
    context = {}
    for key in draw(st.lists(st.sampled_from(sorted(KEYS)), unique=True, max_size=9)):
        most = 3 if key in MANY_VALUED and draw(st.booleans()) else 1
        context[key] = draw(st.lists(KEYS[key], min_size=0 if draw(once_in(20)) else 1, max_size=most))
    if draw(st.booleans()):
        context["aws:PrincipalTag/team"] = [draw(either(some("a", "example", "b"), some("*", "", "a:b")))]
    return Case(
        made,
        context,
        draw(st.sampled_from(CALLERS)),
        draw(some("ses:SendRawEmail", "ses:SendRawEmail", "ses:SendEmail", "s3:GetObject")),
        draw(some(IDENTITY, IDENTITY, IDENTITY.replace("example", "a"))),
        draw(st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17", None])),
    )


def compare(case: Case) -> tuple[set[Kind], Decision, Decision]:
    """Both answers, and what kinds of differences there may be between them."""
    plain = with_values_for_variables(case)
    known = [d for d in known_differences(case) if d.name != "variables"] + known_differences(plain, readable=True)
    return {difference.kind for difference in known}, ours(case), theirs(plain)


@settings(max_examples=EXAMPLES)
@given(cases())
def test_two_judges_agree(case):
    """
    Where no difference is known the answers are the same; where AWS leaves a doubt, ours is the stricter.
    """
    kinds, mine, other = compare(case)
    event("/".join(sorted(kind.name for kind in kinds)) or "compared")

    if not kinds:
        assert mine is other
    if kinds == {Kind.DOUBT}:
        assert mine is not Decision.ALLOW or other is Decision.ALLOW
        assert mine is Decision.EXPLICIT_DENY or other is not Decision.EXPLICIT_DENY
    if Kind.UNREADABLE in kinds:
        assert mine is Decision.UNDECIDED


def test_the_comparison_compares():
    """
    Half of what is generated has no known difference, and every answer is among it.
    """
    seen: Counter[Decision] = Counter()

    @settings(max_examples=300, derandomize=True, database=None, deadline=None)
    @given(cases())
    def compared(case: Case) -> None:
        kinds, mine, _ = compare(case)
        if not kinds:
            seen[mine] += 1

    compared()
    assert seen.total() > 150
    assert min(seen[d] for d in (Decision.ALLOW, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY)) > 5


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_a_known_difference(difference: Difference):
    """
    It shows as listed, is found from the case alone, and nothing else explains it; a doubt never makes ours laxer.
    """
    case = difference.example
    kinds = {found.kind for found in known_differences(case)}

    assert (difference.ours, difference.theirs) == (ours(case), theirs(case))
    assert difference.ours is not difference.theirs
    assert difference.may_show(case)
    assert {difference.kind} == kinds
    assert difference.kind is not Kind.DOUBT or difference.ours in (Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY)
    assert difference.why.endswith(".")
    assert difference.page
