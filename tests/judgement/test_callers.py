"""Who is asking, and what a grant to a whole account is worth."""

import pytest

from relay.judgement.verdicts import Verdict
from relay.words.endings import Reason
from tests.judgement.building import allow, catalog, delegate, deny, facts, identity, judge

USER = "arn:aws:iam::111111111111:user/app"
ROLE = "arn:aws:iam::111111111111:role/mail/app"
SESSION = "arn:aws:sts::111111111111:assumed-role/app/one"


@pytest.mark.parametrize(
    ("principal", "named", "allowed"),
    [
        (USER, USER, True),
        (USER, "arn:aws:iam::111111111111:user/App", False),
        (USER, "*", True),
        (SESSION, SESSION, True),
        (SESSION, "arn:aws:sts::111111111111:assumed-role/app/two", False),
        (SESSION, "arn:aws:iam::111111111111:role/app", True),
        (ROLE, ROLE, True),
        ("111111111111", USER, False),
    ],
)
def test_the_configured_principal_is_the_one_that_is_judged(principal, named, allowed):
    judgement = judge(catalog(identity("example.com", allow(named))), who=delegate(principal))

    assert (judgement.permit is not None) is allowed


def test_a_service_is_a_caller_too():
    service = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "ses:SendRawEmail"}

    assert judge(catalog(identity("example.com", service)), who=delegate("events.amazonaws.com")).permit is not None
    assert judge(catalog(identity("example.com", service))).permit is None


@pytest.mark.parametrize("account", ["111111111111", "arn:aws:iam::111111111111:root"])
@pytest.mark.parametrize(
    ("principal", "settings", "counts"),
    [
        (USER, {}, False),
        (USER, {"account_grant": True}, True),
        (SESSION, {}, False),
        (SESSION, {"role": ROLE}, True),
        ("111111111111", {}, False),
        ("111111111111", {"account_grant": True}, True),
    ],
)
def test_a_grant_to_the_account_counts_only_for_a_role_or_where_the_operator_vouches(
    account, principal, settings, counts
):
    judgement = judge(catalog(identity("example.com", allow(account))), who=delegate(principal, **settings))

    assert (judgement.permit is not None) is counts


def test_the_nearest_miss_names_the_account_grant_and_the_cure():
    judgement = judge(catalog(identity("example.com", allow("111111111111"))))
    decision = judgement.decisions[0]

    assert (decision.verdict, judgement.reason) == (Verdict.NOT_ALLOWED, Reason.POLICY_NOT_ALLOWED)
    assert "account_grant" in judgement.reply.text
    assert any("account_grant = true for delegate app" in advice for advice in decision.advice)


def test_a_direct_grant_beside_an_account_grant_counts():
    assert judge(catalog(identity("example.com", allow("111111111111"), allow(USER)))).permit is not None


def test_a_deny_of_the_account_hits_everybody_in_it():
    known = catalog(identity("example.com", allow(USER), deny("111111111111")))

    assert judge(known).decisions[0].verdict is Verdict.DENIED


def test_an_account_grant_that_counts_in_one_reading_only_is_no_grant():
    """The other reading is allowed through the account alone."""
    known = catalog(
        identity(
            "example.com",
            allow(USER, StringEquals={"ses:FromAddress": "app@Example.com"}),
            allow("111111111111", StringEquals={"ses:FromAddress": "app@example.com"}),
        )
    )
    assert judge(known, facts("app@Example.com")).permit is None
    assert judge(known, facts("app@Example.com"), who=delegate(account_grant=True)).permit is not None


def test_a_delegate_of_the_owners_own_account_is_judged_like_any_other():
    own = delegate("arn:aws:iam::888888888888:user/mine")

    assert judge(catalog(identity("example.com", allow())), who=own).permit is None
    assert judge(catalog(identity("example.com", allow("888888888888"))), who=own).permit is None
    assert judge(catalog(identity("example.com", allow(own.principal))), who=own).permit is not None
