"""
A delegate that lives in the account that owns the identity: its own IAM policies may allow what no identity policy
does, and the relay cannot see them. The operator may vouch for them, identity by identity.
"""

from typing import Any

import pytest

from relay.judgement.message import judge_early
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Verdict
from tests.judgement.building import (
    APP,
    NOW,
    OWNER,
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
)

MINE = f"arn:aws:iam::{OWNER}:user/mine"
SOMEBODY = "arn:aws:iam::999999999999:user/somebody"
ORG = {"aws:PrincipalOrgID": "o-1"}


def vouched(*identities: str, principal: str = MINE, **settings: Any) -> Any:
    return delegate(principal, same_account="allow-unless-denied", allow_identities=identities, **settings)


def first(known: Any, who: Any, message: Any = None, path: Any = None) -> Any:
    return judge(known, message, path, who=who).decisions[0]


# --- by default the policies decide -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        ((), Verdict.NOT_ALLOWED),
        ((allow(SOMEBODY),), Verdict.NOT_ALLOWED),
        ((allow(OWNER),), Verdict.NOT_ALLOWED),
        ((allow(MINE),), Verdict.ALLOWED),
        ((allow(MINE), deny("*")), Verdict.DENIED),
    ],
)
def test_by_default_a_delegate_of_the_owners_account_is_judged_like_any_other(statements, verdict):
    """An Allow that names it is enough inside one account, whatever its own IAM policies leave out."""
    assert first(catalog(identity("example.com", *statements)), delegate(MINE)).verdict is verdict


def test_a_refusal_says_what_the_operator_may_set():
    decision = first(catalog(identity("example.com", allow(SOMEBODY))), delegate(MINE))
    other = first(catalog(identity("example.com", allow(SOMEBODY))), delegate(APP))

    assert any('same_account = "allow-unless-denied"' in advice for advice in decision.advice)
    assert not any("same_account" in advice for advice in other.advice)
    denied = first(catalog(identity("example.com", deny(MINE))), delegate(MINE))
    assert not any("same_account" in advice for advice in denied.advice)  # a Deny is stronger than the setting


# --- where the operator vouches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        ((), Verdict.ALLOWED),
        ((allow(SOMEBODY),), Verdict.ALLOWED),
        ((allow(MINE, StringEquals={"ses:FromAddress": "other@example.com"}),), Verdict.ALLOWED),
        ((allow(OWNER),), Verdict.ALLOWED),
        ((allow(MINE, StringEquals=ORG),), Verdict.ALLOWED),
        ((deny(MINE),), Verdict.DENIED),
        ((allow(MINE), deny(OWNER)), Verdict.DENIED),
        ((deny("*", StringEquals={"ses:FromAddress": "app@example.com"}),), Verdict.DENIED),
        ((deny("*", StringNotEquals=ORG),), Verdict.DENIED),
        ((deny(SOMEBODY),), Verdict.ALLOWED),
    ],
)
@pytest.mark.parametrize("named", ["example.com", arn("example.com")])
def test_silence_is_an_allow_and_a_deny_is_a_deny(statements, verdict, named):
    assert first(catalog(identity("example.com", *statements)), vouched(named)).verdict is verdict


def test_what_cannot_be_read_stays_undecided():
    for known in (
        catalog(identity("example.com", unreadable=True)),
        catalog(identity("example.com", problem="EACCES")),
        catalog(identity("example.com", read_at=NOW - 9999)),
        catalog(identity("example.com"), problem="down"),
    ):
        assert first(known, vouched("example.com")).verdict is Verdict.UNDECIDED


def test_the_answer_says_that_no_policy_allowed_it():
    decision = first(catalog(identity("example.com", allow(SOMEBODY))), vouched("example.com"))

    assert decision.why == "no policy denies example.com to its owner's own account (same_account)"
    assert decision.refusal is None
    by_policy = first(catalog(identity("example.com", allow(MINE))), vouched("example.com"))
    assert by_policy.why == "allowed by p/S0"
    known = catalog(identity("sub.example.com", allow(MINE)), identity("example.com", allow(SOMEBODY)))
    by_both = first(known, vouched("example.com"), facts("app@sub.example.com"))
    assert by_both.why == f"{by_policy.why}; {decision.why}"


@pytest.mark.parametrize(
    "named", ["EXAMPLE.com", "sub.example.com", "app@example.com", arn("example.com", "1"), "*", "example.com."]
)
def test_only_the_identities_that_are_named_exactly(named):
    assert first(catalog(identity("example.com")), vouched(named)).verdict is Verdict.NOT_ALLOWED


@pytest.mark.parametrize(
    ("principal", "counts"),
    [
        (MINE, True),
        (OWNER, True),
        (f"arn:aws:sts::{OWNER}:assumed-role/app/one", True),
        (f"arn:aws-cn:iam::{OWNER}:user/mine", False),
        (APP, False),
        ("111111111111", False),
        ("events.amazonaws.com", False),
    ],
)
def test_only_for_a_principal_of_the_account_that_owns_the_identity(principal, counts):
    known = catalog(identity("example.com"))

    assert (first(known, vouched("example.com", principal=principal)).verdict is Verdict.ALLOWED) is counts


def test_precedence_is_as_ever_and_each_identity_that_must_agree_is_named_or_allows():
    address_too = catalog(identity("example.com"), identity("app@example.com", allow(SOMEBODY)))
    parent_too = catalog(identity("example.com", allow(SOMEBODY)), identity("sub.example.com", allow(SOMEBODY)))
    message, path = facts("a@sub.example.com"), envelope("a@sub.example.com")

    assert first(address_too, vouched("example.com")).verdict is Verdict.NOT_ALLOWED
    assert first(address_too, vouched("app@example.com")).verdict is Verdict.ALLOWED
    assert first(parent_too, vouched("sub.example.com"), message, path).verdict is Verdict.NOT_ALLOWED
    assert first(parent_too, vouched("sub.example.com", "example.com"), message, path).verdict is Verdict.ALLOWED


def test_every_question_needs_an_identity_that_is_vouched_for():
    known = catalog(identity("example.com"), identity("bounce.example"))
    path = envelope("b@bounce.example")

    assert judge(known, facts(), path, who=vouched("example.com")).permit is None
    assert judge(known, facts(), path, who=vouched("example.com", "bounce.example")).permit is not None


# --- at MAIL ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "who", "is_heard"),
    [
        ((), vouched("example.com"), True),
        ((), vouched("other.example"), False),
        ((), delegate(MINE), False),
        ((deny(MINE),), vouched("example.com"), False),
        ((deny(MINE, StringEquals={"ses:FromAddress": "x@example.com"}),), vouched("example.com"), True),
        ((deny(MINE, StringEquals=ORG),), vouched("example.com"), True),
    ],
)
def test_only_a_deny_that_is_sure_refuses_early_what_is_vouched_for(statements, who, is_heard):
    known = catalog(identity("example.com", *statements))
    early = judge_early(address("app@example.com"), who, known, Rules(), NOW)

    assert (early is None) is is_heard
