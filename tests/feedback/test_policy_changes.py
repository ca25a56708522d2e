"""Which identity a recorded call changed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.feedback.policy_changes import CALLS, PATTERN, read_policy_change
from relay.feedback.wrappings import Malformed
from tests.feedback.telling import by_sns, event, recorded

ARN = "arn:aws:ses:us-east-1:888888888888:identity/example.com"


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        ("PutIdentityPolicy", {"identity": "example.com", "policyName": "billing"}),
        ("DeleteIdentityPolicy", {"identity": ARN}),
        ("CreateEmailIdentityPolicy", {"emailIdentity": "example.com"}),
        ("UpdateEmailIdentityPolicy", {"emailIdentity": "example.com"}),
        ("DeleteEmailIdentityPolicy", {"emailIdentity": "example.com"}),
        ("CreateEmailIdentity", {"emailIdentity": "example.com"}),
        ("DeleteEmailIdentity", {"emailIdentity": "example.com"}),
        ("DeleteIdentity", {"identity": "example.com"}),
        ("VerifyDomainIdentity", {"domain": "example.com"}),
        ("VerifyDomainDkim", {"domain": "example.com"}),
    ],
)
@pytest.mark.parametrize("around", [str, by_sns])
def test_the_identity_is_named_however_the_call_names_it(call, asked, around):
    change = read_policy_change(around(recorded(call, **asked)))

    assert change is not None
    assert (change.call, str(change.identity)) == (call, ARN)


def test_an_address_and_another_partition():
    change = read_policy_change(recorded("VerifyEmailIdentity", region="cn-north-1", emailAddress="ceo@example.com"))

    assert change is not None
    assert str(change.identity) == "arn:aws-cn:ses:cn-north-1:888888888888:identity/ceo@example.com"


@pytest.mark.parametrize("name", ["HIDDEN_DUE_TO_SECURITY_REASONS ", "arn:aws:ses:eu-west-1:1:identity/x", "a" * 500])
def test_an_identity_that_cannot_be_told_is_any_of_the_account(name):
    """An ARN of another account or region is not believed: the call was made here."""
    change = read_policy_change(recorded("PutIdentityPolicy", identity=name))

    assert change is not None
    assert (change.account, change.region, change.identity) == ("888888888888", "us-east-1", None)


@pytest.mark.parametrize(
    "body",
    [
        recorded("SendRawEmail", source="a@example.com"),
        recorded("GetIdentityPolicies", identity="example.com"),
        recorded("PutIdentityPolicy", identity="example.com", errorCode="AccessDenied"),
        recorded("PutIdentityPolicy", identity="example.com").replace("ses.amazonaws.com", "s3.amazonaws.com"),
    ],
)
def test_what_changed_nothing_is_passed_over(body):
    assert read_policy_change(body) is None


@pytest.mark.parametrize("body", ["", "{}", event("Send"), recorded("PutIdentityPolicy", account="")])
def test_what_is_no_record_is_malformed(body):
    with pytest.raises(Malformed):
        read_policy_change(body)


def test_the_pattern_lets_through_what_is_read():
    assert PATTERN["detail"]["eventName"] == list(CALLS)


values = st.none() | st.text(max_size=5) | st.dictionaries(st.sampled_from(["identity", "domain"]), st.text(max_size=5))
names = st.sampled_from(["eventName", "requestParameters", "awsRegion", "recipientAccountId", "detail"])


@given(st.dictionaries(names, values))
def test_whatever_comes_is_a_change_or_malformed(more: dict[str, Any]) -> None:
    told = json.loads(recorded("PutIdentityPolicy", identity="example.com"))
    for body in (json.dumps({**told, **more}), json.dumps({**told, "detail": {**told["detail"], **more}})):
        try:
            change = read_policy_change(body)
        except Malformed:
            continue
        assert change is None or change.call in CALLS
