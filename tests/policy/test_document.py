"""What is a policy, and what is a problem with its path."""

import hashlib
import json
from typing import Any

import pytest

from relay.policy.answers import Decision
from relay.policy.document import LONGEST_TEXT, Policy, UnreadablePolicy, parse_document, parse_policy
from relay.policy.strict_json import JsonProblem, decode
from tests.policy.asking import YES, both_ways, condition, decision, load, policy, readable, request, statement

UNREADABLE = load("policy-unreadable.jsonl")


@pytest.mark.parametrize("case", UNREADABLE, ids=[case["name"] for case in UNREADABLE])
def test_each_fault_is_a_problem_with_its_path(case):
    """
    The policy is unreadable, and its problems say where and why, each once.
    """
    made = parse_policy("p", case["text"] if "text" in case else json.dumps(case["policy"]))

    assert isinstance(made, UnreadablePolicy)
    told = [(problem.path, problem.why) for problem in made.problems]
    for path, why in case["problems"]:
        assert any(p.startswith(path) and why in w for p, w in told), told
    assert len(set(told)) == len(told)
    if case["name"] == "everything at once":
        assert len(told) == len(case["problems"])


def test_nesting_beyond_all_sense_is_a_problem():
    """
    Neither the reader's stack nor ours gives way.
    """
    made = parse_policy("p", "[" * 100_000)
    assert isinstance(made, UnreadablePolicy)
    assert made.problems[0].why == "nested too deeply"
    deep: Any = "*"
    for _ in range(50_000):
        deep = [deep]
    assert isinstance(parse_document("p", {"Statement": deep}), UnreadablePolicy)


@pytest.mark.parametrize(("text", "offset"), [("", 0), ('{"a": tru}', 6), ("[" * 100_000, None)])
def test_a_fault_of_json_says_where_it_is(text, offset):
    """
    In characters; nesting is nowhere.
    """
    with pytest.raises(JsonProblem) as caught:
        decode(text)
    assert caught.value.offset == offset


def test_a_text_beyond_all_policies_is_a_problem():
    """
    It is not even looked at.
    """
    made = parse_policy("p", " " * (LONGEST_TEXT + 1))
    assert isinstance(made, UnreadablePolicy)
    assert made.problems[0].path == "$"


def test_the_digest_is_of_the_text():
    """
    Readable or not, and whatever is in it.
    """
    text = json.dumps({"Statement": statement()})
    assert parse_policy("p", text).digest == hashlib.sha256(text.encode()).hexdigest()
    assert parse_policy("p", "{").digest == hashlib.sha256(b"{").hexdigest()
    assert len(parse_policy("p", "\ud800").digest) == 64


@pytest.mark.parametrize(
    "document",
    [
        {"Statement": statement()},
        {"Statement": [statement()], "Id": "any thing", "Version": "2008-10-17"},
        {"Statement": [statement(Sid="with blanks, and ümlauts"), statement(Sid="with blanks, and ümlauts")]},
        {"Statement": [statement(Condition={})]},
        {"Statement": [statement(Condition={"StringEquals": {"no:such key/at all": "x"}})]},
        {"Statement": [statement(Principal={"AWS": ["AIDAEXAMPLE", "arn:aws:iam::EXAMPLE65304:user/x"]})]},
        {
            "Statement": [
                statement(Principal={"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"})
            ]
        },
        {
            "Statement": [
                statement(Principal={"CanonicalUser": "79a59df9", "Federated": ["a", "arn:aws:iam::1:saml/x"]})
            ]
        },
        {"Statement": [statement(Resource="arn:aws:ses:us-east-1:EXAMPLE65304:identity/example.com")]},
    ],
)
def test_what_aws_accepts_is_readable(document):
    """
    One statement without a list, any Id and Sid, empty Condition, unknown keys, opaque accounts, deleted principals.
    """
    assert isinstance(parse_document("p", document), Policy)


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("NumericEquals", 10, "10"),
        ("NumericEquals", 10.50, "10.5"),
        ("NumericLessThan", [-1, 3], "2"),
        ("Bool", True, "true"),
        ("Bool", [False], "false"),
        ("StringEquals", 10, "10"),
        ("StringEquals", True, "true"),
        ("StringEquals", ["a"], "a"),
        ("DateEquals", 1577836800, "2020-01-01"),
    ],
)
def test_numbers_and_booleans_may_go_without_quotes(operator, value, found):
    """
    IAM User Guide, "Grammar": and a list of one without its brackets.
    """
    assert condition(operator, value, found) == YES


def test_a_number_keeps_its_spelling():
    """
    No digit is lost between the text of a policy and its value.
    """
    text = (
        '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",'
        '"Condition":{"StringEquals":{"aws:k":[1.10,9007199254740993,1e2]}}}}'
    )
    for found in ("1.10", "9007199254740993", "1e2"):
        made = parse_policy("p", text)
        assert isinstance(made, Policy)
        assert made.statements[0].conditions[0].truth(request({"aws:k": found}).context) == 2
    assert decode("[" + "9" * 10_000 + "]") == ["9" * 10_000]


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 10**5000, {1, 2}, object(), b"x"],
    ids=["nan", "infinity", "an endless integer", "a set", "an object", "bytes"],
)
def test_a_decoded_value_of_no_json_type_is_a_problem(value):
    """
    Whoever hands in a value instead of text gets problems, not exceptions.
    """
    assert isinstance(policy(statement(Condition={"NumericEquals": {"aws:k": value}})), UnreadablePolicy)
    assert isinstance(parse_document("p", {"Statement": value}), UnreadablePolicy)


def test_an_allow_with_a_value_that_cannot_be_read_allows_nothing_and_says_so():
    """
    The same in a Deny makes the policy unreadable: a Deny that cannot be evaluated is never skipped.
    """
    entry = {"NumericLessThan": {"aws:k": ["ten", "5"]}, "Null": {"aws:k": ["false", "no"]}}

    made = readable(statement(Condition=entry), statement(Action="ses:GetEmailIdentity"))
    assert [doubt.path for doubt in made.doubts] == [
        '$.Statement[0].Condition.NumericLessThan["aws:k"][0]',
        '$.Statement[0].Condition.Null["aws:k"][1]',
    ]
    assert decision(request({"aws:k": "4"}), statement(Condition=entry)) is Decision.ALLOW
    assert decision(request({"aws:k": "6"}), statement(Condition=entry)) is Decision.IMPLICIT_DENY
    assert decision(request({}), statement(Condition=entry)) is Decision.IMPLICIT_DENY
    assert decision(request({"aws:k": "6"}), statement("Deny", Condition=entry)) is Decision.UNDECIDED


@pytest.mark.parametrize(
    ("operator", "good", "bad", "found"),
    [
        ("Numeric{}Equals", "1", "one", "2"),
        ("Date{}Equals", "2020-01-01", "then", "2021-01-01"),
        ("{}IpAddress", "10.0.0.0/8", "10.0.0.0/33", "192.0.2.1"),
    ],
)
def test_a_value_that_cannot_be_read_is_no_value_that_does_not_match(operator, good, bad, found):
    """
    A negated operator must not allow because one of its values makes no sense.
    """
    negated = operator.format("Not")
    for name, values, allowed in (
        (operator.format(""), [good, bad], False),
        (negated, [good, bad], False),
        (negated, [good], True),
    ):
        entry = {name: {"aws:k": values}}
        assert (decision(request({"aws:k": found}), statement(Condition=entry)) is Decision.ALLOW) is allowed


def test_all_entries_must_hold_and_any_value_will_do():
    """
    And between entries, or between values, nor under a negated operator.
    """
    entry = {"StringEquals": {"aws:a": ["x", "y"], "aws:b": "z"}, "StringNotEquals": {"aws:c": ["p", "q"]}}

    for found, holds in (
        ({"aws:a": "y", "aws:b": "z", "aws:c": "r"}, True),
        ({"aws:a": "w", "aws:b": "z", "aws:c": "r"}, False),
        ({"aws:a": "x", "aws:b": "w", "aws:c": "r"}, False),
        ({"aws:a": "x", "aws:b": "z", "aws:c": "q"}, False),
        ({"aws:a": "x", "aws:b": "z"}, True),
        ({"aws:b": "z"}, False),
    ):
        assert both_ways(request(found), Condition=entry) == (holds, holds)
