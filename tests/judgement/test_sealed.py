"""Owners whose policies the relay cannot see: form, names and pins are held to; SES judges."""

from typing import Any

import pytest

from relay.judgement.catalog import Catalog
from relay.judgement.choice import Choice, Governing
from relay.judgement.message import judge_early
from relay.judgement.rules import Rules
from relay.judgement.sealed import seal
from relay.judgement.verdicts import Mode, Verdict
from relay.words.arns import parse_identity_arn
from relay.words.endings import Reason
from tests.judgement.building import NOW, address, allow, arn, catalog, delegate, deny, envelope, facts, identity, judge

SEALED = "777777777777"
RULES = Rules(sealed=frozenset({(SEALED, "us-east-1")}))
THEIRS = arn("theirs.example", SEALED)
ITSELF = {"is_caller": True}
NOTHING = Catalog()
ME = "me@theirs.example"


def sealed(message: Any = None, path: str = ME, *, known: Catalog = NOTHING, rules: Rules = RULES, **who: Any) -> Any:
    return judge(known, message or facts(ME), envelope(path), who=delegate(**{**ITSELF, **who}), rules=rules)


# --- how it is named --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({"source_arn": THEIRS}, {}),
        ({"from_arn": THEIRS, "return_path_arn": THEIRS}, {}),
        ({}, {"default_source_arn": THEIRS}),
        ({}, {"default_from_arn": THEIRS, "default_return_path_arn": THEIRS}),
        ({}, {"allow_source_arns": (THEIRS,)}),
        ({}, {"allow_source_arns": (arn("else.example", SEALED), THEIRS, arn("theirs.example", "1"))}),
        ({"source_arn": THEIRS}, {"allow_source_arns": (THEIRS,)}),
    ],
)
def test_an_identity_named_by_field_or_default_or_pinned_is_taken_for_verified(fields, settings):
    judgement = sealed(facts(ME, **fields), **settings)

    assert [decision.verdict for decision in judgement.decisions] == [Verdict.SEALED, Verdict.SEALED]
    assert (judgement.permit.from_arn, judgement.permit.source_arn) == (THEIRS, THEIRS)
    assert (judgement.permit.region, judgement.permit.account, judgement.permit.sealed) == ("us-east-1", SEALED, True)
    assert (judgement.reason, judgement.unenforced) == (Reason.NONE, None)


def test_it_governs_alone_without_doubts():
    found = seal(parse_identity_arn(THEIRS), "it is named", Choice(delegate(is_caller=True), NOTHING, RULES, NOW))

    assert isinstance(found, Governing)
    assert (found.identity.verified, found.agreeing, found.doubts, found.sealed) == (True, (), (), True)


def test_what_was_decided_is_told_and_no_policy_is_named():
    decision = sealed(facts(ME, source_arn=THEIRS)).decisions[0]

    assert "sealed" in decision.chosen
    assert "SES judges alone" in decision.why
    assert (decision.evaluations, decision.digests, decision.refusal, decision.reason) == ((), (), None, Reason.NONE)
    assert decision.named == ("X-SES-SOURCE-ARN", THEIRS)


def test_an_address_that_nothing_names_is_refused_with_what_to_add():
    judgement = sealed()

    assert str(judgement.reply).startswith("554 5.7.1 Message rejected: no identity is named for me@theirs.example")
    assert any("allow_source_arns" in advice for advice in judgement.decisions[0].advice)


@pytest.mark.parametrize(
    ("pins", "says"),
    [
        ((THEIRS, arn(ME, SEALED)), "several of allow_source_arns"),
        ((arn("other.example", SEALED),), "no identity is named"),
        ((arn("theirs.example", "1"),), "no identity is named"),
        (("no arn at all",), "no identity is named"),
    ],
)
def test_only_a_single_pin_that_covers_the_address_is_inferred(pins, says):
    judgement = sealed(allow_source_arns=pins)

    assert judgement.permit is None
    assert says in judgement.reply.text


def test_a_pin_and_another_owner_with_the_address_verified_are_two_places():
    known = catalog(identity("theirs.example", allow()))
    judgement = sealed(known=known, allow_source_arns=(THEIRS, arn("theirs.example")))

    assert "verified in several places" in judgement.reply.text
    named = sealed(facts(ME, source_arn=THEIRS), known=known, allow_source_arns=(THEIRS, arn("theirs.example")))
    assert named.permit.sealed


def test_required_takes_no_pin_for_a_name():
    rules = Rules(sealed=RULES.sealed, source_arn="required")

    assert sealed(rules=rules, allow_source_arns=(THEIRS,)).permit is None
    assert sealed(facts(ME, source_arn=THEIRS), rules=rules).permit is not None


def test_an_address_of_nobody_else_is_not_verified_and_the_advice_names_the_sealed_owner():
    judgement = sealed(known=catalog(identity("example.com", allow())))

    assert "Email address is not verified" in judgement.reply.text
    assert any("sealed owner" in advice for advice in judgement.decisions[0].advice)


# --- what is held to --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ("x", "550 5.6.0"),
        (arn("\u00e4.example", SEALED), "550 5.6.7"),
        (arn("theirs.example", SEALED, "eu-west-1"), "554 5.7.1"),
        (arn("theirs.example", SEALED, "*"), "554 5.7.1"),
        (arn("theirs.example", "666666666666"), "554 5.7.1"),
        (arn("others.example", SEALED), "554 5.7.1"),
        (arn("you@theirs.example", SEALED), "554 5.7.1"),
        (arn("ME@theirs.example", SEALED), "554 5.7.1"),
        (f"arn:aws:sns:us-east-1:{SEALED}:identity/theirs.example", "554 5.7.1"),
    ],
)
def test_the_form_of_a_name_and_what_it_covers(named, status):
    assert str(sealed(facts(ME, from_arn=named)).reply).startswith(status)


def test_pins_hold_for_named_identities_too():
    judgement = sealed(facts(ME, from_arn=THEIRS), allow_source_arns=(arn("else.example", SEALED),))

    assert "not configured to send as theirs.example" in judgement.reply.text


@pytest.mark.parametrize(
    "settings", [{"default_source_arn": THEIRS}, {"allow_source_arns": (THEIRS,)}, {"mode": "observe"}]
)
def test_a_delegate_whose_mail_is_sent_as_the_relay_is_refused(settings):
    """SES would judge the relay in place of the delegate, and so would nobody: not even observing forwards that."""
    judgement = sealed(facts(ME, source_arn=THEIRS), is_caller=False, **settings)

    assert str(judgement.reply).startswith(
        f"554 5.7.1 Message rejected: the policies of account {SEALED} are sealed to this relay"
    )
    assert judgement.reason is Reason.IDENTITY_UNKNOWN
    assert sealed(facts(ME, source_arn=THEIRS), is_caller=False, role="arn:aws:iam::1:role/x").permit is not None


def test_other_refusals_of_the_message_stand():
    for message, path in (
        (facts(ME, source_arn=THEIRS, x_ses={"x-ses-tenant": "t"}), ME),
        (facts(ME, source_arn=THEIRS), "<>"),
        (facts(ME, source_arn=THEIRS), "a@else.example"),
    ):
        assert sealed(message, path).permit is None


# --- beside owners that are seen --------------------------------------------------------------------------------------


def test_each_address_is_judged_by_its_own_owner():
    known = catalog(identity("example.com", allow()))
    message = facts("app@example.com", return_path_arn=THEIRS)
    judgement = sealed(message, known=known)

    assert [decision.verdict for decision in judgement.decisions] == [Verdict.ALLOWED, Verdict.SEALED]
    assert judgement.permit.sealed
    assert sealed(message, known=catalog(identity("example.com", deny()))).reason is Reason.POLICY_DENIED


def test_policies_that_lie_about_are_not_asked_once_the_owner_is_sealed():
    """After a reload the last reading may still hold them."""
    known = catalog(identity("theirs.example", deny(), account=SEALED))

    assert sealed(facts(ME, source_arn=THEIRS), known=known).decisions[0].verdict is Verdict.SEALED
    assert "no identity is named" in sealed(known=known).reply.text


def test_other_owners_that_cannot_be_listed_leave_inference_undecided():
    known = catalog(identity("example.com", allow()), problem="down")

    assert sealed(known=known, allow_source_arns=(THEIRS,)).reply.code == 451
    assert sealed(facts(ME, source_arn=THEIRS), known=known).permit is not None


def test_observing_changes_nothing_for_what_ses_judges():
    judgement = sealed(facts(ME, source_arn=THEIRS), mode="observe")

    assert (judgement.permit.sealed, judgement.unenforced, judgement.mode) == (True, None, Mode.OBSERVE)


# --- at MAIL ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "is_heard"),
    [
        (ITSELF, True),
        ({**ITSELF, "allow_source_arns": (THEIRS,)}, True),
        ({**ITSELF, "allow_source_arns": (arn("else.example", SEALED),)}, False),
        ({"is_caller": False}, False),
    ],
)
def test_a_reverse_path_that_a_field_may_give_to_a_sealed_owner_is_heard(settings, is_heard):
    refusing = catalog(identity("theirs.example", deny()))
    for known in (refusing, NOTHING):
        early = judge_early(address(ME), delegate(**settings), known, RULES, NOW)
        assert (early is None) is is_heard
