"""Which questions a message asks, and what SES is told in the end."""

from typing import Any

import pytest

from relay.judgement.questions import Named, questions_of
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Role, Verdict
from relay.words.endings import Reason
from tests.judgement.building import (
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

OPEN = catalog(identity("example.com", allow()), identity("bounce.example", allow()))


def asked(judgement: Any) -> list[Any]:
    return [(decision.role, str(decision.address)) for decision in judgement.decisions]


def test_a_plain_message_asks_for_its_author_and_its_feedback_address():
    judgement = judge(OPEN, facts("app@example.com"), envelope("b@bounce.example"))

    assert asked(judgement) == [(Role.FROM, "app@example.com"), (Role.FEEDBACK, "b@bounce.example")]


def test_a_return_path_field_is_the_feedback_address_and_mail_from_is_asked_beside_it():
    judgement = judge(OPEN, facts(return_path="rp@bounce.example"), envelope("mf@example.com"))

    assert asked(judgement) == [
        (Role.FROM, "app@example.com"),
        (Role.FEEDBACK, "rp@bounce.example"),
        (Role.ENVELOPE, "mf@example.com"),
    ]
    assert judgement.permit.source == address("rp@bounce.example")


def test_mail_from_is_not_asked_twice_when_it_is_the_feedback_address():
    judgement = judge(OPEN, facts(return_path="b@BOUNCE.example"), envelope("b@Bounce.Example"))

    assert [role for role, _ in asked(judgement)] == [Role.FROM, Role.FEEDBACK]


def test_an_identity_is_named_by_a_field_or_else_by_a_setting():
    def named(**fields: Any) -> Any:
        who = delegate(default_source_arn="s", default_from_arn="f")
        return questions_of(facts(**fields), address("b@bounce.example"), who)[0].names

    setting = Named("s", "default_source_arn", by_client=False, strict=False)
    assert named() == (Named("f", "default_from_arn", by_client=False, strict=True), setting)
    assert named(from_arn="x") == (Named("x", "X-SES-FROM-ARN", by_client=True, strict=True), setting)


def test_all_questions_must_be_allowed():
    known = catalog(identity("example.com", allow()), identity("bounce.example", allow("arn:aws:iam::1:user/other")))

    assert judge(known, facts(), envelope("b@bounce.example")).permit is None
    assert judge(known, facts(return_path="a@example.com"), envelope("b@bounce.example")).permit is None
    assert judge(known, facts(), envelope("a@example.com")).permit is not None


def test_the_feedback_address_of_a_question_is_the_address_of_its_row():
    """In the From row it is the feedback address, in the envelope row MAIL FROM."""
    known = catalog(identity("example.com", allow(StringEquals={"ses:FeedbackAddress": "rp@example.com"})))
    judgement = judge(known, facts(return_path="rp@example.com"), envelope("mf@example.com"))

    verdicts = {decision.role: decision.verdict for decision in judgement.decisions}
    assert verdicts == {
        Role.FROM: Verdict.ALLOWED,
        Role.FEEDBACK: Verdict.ALLOWED,
        Role.ENVELOPE: Verdict.NOT_ALLOWED,
    }


def test_author_and_recipients_are_the_same_in_every_question_only_the_resource_differs():
    condition = {
        "StringEquals": {"ses:FromAddress": "app@example.com"},
        "ForAllValues:StringLike": {"ses:Recipients": "*@rcpt.example"},
    }
    known = catalog(identity("example.com", allow(**condition)), identity("bounce.example", allow(**condition)))

    assert judge(known, facts(), envelope("b@bounce.example")).permit is not None


def test_recipients_are_judged_whole():
    known = catalog(identity("example.com", allow(**{"ForAllValues:StringLike": {"ses:Recipients": "*@in.example"}})))

    assert judge(known, None, envelope(recipients=["a@in.example", "b@in.example"])).permit is not None
    assert judge(known, None, envelope(recipients=["a@in.example", "b@out.example"])).permit is None


def test_the_feedback_address_is_sent_as_source_with_its_identity_and_the_authors_beside_it():
    permit = judge(OPEN, facts(), envelope("b@Bounce.EXAMPLE")).permit

    assert str(permit.source) == "b@bounce.example"
    assert permit.source_arn == permit.return_path_arn == arn("bounce.example")
    assert permit.from_arn == arn("example.com")
    assert (permit.region, permit.account) == ("us-east-1", "888888888888")


def test_the_domain_of_a_return_path_is_lowered_before_it_is_judged_and_sent():
    known = catalog(identity("example.com", allow(StringEquals={"ses:FeedbackAddress": "Rp@example.com"})))
    permit = judge(known, facts(return_path="Rp@EXAMPLE.com"), envelope("Rp@Example.com")).permit

    assert str(permit.source) == "Rp@example.com"


# --- the null reverse-path, and delegates whose MAIL FROM says nothing ------------------------------------------------


def test_the_null_reverse_path_is_refused_unless_the_author_may_stand_in():
    refused = judge(OPEN, None, envelope("<>"))
    allowed = judge(OPEN, facts("app@Example.com"), envelope("<>"), rules=Rules(null_reverse_path="author"))

    assert (refused.reply.code, refused.reply.enhanced, refused.permit) == (550, (5, 7, 1), None)
    assert str(allowed.permit.source) == "app@example.com"


@pytest.mark.parametrize(
    ("setting", "source"),
    [
        ("envelope", "www-data@host.example"),
        ("author", "app@example.com"),
        (address("bounce@Example.com"), "bounce@example.com"),
    ],
)
def test_return_path_of_a_delegate_replaces_mail_from_before_anything_is_judged(setting, source):
    known = catalog(identity("example.com", allow()), identity("host.example", allow()))
    judgement = judge(
        known, facts("app@Example.com"), envelope("www-data@host.example"), who=delegate(return_path=setting)
    )

    assert str(judgement.permit.source) == source
    assert "www-data@host.example" not in {a for _, a in asked(judgement)} or setting == "envelope"


def test_a_return_path_field_counts_even_where_mail_from_is_replaced():
    judgement = judge(
        OPEN, facts(return_path="rp@bounce.example"), envelope("x@host.example"), who=delegate(return_path="author")
    )

    assert asked(judgement)[1:] == [(Role.FEEDBACK, "rp@bounce.example"), (Role.ENVELOPE, "app@example.com")]


def test_a_null_reverse_path_is_refused_even_where_mail_from_is_replaced():
    assert judge(OPEN, None, envelope("<>"), who=delegate(return_path="author")).permit is None


# --- which ARN is named for which address -----------------------------------------------------------------------------

PARENT, CHILD = arn("example.com"), arn("sub.example.com")
TWO = catalog(identity("example.com", allow()), identity("sub.example.com", allow()), identity("else.example", allow()))


@pytest.mark.parametrize(
    ("message", "settings", "from_arn", "source_arn"),
    [
        ({}, {}, CHILD, CHILD),
        ({"source_arn": PARENT}, {}, PARENT, PARENT),
        ({"source_arn": PARENT, "from_arn": CHILD}, {}, CHILD, PARENT),
        ({"source_arn": PARENT, "return_path_arn": CHILD}, {}, PARENT, CHILD),
        ({"source_arn": PARENT}, {"default_from_arn": CHILD}, CHILD, PARENT),
        ({"source_arn": PARENT}, {"default_return_path_arn": CHILD}, PARENT, CHILD),
        ({"from_arn": PARENT}, {"default_from_arn": CHILD}, PARENT, CHILD),
        ({"source_arn": CHILD}, {"default_source_arn": PARENT}, CHILD, CHILD),
        ({}, {"default_source_arn": PARENT}, PARENT, PARENT),
        ({}, {"default_source_arn": arn("else.example")}, CHILD, CHILD),
    ],
)
def test_the_arn_of_the_role_comes_first_then_its_default_then_the_sources_then_inference(
    message, settings, from_arn, source_arn
):
    permit = judge(
        TWO, facts("a@sub.example.com", **message), envelope("b@sub.example.com"), who=delegate(**settings)
    ).permit

    assert (permit.from_arn, permit.source_arn, permit.return_path_arn) == (from_arn, source_arn, source_arn)


def test_a_source_arn_is_passed_over_for_an_address_it_does_not_cover():
    judgement = judge(TWO, facts(source_arn=arn("else.example")), envelope("b@else.example"))

    assert (judgement.permit.from_arn, judgement.permit.source_arn) == (PARENT, arn("else.example"))


def test_a_source_arn_that_covers_no_address_of_the_message_is_refused():
    judgement = judge(TWO, facts(source_arn=arn("else.example")), envelope("b@example.com"))

    assert str(judgement.reply).startswith(
        "554 5.7.1 Message rejected: X-SES-SOURCE-ARN: else.example covers no address"
    )
    assert judgement.reason is Reason.IDENTITY_UNKNOWN


# --- one call to SES --------------------------------------------------------------------------------------------------


def test_identities_in_different_regions_cannot_be_sent_in_one_call():
    known = catalog(identity("example.com", allow()), identity("bounce.example", allow(), region="eu-west-1"))
    judgement = judge(known, facts(), envelope("b@bounce.example"))

    assert (judgement.reply.code, judgement.permit) == (554, None)
    assert "from: us-east-1" in judgement.reply.text
    assert "feedback: eu-west-1" in judgement.reply.text


def test_identities_of_different_accounts_in_one_region_can():
    known = catalog(identity("example.com", allow()), identity("bounce.example", allow(), account="777777777777"))
    permit = judge(known, facts(), envelope("b@bounce.example")).permit

    assert permit.account == "888888888888"
    assert permit.source_arn == arn("bounce.example", "777777777777")


# --- which answer counts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author", "feedback", "reason"),
    [
        ((deny(),), {"unreadable": True}, Reason.POLICY_DENIED),
        ((allow("arn:aws:iam::1:user/x"),), {"unreadable": True}, Reason.POLICY_NOT_ALLOWED),
        ((allow(),), {"unreadable": True}, Reason.POLICY_UNDECIDED),
    ],
)
def test_a_permanent_refusal_of_one_question_is_final_whatever_the_other_says(author, feedback, reason):
    known = catalog(identity("example.com", *author), identity("bounce.example", allow(), **feedback))
    judgement = judge(known, facts(), envelope("b@bounce.example"))

    assert judgement.reason is reason
    assert judgement.reply.is_permanent is (reason is not Reason.POLICY_UNDECIDED)


def test_every_question_is_answered_even_after_one_was_refused():
    known = catalog(identity("example.com", deny()), identity("bounce.example", allow()))
    judgement = judge(known, facts(), envelope("b@bounce.example"))

    assert [decision.verdict for decision in judgement.decisions] == [Verdict.DENIED, Verdict.ALLOWED]
    assert judgement.decisions[1].refusal is None
