"""What lint says will never be, never is (Hypothesis): its proofs against the evaluator that decides over mail."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.policy.answers import Decision, Truth
from relay.policy.document import Policy, parse_policy
from relay.policy.evaluation import evaluate
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request
from tests.policy.asking import IDENTITY
from tests.policy.lint.asking import lint, statement, text_of
from tests.policy.test_properties import READINGS

ADDRESSES = ("a@example.com", "b@example.com", "ab@example.com", "a+b@example.com", "A@example.com", "a@x.example.com")
PATTERNS = ("*@example.com", "a*@example.com", "?@example.com", "*b@*", "*@*.example.com", "*", "a?*", "*@example.???")
VARIABLES = ("${aws:username}@example.com", "${aws:username, 'a'}@example.com", "a${*}@example.com")
DATES = ("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-06-01T02:00:00+02:00", "2026-12-31", "1780000000")
NETWORKS = ("198.51.100.0/24", "198.51.100.7", "203.0.113.0/25", "2001:db8::/32", "0.0.0.0/0")
ROLES = ("arn:aws:iam::111111111111:role/a", "arn:aws:iam::111111111111:role/b", "arn:aws:iam::222222222222:role/a")
PEOPLE = (
    "111111111111",
    "arn:aws:iam::111111111111:root",
    "arn:aws:iam::111111111111:user/a",
    "arn:aws:sts::111111111111:assumed-role/a/s",
    "arn:aws:sts::111111111111:assumed-role/a/t",
    *ROLES,
    "222222222222",
)
TEXT = ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase")
GLOB = ("StringLike", "StringNotLike")
TIME = ("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals")
#: Keys, the operators that go with them and the values of those.
TRIED: tuple[tuple[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]], ...] = (
    ("ses:FromAddress", ((TEXT, (*ADDRESSES, *VARIABLES)), (GLOB, (*ADDRESSES, *PATTERNS, *VARIABLES)))),
    ("ses:Recipients", ((TEXT, ADDRESSES), (GLOB, (*ADDRESSES, *PATTERNS)))),
    ("ses:FromDisplayName", ((TEXT, ("News", "news", "Sales")), (GLOB, ("*ews", "News*", "*", "N?ws")))),
    ("aws:CurrentTime", ((TIME, DATES),)),
    ("aws:SourceIp", ((("IpAddress", "NotIpAddress"), NETWORKS),)),
    ("aws:SecureTransport", ((("Bool",), ("true", "false")),)),
    ("aws:PrincipalArn", ((("ArnLike", "ArnNotLike"), (*ROLES, "arn:aws:iam::*:role/a", "arn:*:iam::*:role/*")),)),
)


@st.composite
def conditions(draw: st.DrawFn, most: int = 3) -> dict[str, dict[str, list[str]]]:
    """A Condition of few keys with much in common."""
    made: dict[str, dict[str, list[str]]] = {}
    key, rows = draw(st.sampled_from(TRIED))
    for _ in range(draw(st.integers(0, most))):
        if draw(st.integers(0, 5)) == 0:
            made.setdefault("Null", {})[key] = [draw(st.sampled_from(("true", "false")))]
            continue
        operators, values = draw(st.sampled_from(rows))
        quantifier = draw(st.sampled_from(("", "", "ForAllValues:", "ForAnyValue:")))
        operator = quantifier + draw(st.sampled_from(operators)) + draw(st.sampled_from(("", "", "", "IfExists")))
        made.setdefault(operator, {})[key] = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    return made


@st.composite
def statements(draw: st.DrawFn, effects: tuple[str, ...] = ("Allow", "Allow", "Deny"), most: int = 2) -> dict[str, Any]:
    """A statement about some of these people, by some of these conditions."""
    who = draw(st.sampled_from(("*", *PEOPLE)))
    return statement(
        draw(st.sampled_from(effects)),
        Principal="*" if who == "*" and draw(st.booleans()) else {"AWS": [who]},
        Action=draw(st.sampled_from(("ses:SendRawEmail", "ses:Send*", "*", "ses:SendEmail"))),
        Condition=draw(conditions(most)),
    )


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A send as SES sees it: its own keys are always there, each holds one value but for the recipients."""
    maybe = {
        "ses:fromdisplayname": ("News", "news", "Sales", "Old News"),
        "aws:sourceip": ("198.51.100.7", "198.51.100.8", "203.0.113.200", "2001:db8::1"),
        "aws:principalarn": ROLES,
        "aws:username": ("a", "b", "a*"),
    }
    known = {
        "ses:fromaddress": (draw(st.sampled_from(ADDRESSES)),),
        "ses:recipients": tuple(draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3))),
        "aws:currenttime": (draw(st.sampled_from(DATES[:3])),),
        "aws:securetransport": ("true",),
    }
    known |= {key: (draw(st.sampled_from(values)),) for key, values in maybe.items() if draw(st.integers(0, 3))}
    unknown = frozenset(draw(st.sets(st.sampled_from(sorted(maybe))))) - known.keys()
    bare = draw(READINGS)
    caller = parse_caller(draw(st.sampled_from((*PEOPLE, "ecs.amazonaws.com", "anonymous"))))
    return Request(caller, "ses:SendRawEmail", IDENTITY, Context(known, unknown, (), bare))


def read(text: str) -> Policy:
    """The policy as the judge reads it."""
    made = parse_policy("p", text)
    assert isinstance(made, Policy), made
    return made


MANY_REQUESTS = st.lists(requests(), min_size=8, max_size=8)


@given(conditions(), MANY_REQUESTS)
def test_what_can_never_hold_never_allows(condition, asked):
    """
    An Allow with conditions that contradict each other allows no request of any kind.
    """
    text = text_of(statement(Principal="*", Condition=condition))
    if not any(finding.code == "never-holds" for finding in lint(text)):
        return
    assert {evaluate(request, [read(text)]).decision for request in asked} == {Decision.IMPLICIT_DENY}


@given(st.sampled_from(("StringEquals", "StringLike", "DateLessThan", "IpAddress", "NumericEquals")), MANY_REQUESTS)
def test_what_compares_another_kind_of_value_never_allows(operator, asked):
    """
    Keys that no send has, and operators that cannot read what a key holds.
    """
    values = {"DateLessThan": DATES[0], "IpAddress": "0.0.0.0/0", "NumericEquals": "1"}
    for key in ("ses:FromAddress", "aws:TagKeys", "aws:RequestTag/a", "aws:SecureTransport", "aws:CurrentTime"):
        text = text_of(statement(Principal="*", Condition={operator: {key: values.get(operator, "x")}}))
        found = {finding.code for finding in lint(text)}
        if found & {"operator-key-mismatch", "key-never-sent"}:
            assert Decision.ALLOW not in {evaluate(request, [read(text)]).decision for request in asked}


@given(st.lists(statements(("Allow", "Deny"), 1), min_size=2, max_size=4), st.integers(0, 4), MANY_REQUESTS)
def test_what_a_deny_covers_never_decides(made, cut, asked):
    """
    Wherever a shadowed statement applies, a Deny does, be it in the same policy or in another one of the identity.
    """
    parts = [part for part in (made[:cut], made[cut:]) if part]
    texts = [text_of(*part) for part in parts]
    shadowed = {(f.policy, f.path) for f in lint(*texts) if f.code == "shadowed-by-deny"}
    policies = [read(text) for text in texts]
    for request in asked if shadowed else ():
        for number, policy in enumerate(policies):
            answer = evaluate(request, [policy], trace=True)
            applying = {f"$.Statement[{t.statement.index}]" for t in answer.traces if t.applies is Truth.YES}
            if any((f"p{number}", path) in shadowed for path in applying):
                assert evaluate(request, policies).decision is Decision.EXPLICIT_DENY


@given(st.lists(statements(), min_size=2, max_size=4), MANY_REQUESTS)
def test_a_redundant_statement_can_be_taken_out(made, asked):
    """
    No answer changes, nor whom it names.
    """
    places = [f.path for f in lint(text_of(*made)) if f.code == "redundant-statement"]
    for place in places:
        left = [one for number, one in enumerate(made) if f"$.Statement[{number}]" != place]
        for request in asked:
            before, after = (evaluate(request, [read(text_of(*some))]) for some in (made, left))
            assert (before.decision, before.grant) == (after.decision, after.grant)


@given(statements(most=1), MANY_REQUESTS)
def test_a_redundant_value_can_be_taken_out(made, asked):
    """
    No answer changes.
    """
    text = text_of(made)
    places = {finding.path for finding in lint(text) if finding.code == "redundant-value"}
    if not places:
        return
    fewer = json.loads(json.dumps(made))
    for operator, block in fewer["Condition"].items():
        for key, values in block.items():
            name = operator if operator.isalnum() else f'["{operator}"]'
            path = f'$.Statement[0].Condition{"." if operator.isalnum() else ""}{name}["{key}"]'
            block[key] = [value for number, value in enumerate(values) if f"{path}[{number}]" not in places]
            assert block[key]
    for request in asked:
        before, after = (evaluate(request, [read(each)]).decision for each in (text, text_of(fewer)))
        assert before == after
