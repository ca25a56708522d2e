"""What is asked of STS for a role's session, and what its answers mean."""

from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest
from hypothesis import given as given_from
from hypothesis import strategies as st

from relay.sending.assuming import Session, question_for, region_for, session_of
from relay.sending.http_answers import Answer
from relay.sending.keys import AccessKey, Unusable
from relay.words.roles import AssumedRole

ROLE = AssumedRole("arn:aws:iam::111111111111:role/mail/app", "ses-relay-app", "asked+for=1")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"
ONE = "2026-03-01T13:00:00Z"


def given(expiration: str = ONE, arn: str = ROLE.principal, key: str = "ASIAROLE") -> bytes:
    """STS's answer, the elements in its own order."""
    return f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
      <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:ses-relay-app</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>
      <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>canary-secret</SecretAccessKey>
      <SessionToken>canary-token</SessionToken><Expiration>{expiration}</Expiration></Credentials>
      <PackedPolicySize>1</PackedPolicySize></AssumeRoleResult>
      <ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></AssumeRoleResponse>""".encode()


def refused(code: str, text: str) -> bytes:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>".encode()


def test_the_question_names_role_session_and_what_the_role_asks_for():
    asked = {name: value for name, [value] in parse_qs(question_for(ROLE).decode("ascii")).items()}

    assert asked == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": ROLE.arn,
        "RoleSessionName": "ses-relay-app",
        "DurationSeconds": "3600",
        "ExternalId": "asked+for=1",
    }
    assert b"ExternalId" not in question_for(AssumedRole(ROLE.arn, "x"))


@pytest.mark.parametrize(
    ("arn", "region", "asked"),
    [
        ("arn:aws:iam::1:role/x", "eu-west-1", "eu-west-1"),
        ("arn:aws:iam::1:role/x", None, "us-east-1"),
        ("arn:aws-cn:iam::1:role/x", None, "cn-north-1"),
        ("arn:aws-us-gov:iam::1:role/x", None, "us-gov-west-1"),
    ],
)
def test_sts_is_asked_in_our_region_or_in_one_of_the_roles_partition(arn, region, asked):
    assert region_for(AssumedRole(arn, "x"), region) == asked


def test_a_session_is_a_key_and_the_time_that_is_left_of_it():
    """By AWS's clock, whatever ours says."""
    years_late = datetime(2030, 1, 1, tzinfo=UTC)
    session = session_of(Answer(200, given(), DATE), ROLE, years_late)

    assert session == Session(AccessKey("ASIAROLE", "canary-secret", "canary-token"), 3600.0)
    for no_date in ("", "Sun, 01 Mar 99999999999999999999 12:00:00 GMT"):
        assert session_of(Answer(200, given(), no_date), ROLE, NOON) == session
    assert "canary" not in repr(session)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, refused("AccessDenied", "User: x is not authorized to perform: sts:AssumeRole"), "AccessDenied"),
        (400, refused("ExpiredTokenException", "The security token is expired"), "ExpiredTokenException"),
        (500, b"", "500"),
        (503, b"<html>busy</html>", "503"),
        (200, given(arn="arn:aws:sts::111111111111:assumed-role/app/somebody-else"), "WrongSession"),
        (200, given(arn=""), "WrongSession"),
        (200, b"", "WrongSession"),
        (200, given("2026-03-01T11:59:59Z"), "Expired"),
        (200, given("soon"), "Expired"),
        (200, given(key="ASIA\x07"), ""),
        (200, given(key=""), ""),
    ],
)
def test_everything_else_is_no_session(status, body, code):
    """Not of somebody else either: it would not be the principal that was judged."""
    answer = session_of(Answer(status, body, DATE), ROLE, NOON)

    assert isinstance(answer, Unusable)
    assert answer.code == code or (code == "" and "WrongSession" in answer.code)
    assert "canary" not in answer.why


@given_from(st.sampled_from([200, 400, 403, 500]), st.binary() | st.text().map(given), st.text())
def test_no_answer_of_whoever_it_is_gives_more_than_a_session_of_twelve_hours(status, body, date):
    session = session_of(Answer(status, body, date), ROLE, NOON)

    assert isinstance(session, Unusable) or 0 < session.seconds <= 43_200


def test_no_session_is_for_ever():
    session = session_of(Answer(200, given("9999-12-31T00:00:00Z"), DATE), ROLE, NOON)

    assert isinstance(session, Session)
    assert session.seconds == 43_200


def test_the_words_of_sts_are_one_line_and_not_long():
    answer = session_of(Answer(403, refused("AccessDenied", "x\n" * 2000), DATE), ROLE, NOON)

    assert isinstance(answer, Unusable)
    assert answer.why.startswith("STS said AccessDenied: x x x")
    assert len(answer.why) == 300
