"""What the judge says a condition key holds, where a mistake would let mail pass."""

import time
from dataclasses import replace
from typing import Any

import pytest

from relay.judgement.early import judge_early
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Role, Verdict
from relay.words.addresses import NullPath
from relay.words.endings import Reason
from tests.judgement.building import (
    NOW,
    address,
    allow,
    arn,
    catalog,
    delegate,
    deny,
    envelope,
    facts,
    identity,
    judge,
    policy,
)

USER = "arn:aws:iam::111111111111:user/division/team/app"
ROLE = "arn:aws:iam::111111111111:role/path/R"
SESSION = "arn:aws:sts::111111111111:assumed-role/R/s"


def allowed(condition: dict[str, Any], who: Any = None, **rules: Any) -> bool:
    """Whether an Allow of everyone on this condition lets a message pass."""
    judgement = judge(catalog(identity("example.com", allow("*", **condition))), who=who, rules=Rules(**rules))
    return judgement.permit is not None


@pytest.mark.parametrize(
    ("who", "key", "value"),
    [
        (delegate(USER), "aws:username", "app"),
        (delegate(USER), "aws:PrincipalType", "User"),
        (delegate(ROLE), "aws:PrincipalType", "AssumedRole"),
        (delegate(SESSION, role=ROLE), "aws:PrincipalType", "AssumedRole"),
        (delegate(SESSION, role=ROLE), "aws:PrincipalArn", ROLE),
        (delegate(USER), "aws:PrincipalArn", USER),
        (delegate(USER), "aws:PrincipalAccount", "111111111111"),
        (delegate(USER, principal_tags={"Team": "red"}), "aws:PrincipalTag/team", "red"),
    ],
)
def test_a_key_of_the_caller_is_known(who, key, value):
    """
    Exactly so.
    """
    assert allowed({"StringEquals": {key: value}}, who)
    assert not allowed({"StringNotEquals": {key: value}}, who)


@pytest.mark.parametrize(
    ("who", "key"),
    [
        (delegate(USER), "aws:PrincipalOrgID"),
        (delegate(SESSION), "aws:PrincipalArn"),
        (delegate("111111111111"), "aws:PrincipalArn"),
        (delegate("111111111111"), "aws:username"),
        (delegate("111111111111"), "aws:PrincipalType"),
        (delegate("arn:aws:iam::111111111111:root"), "aws:username"),
        (delegate("arn:aws:iam::111111111111:root"), "aws:PrincipalType"),
        (delegate(USER, principal_tags={"Team": "red"}), "Team"),
        (delegate(USER, principal_tags={"Team": "red"}), "aws:PrincipalTag/other"),
    ],
)
def test_a_key_that_nobody_can_know_is_neither_present_nor_absent(who, key):
    """
    No Allow counts on it.
    """
    for condition in ({"Null": {key: "true"}}, {"Null": {key: "false"}}, {"StringNotEquals": {key: "red"}}):
        assert not allowed(condition, who)


@pytest.mark.parametrize("who", [delegate(ROLE), delegate(SESSION, role=ROLE), delegate(SESSION)])
def test_roles_have_no_user_name(who):
    """
    Nor have their sessions.
    """
    assert allowed({"Null": {"aws:username": "true"}}, who)


@pytest.mark.parametrize(
    ("egress", "absent", "unknown"),
    [
        (("192.0.2.1",), ("aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp"), ()),
        (("vpce-1", "vpc-1"), ("aws:SourceIp",), ("aws:VpcSourceIp",)),
        (("vpce-1",), ("aws:SourceIp",), ("aws:SourceVpc", "aws:VpcSourceIp")),
        (("vpc-1",), ("aws:SourceIp",), ("aws:SourceVpce", "aws:VpcSourceIp")),
        ((), (), ("aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp")),
    ],
)
def test_the_road_to_ses(egress, absent, unknown):
    """
    What is not said of it is unknown, unless the road that is said excludes it.
    """
    for key in absent:
        assert allowed({"Null": {key: "true"}}, egress=egress), key
    for key in unknown:
        assert not allowed({"Null": {key: "true"}}, egress=egress), key
        assert not allowed({"Null": {key: "false"}}, egress=egress), key


@pytest.mark.parametrize(
    ("entry", "is_one"),
    [
        ("192.0.2.1", True),
        ("192.0.2.1/32", True),
        ("192.0.2.0/31", False),
        ("2001:db8::1", True),
        ("2001:db8::1/128", True),
        ("2001:db8::/32", False),
        ("192.0.2.1/128", False),
    ],
)
def test_a_network_of_one_address_is_that_address(entry, is_one):
    """
    Of any other, any address may be the one.
    """
    assert allowed({"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/16"]}}, egress=(entry,)) is is_one


def test_time_is_told_in_utc(monkeypatch):
    """
    Wherever the relay stands.
    """
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert allowed({"DateEquals": {"aws:CurrentTime": "2025-10-09T08:53:20Z"}})
        assert allowed({"NumericEquals": {"aws:EpochTime": "1760000000"}})
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_second_policy_is_asked_with_its_own_keys():
    """
    A key that only one of them mentions is looked up all the same.
    """
    two = tuple(
        policy(made, resource=arn("example.com"), name=str(n))
        for n, made in enumerate([allow(), deny(StringLike={"ses:FromAddress": "app@*"})])
    )
    known = catalog(replace(identity("example.com"), policies=two))

    assert judge(known).decisions[0].verdict is Verdict.DENIED
    assert judge(known, facts("b@example.com"), envelope("b@example.com")).permit is not None
    both = judge(catalog(replace(identity("example.com"), policies=two[::-1])), path=envelope("b@example.com"))
    assert [decision.verdict for decision in both.decisions] == [Verdict.DENIED, Verdict.DENIED]


def test_traces_are_kept_of_refusals_or_when_asked_for():
    """
    They cost several times the answer.
    """
    known = catalog(identity("example.com", allow()))

    assert [len(told.traces) for _, _, told in judge(known).decisions[0].evaluations] == [0]
    assert [len(told.traces) for _, _, told in judge(known, trace=True).decisions[0].evaluations] == [1]
    refused = judge(catalog(identity("example.com", deny(), allow())))
    assert [len(told.traces) for _, _, told in refused.decisions[0].evaluations] == [2]


def test_a_refusal_before_any_question_has_no_decisions():
    """
    Late or early, by the form of the message or of its reverse-path.
    """
    known = catalog(identity("example.com", allow()))
    early = judge_early(NullPath.NULL, delegate(), known, Rules(), NOW)

    for judgement in (
        early,
        judge(known, path=envelope("<>")),
        judge(known, facts(x_ses={"x-ses-tenant": "a"})),
        judge(known, facts(source_arn="x")),
    ):
        assert judgement is not None
        assert (judgement.decisions, judgement.permit) == ((), None)
        assert judgement.reason in {Reason.ADDRESS_FORM, Reason.MESSAGE_FORM}
        assert str(judgement.mode) == "enforce"
    observed = judge_early(NullPath.NULL, delegate(mode="observe"), known, Rules(), NOW)
    assert observed is not None
    assert str(observed.mode) == "observe"


def test_an_early_refusal_is_a_decision_like_any_other():
    """
    Of the feedback address, with what was asked, what was read, and what is to be done.
    """
    known = catalog(identity("example.com", deny(), allow()))
    early = judge_early(address("app@example.com"), delegate(), known, Rules(), NOW)
    assert early is not None
    (decision,) = early.decisions

    assert (decision.role, str(decision.address), str(decision.identity)) == (
        Role.FEEDBACK,
        "app@example.com",
        arn("example.com"),
    )
    assert decision.digests == tuple(
        p.digest for p in known.owners["888888888888", "us-east-1"].by_folded_name["example.com"][0].policies
    )
    assert (decision.refusal, decision.reason) == (early.reply, early.reason)
    nobody = judge_early(address("a@nobody.example"), delegate(), known, Rules(), NOW)
    assert nobody is not None
    (decision,) = nobody.decisions
    assert (decision.identity, decision.verdict, decision.refusal, decision.reason, decision.evaluations) == (
        None,
        Verdict.NOT_ALLOWED,
        nobody.reply,
        nobody.reason,
        (),
    )
