"""Where engines disagree over what a value is: each decided on purpose, as docs/policies.md says."""

import pytest

from relay.policy.document import UnreadablePolicy
from tests.policy.asking import FAILS_CLOSED, NO, YES, condition, policy, readable, statement


def test_arn_operators_go_field_by_field():
    """
    Trap 10: a wildcard of ArnLike stays in its field, but for the last; ArnEquals is the same operator.
    """
    for operator in ("ArnLike", "ArnEquals"):
        assert condition(operator, "arn:aws:sns:*:x:t", "arn:aws:sns:a:b:x:t") == NO
        assert condition(operator, "arn:aws:sns:*:1:t", "arn:aws:sns:us:east:1:t") == NO
        assert condition(operator, "arn:aws:sns:*:1:t*", "arn:aws:sns:us:1:topic:more") == YES
        assert condition(operator, "arn:aws:sns:us:1:topic", "arn:aws:sns:us:1:topic") == YES
        assert condition(operator, "arn:aws:SNS:us:1:topic", "arn:aws:sns:us:1:topic") == NO


def test_arn_like_a_star_alone_fails_closed():
    """
    Trap 10: whether ``ArnLike "*"`` matches, or any pattern of fewer than six fields, AWS does not say.
    """
    assert condition("ArnLike", "*", "arn:aws:sns:us:1:topic") == FAILS_CLOSED
    assert condition("ArnLike", "arn:aws:sns:*", "arn:aws:sns:us:1:topic") == FAILS_CLOSED
    assert condition("ArnLike", "arn:aws:sqs:*", "arn:aws:sns:us:1:topic") == NO
    assert condition("ArnNotLike", "*", "arn:aws:sns:us:1:topic") == FAILS_CLOSED
    assert [doubt.path for doubt in readable(statement(Condition={"ArnLike": {"aws:k": "*"}})).doubts] == [
        '$.Statement[0].Condition.ArnLike["aws:k"]'
    ]


@pytest.mark.parametrize(
    ("spelled", "found", "holds"),
    [
        ("1577836800", "2020-01-01T00:00:00Z", YES),
        ("1577836800000", "2020-01-01T00:00:00Z", NO),
        ("2024-01-01", "2024-01-01T00:00:00Z", YES),
        ("2024-01-01T01:00:00+01:00", "2024-01-01", YES),
        ("2023-12-31T18:29:59-05:30", "2023-12-31T23:59:59Z", YES),
        ("2024-02", "2024-02-01T00:00Z", YES),
        ("2024-02-30", "2024-03-01", FAILS_CLOSED),
        ("2024-01-01T24:00:00Z", "2024-01-02", FAILS_CLOSED),
        ("2024-01-01T00:00:00", "2024-01-01", FAILS_CLOSED),
        ("2024-01-01 00:00:00Z", "2024-01-01", FAILS_CLOSED),
        ("0000-01-01", "2024-01-01", FAILS_CLOSED),
        ("2024-01-01T00:00:00+24:00", "2024-01-01", FAILS_CLOSED),
        ("2024-01-01" + "0" * 60, "2024-01-01", FAILS_CLOSED),
        ("2024-01-01T00:00:00.50Z", "2024-01-01T00:00:00.5Z", YES),
        ("-1", "1969-12-31T23:59:59Z", FAILS_CLOSED),
        ("1577836800.5", "2020-01-01T00:00:00.5Z", FAILS_CLOSED),
        ("2020", "2020-01-01T00:00:00Z", FAILS_CLOSED),
    ],
)
def test_epochs_are_seconds_and_days_begin_in_greenwich(spelled, found, holds):
    """
    Trap 17: what is negative, fractional or perhaps a year allows nothing; a Deny with it is unreadable.
    """
    allows, denies = condition("DateEquals", spelled, found)

    assert holds[0] is allows
    assert denies is (holds is YES)
    if holds is FAILS_CLOSED:
        made = policy(statement("Deny", Condition={"DateEquals": {"aws:k": spelled}}))
        assert isinstance(made, UnreadablePolicy)


def test_numbers_are_exact():
    """
    Trap 18: no digit is lost, whoever counts in floating point; an exponent is no integer or decimal.
    """
    assert condition("NumericEquals", "9007199254740993", "9007199254740992") == NO
    assert condition("NumericGreaterThan", "9007199254740992", "9007199254740993") == YES
    assert condition("NumericEquals", "1.10", "1.1") == YES
    assert condition("NumericLessThan", "0.3", "0.29999999999999999999999999999") == YES
    assert condition("NumericLessThan", "1" + "0" * 5000, "9" * 5000) == YES
    assert condition("NumericEquals", "1e1", "10") == (False, False)
    assert condition("NumericEquals", "10", "1e1") == FAILS_CLOSED


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("NotIpAddress", "203.0.113.0/24", "abc"),
        ("IpAddress", "203.0.113.0/24", "abc"),
        ("ArnNotLike", "arn:aws:sns:*:*:*", "abc"),
        ("ArnLike", "arn:aws:sns:*:*:*", "abc"),
        ("NumericNotEquals", "1", "abc"),
        ("NumericEquals", "1", "abc"),
        ("DateNotEquals", "2020-01-01", "abc"),
        ("DateLessThan", "2020-01-01", "2019-01-01T00:00:00"),
        ("Bool", "true", "abc"),
        ("BinaryEquals", "YQ==", "%%%"),
    ],
)
def test_a_value_that_cannot_be_read_fails_closed(operator, value, found):
    """
    Trap 19: the request's value is no number, date, address, ARN: neither the operator nor its negation allows.
    """
    assert condition(operator, value, found) == FAILS_CLOSED


def test_binary_is_base64_on_both_sides():
    """
    Trap 20: the octets are compared, not their spelling. ``BinaryNotEquals`` does not exist.
    """
    assert condition("BinaryEquals", "QmluYXJ5", "QmluYXJ5") == YES
    assert condition("BinaryEquals", "QmluYXJ5", "YQ==") == NO
    assert condition("BinaryEquals", "YR==", "YQ==") == YES, "the bits behind the last octet are nothing"
    assert isinstance(policy(statement(Condition={"BinaryNotEquals": {"aws:k": "YQ=="}})), UnreadablePolicy)


def test_null_under_a_set_operator():
    """
    Trap 22: Null as ever where the quantifier would not change the answer; else it fails closed.
    """
    assert condition("ForAllValues:Null", "true", None) == YES
    assert condition("ForAllValues:Null", "false", None) == FAILS_CLOSED
    assert condition("ForAnyValue:Null", "true", None) == FAILS_CLOSED
    assert condition("ForAnyValue:Null", "false", None) == NO
    for quantifier in ("", "ForAllValues:", "ForAnyValue:"):
        assert condition(f"{quantifier}Null", "true", "x") == NO
        assert condition(f"{quantifier}Null", "false", "x") == YES
    assert condition("Null", True, None) == YES
    assert condition("Null", False, None) == NO
    assert condition("Null", ["true", "false"], None) == YES
    assert isinstance(policy(statement(Condition={"NullIfExists": {"aws:k": "true"}})), UnreadablePolicy)


@pytest.mark.parametrize(
    ("value", "found", "holds"),
    [
        ("203.0.113.7", "203.0.113.7", YES),
        ("203.0.113.7", "203.0.113.8", NO),
        ("203.0.113.99/24", "203.0.113.7", YES),
        ("2001:db8::1", "2001:DB8:0::1", YES),
        ("2001:db8::/32", "203.0.113.7", NO),
        ("0.0.0.0/0", "2001:db8::1", NO),
        ("::/0", "203.0.113.7", NO),
        ("203.0.113.0/24", "::ffff:203.0.113.7", FAILS_CLOSED),
        ("203.0.113.0/24", "::ffff:198.51.100.1", NO),
        ("::ffff:0:0/96", "::ffff:203.0.113.7", FAILS_CLOSED),
        ("::ffff:0:0/96", "203.0.113.7", NO),
    ],
)
def test_addresses_and_ranges(value, found, holds):
    """
    Trap 23: a bare address is itself; families never mix; an IPv4 address in IPv6 clothes fails closed.
    """
    assert holds == condition("IpAddress", value, found)
    opposite = {YES: NO, NO: YES, FAILS_CLOSED: FAILS_CLOSED}
    assert opposite[holds] == condition("NotIpAddress", value, found)


@pytest.mark.parametrize(
    ("value", "found", "holds"),
    [
        ("bob", "BOB", YES),
        ("Straße", "sTRAßE", YES),
        ("Straße", "STRASSE", FAILS_CLOSED),
        ("Éva", "éva", FAILS_CLOSED),
        ("kelvin", "\u212aelvin", FAILS_CLOSED),
        ("bob", "rob", NO),
    ],
)
def test_case_outside_ascii_fails_closed(value, found, holds):
    """
    StringEqualsIgnoreCase: AWS does not say how it folds letters beyond A to Z.
    """
    assert holds == condition("StringEqualsIgnoreCase", value, found)
    assert holds == condition("StringEqualsIgnoreCase", "${aws:v}", found, aws_v=value)


@pytest.mark.parametrize(("value", "found"), [("True", "true"), ("false", "FALSE"), ("TRUE", "TRUE")])
def test_booleans_in_another_case_fail_closed(value, found):
    """
    Bool: AWS writes ``true`` and ``false`` and does not say what becomes of ``True``.
    """
    assert condition("Bool", value, found) == FAILS_CLOSED
    assert condition("Bool", value, "false" if found.lower() == "true" else "true") == NO
