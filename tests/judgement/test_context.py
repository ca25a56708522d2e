"""Known, absent and unknown keys, and readings that must all be allowed."""

from typing import Any

import pytest

from relay.judgement.rules import Rules
from relay.judgement.verdicts import Verdict
from relay.mail.facts import DisplayName
from tests.judgement.building import NOW, allow, catalog, delegate, deny, envelope, facts, identity, judge, statement

ORG = {"aws:PrincipalOrgID": "o-1"}


def verdict(known: Any, *arguments: Any, **options: Any) -> Any:
    return judge(known, *arguments, **options).decisions[0].verdict


def test_an_allow_on_an_unknown_key_does_not_count():
    judgement = judge(catalog(identity("example.com", allow(StringEquals=ORG))))

    assert judgement.decisions[0].verdict is Verdict.NOT_ALLOWED
    assert "aws:PrincipalOrgID" in judgement.decisions[0].why or "aws:principalorgid" in judgement.decisions[0].why


def test_a_deny_on_an_unknown_key_counts_and_the_key_is_named():
    judgement = judge(catalog(identity("example.com", allow(), deny(StringNotEquals=ORG))))

    assert judgement.decisions[0].verdict is Verdict.DENIED
    assert "aws:principalorgid" in judgement.decisions[0].evaluations[0][2].unknown


def test_a_deny_that_fails_whatever_an_unknown_key_holds_does_not_count():
    condition = {"StringEquals": {**ORG, "ses:FromAddress": "other@example.com"}}

    assert verdict(catalog(identity("example.com", allow(), deny(**condition)))) is Verdict.ALLOWED


def test_an_allow_that_applies_whatever_an_unknown_key_holds_counts():
    known = catalog(identity("example.com", allow(StringEquals=ORG), allow(StringLike={"ses:FromAddress": "app@*"})))

    assert verdict(known) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("condition", "settings"),
    [
        ({"StringEquals": ORG}, {"organization_id": "o-1"}),
        ({"StringEquals": {"aws:PrincipalTag/Team": "mail"}}, {"principal_tags": {"team": "mail"}}),
    ],
)
def test_the_operator_makes_keys_of_a_delegate_known(condition, settings):
    known = catalog(identity("example.com", allow(**condition)))

    assert verdict(known) is Verdict.NOT_ALLOWED
    assert verdict(known, who=delegate(**settings)) is Verdict.ALLOWED


def test_principal_tags_that_are_not_configured_stay_unknown():
    known = catalog(identity("example.com", allow(), deny(StringEquals={"aws:PrincipalTag/Temp": "yes"})))

    assert verdict(known, who=delegate(principal_tags={"Team": "mail"})) is Verdict.DENIED


@pytest.mark.parametrize(
    ("egress", "condition", "allowed"),
    [
        ((), {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, False),
        (("192.0.2.7",), {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, True),
        (("192.0.2.7", "198.51.100.1"), {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, False),
        (("192.0.2.7/32",), {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, True),
        (("192.0.2.0/25",), {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, False),
        (("192.0.2.7",), {"Null": {"aws:SourceVpce": "true"}}, True),
        (("vpce-1", "vpc-1"), {"StringEquals": {"aws:SourceVpce": "vpce-1", "aws:SourceVpc": "vpc-1"}}, True),
        (("vpce-1", "vpc-1"), {"Null": {"aws:SourceIp": "true"}}, True),
        (("vpce-1",), {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, False),
        (("vpc-1",), {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, True),
        (("vpce-1", "192.0.2.7"), {"StringEquals": {"aws:SourceVpce": "vpce-1"}}, False),
    ],
)
def test_egress_makes_the_routes_to_ses_known_and_each_must_be_allowed(egress, condition, allowed):
    known = catalog(identity("example.com", allow(**condition)))

    assert (verdict(known, rules=Rules(egress=egress)) is Verdict.ALLOWED) is allowed


def test_the_operators_context_is_taken_for_what_nothing_else_tells():
    known = catalog(identity("example.com", allow(StringEquals={"ses:ApiVersion": "1"})))

    assert verdict(known) is Verdict.NOT_ALLOWED
    assert verdict(known, rules=Rules(context={"SES:APIVersion": ("1",)})) is Verdict.ALLOWED


def test_the_operators_context_never_overrides_the_message_or_the_caller():
    known = catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": "boss@example.com"})))
    lie = Rules(context={"ses:FromAddress": ("boss@example.com",), "aws:PrincipalAccount": ("999999999999",)})

    assert verdict(known, rules=lie) is Verdict.NOT_ALLOWED
    other = catalog(identity("example.com", allow(StringEquals={"aws:PrincipalAccount": "999999999999"})))
    assert verdict(other, rules=lie) is Verdict.NOT_ALLOWED


def test_an_empty_value_of_the_operator_says_absent():
    known = catalog(identity("example.com", allow(), deny(StringEquals=ORG)))

    assert verdict(known) is Verdict.DENIED
    assert verdict(known, rules=Rules(context={"aws:PrincipalOrgID": ()})) is Verdict.ALLOWED


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"ses:FromAddress": "app@example.com", "ses:FeedbackAddress": "app@example.com"}},
        {"ForAllValues:StringLike": {"ses:Recipients": "*@rcpt.example"}},
        {"StringEquals": {"ses:FromDisplayName": "The App"}},
        {"DateGreaterThan": {"aws:CurrentTime": "2025-10-09T08:53:19Z"}},
        {"DateLessThan": {"aws:CurrentTime": "2025-10-09T08:53:21Z"}},
        {"NumericEquals": {"aws:EpochTime": str(int(NOW))}},
        {"Bool": {"aws:SecureTransport": "true", "aws:ViaAWSService": "false", "aws:PrincipalIsAWSService": "false"}},
        {"StringEquals": {"aws:UserAgent": "ses-relay"}},
        {"StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:ResourceAccount": "888888888888"}},
        {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111111111111:user/app"}},
        {"StringEquals": {"aws:PrincipalAccount": "111111111111", "aws:username": "app", "aws:PrincipalType": "User"}},
        {"Null": {"ses:MultiRegionEndpointId": "true", "ses:TenantName": "true"}},
        {"Null": {"aws:SourceArn": "true", "aws:SourceAccount": "true", "aws:RequestTag/x": "true"}},
    ],
)
def test_what_is_known_of_every_message(condition):
    known = catalog(identity("example.com", allow(**condition)))

    assert verdict(known, facts(name="The App")) is Verdict.ALLOWED


@pytest.mark.parametrize(
    "key",
    [
        "aws:PrincipalOrgID",
        "aws:PrincipalTag/x",
        "aws:SourceIp",
        "aws:SourceVpc",
        "aws:VpcSourceIp",
        "ses:ApiVersion",
        "aws:TokenIssueTime",
        "aws:userid",
        "aws:ResourceTag/x",
        "aws:NeverHeardOf",
    ],
)
@pytest.mark.parametrize("is_null", ["true", "false"])
def test_what_nobody_here_can_know_is_neither_there_nor_absent(key, is_null):
    known = catalog(identity("example.com", allow(Null={key: is_null})))

    assert verdict(known) is Verdict.NOT_ALLOWED


def test_a_message_without_a_display_name_has_none():
    known = catalog(identity("example.com", allow(Null={"ses:FromDisplayName": "true"})))

    assert verdict(known) is Verdict.ALLOWED
    assert verdict(known, facts(name="The App")) is Verdict.NOT_ALLOWED


def test_of_a_session_the_role_is_known_by_its_arn_only_when_the_role_is_configured():
    role = "arn:aws:iam::111111111111:role/path/app"
    session = "arn:aws:sts::111111111111:assumed-role/app/one"
    known = catalog(identity("example.com", statement("Allow", "*", {"ArnEquals": {"aws:PrincipalArn": role}})))

    assert verdict(known, who=delegate(session)) is Verdict.NOT_ALLOWED
    assert verdict(known, who=delegate(session, role=role)) is Verdict.ALLOWED
    assert verdict(known, who=delegate(role)) is Verdict.ALLOWED


def test_a_role_has_no_user_name():
    known = catalog(identity("example.com", statement("Allow", "*", {"Null": {"aws:username": "true"}})))

    assert verdict(known, who=delegate("arn:aws:iam::111111111111:role/app")) is Verdict.ALLOWED
    assert verdict(known) is Verdict.NOT_ALLOWED


def test_of_an_account_or_a_service_little_is_known():
    by_arn = catalog(identity("example.com", statement("Allow", "*", {"Null": {"aws:PrincipalArn": "false"}})))
    by_source = catalog(identity("example.com", statement("Allow", "*", {"Null": {"aws:SourceArn": "true"}})))

    assert verdict(by_arn, who=delegate("111111111111")) is Verdict.NOT_ALLOWED
    assert verdict(by_source, who=delegate("cognito-idp.amazonaws.com")) is Verdict.NOT_ALLOWED


# --- readings ---------------------------------------------------------------------------------------------------------


def test_a_display_name_must_be_allowed_decoded_and_as_written():
    name = DisplayName("=?utf-8?q?The_App?=", "The App")
    decoded = catalog(identity("example.com", allow(StringEquals={"ses:FromDisplayName": "The App"})))
    both = catalog(identity("example.com", allow(StringEquals={"ses:FromDisplayName": [name.raw, name.decoded]})))

    assert verdict(decoded, facts(name=name)) is Verdict.NOT_ALLOWED
    assert verdict(both, facts(name=name)) is Verdict.ALLOWED
    assert verdict(decoded, facts(name="The App")) is Verdict.ALLOWED


def test_a_deny_on_the_raw_display_name_is_enough():
    name = DisplayName("=?utf-8?q?The_App?=", "The App")
    known = catalog(identity("example.com", allow(), deny(StringLike={"ses:FromDisplayName": "=?*"})))

    assert verdict(known, facts(name=name)) is Verdict.DENIED


def test_the_from_domain_must_be_allowed_as_written_and_in_lower_case():
    written = "app@Example.COM"
    lower = catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": "app@example.com"})))
    upper = catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": written})))
    both = catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": [written, "app@example.com"]})))

    assert verdict(lower, facts(written)) is Verdict.NOT_ALLOWED
    assert verdict(upper, facts(written)) is Verdict.NOT_ALLOWED
    assert verdict(both, facts(written)) is Verdict.ALLOWED


def test_the_local_part_is_compared_as_it_is_written():
    known = catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": "app@example.com"})))

    assert verdict(known, facts("App@example.com")) is Verdict.NOT_ALLOWED


@pytest.mark.parametrize("recipients", [["a@in.example", "b@out.example"], ["b@out.example", "a@in.example"]])
def test_a_bare_operator_on_recipients_must_allow_whether_it_means_any_or_all(recipients):
    positive = catalog(identity("example.com", allow(StringLike={"ses:Recipients": "*@in.example"})))
    negative = catalog(identity("example.com", allow(), deny(StringNotLike={"ses:Recipients": "*@in.example"})))
    path = envelope(recipients=recipients)

    assert verdict(positive, None, path) is Verdict.NOT_ALLOWED
    assert verdict(negative, None, path) is Verdict.DENIED
    assert verdict(positive, None, envelope(recipients=["a@in.example", "c@in.example"])) is Verdict.ALLOWED
    assert verdict(positive, None, envelope(recipients=["a@in.example"])) is Verdict.ALLOWED


def test_readings_that_the_policies_cannot_tell_apart_are_asked_once():
    name = DisplayName("=?utf-8?q?The_App?=", "The App")
    message = facts("app@Example.COM", name)
    path = envelope(recipients=["a@x.example", "b@x.example"])
    blind = judge(catalog(identity("example.com", allow())), message, path)
    sighted = identity(
        "example.com",
        allow(
            StringLike={"ses:FromAddress": "*", "ses:FromDisplayName": "*", "ses:Recipients": "*"},
        ),
    )

    assert len(blind.decisions[0].evaluations) == 1
    assert len(judge(catalog(sighted), message, path).decisions[0].evaluations) == 8


def test_a_reading_that_failed_is_named_with_a_cure():
    known = catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": "app@example.com"})))
    decision = judge(known, facts("app@Example.com")).decisions[0]

    assert decision.evaluations[0][1] == "From domain as written"
    assert any("lower case in From" in advice for advice in decision.advice)


def test_every_reading_of_the_author_that_failed_has_its_cure():
    name = DisplayName("=?utf-8?q?The_App?=", "The App")
    known = catalog(
        identity("example.com", allow(StringEquals={"ses:FromAddress": "a@x.example", "ses:FromDisplayName": "x"}))
    )
    decision = judge(known, facts("app@Example.com", name)).decisions[0]

    assert decision.evaluations[0][1] == "From domain as written; display name decoded"
    assert [advice for advice in decision.advice if advice.startswith("Write")] == [
        "Write the domain of app@Example.com in lower case in From.",
        "Write the display name in plain ASCII with single blanks, so that it has one reading.",
    ]


def test_what_has_one_reading_has_no_name():
    known = catalog(identity("example.com", allow(IpAddress={"aws:SourceIp": "192.0.2.1"})))
    judgement = judge(known, rules=Rules(egress=("192.0.2.1",)))

    assert [label for _, label, _ in judgement.decisions[0].evaluations] == [""]


def test_an_identity_is_asked_once_for_all_questions_with_one_feedback_address():
    author, feedback = judge(catalog(identity("example.com", allow()))).decisions

    assert author.evaluations[0][2] is feedback.evaluations[0][2]
