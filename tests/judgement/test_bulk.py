"""Messages that are large, or for many: which call takes them, and what must be allowed for it."""

import pytest

from relay.judgement.explanation import to_json
from relay.judgement.message import Bulk, judge_message
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement, Mode, Verdict
from relay.words.apis import LARGEST, Api
from relay.words.endings import Reason
from tests.judgement.building import NOW, allow, arn, catalog, delegate, deny, envelope, facts, identity, statement

MIB = 1 << 20
BOTH = ["ses:SendRawEmail", "ses:SendEmail"]
MANY = [f"r{number}@example.net" for number in range(120)]


def judged(*identities, recipients=("bob@rcpt.example",), octets=0, batches=None, who=None, **message) -> Judgement:
    path = envelope(message.pop("mail_from", "app@example.com"), recipients)
    bulk, rules = Bulk(octets, batches), message.pop("rules", Rules())
    return judge_message(facts(**message), path, who or delegate(), catalog(*identities), rules, NOW, bulk=bulk)


# --- large


def test_a_small_message_is_asked_about_once():
    judgement = judged(identity("example.com", allow()), octets=7 * MIB)

    assert judgement.permit is not None
    assert judgement.permit.api is Api.RAW
    assert [evaluation.action for _, _, evaluation in judgement.decisions[0].evaluations] == ["ses:SendRawEmail"]


def test_a_large_message_needs_both_actions():
    large = {"octets": 20 * MIB}

    allowed = judged(identity("example.com", statement(Action=BOTH)), **large)
    raw_alone = judged(identity("example.com", allow()), **large)
    v2_alone = judged(identity("example.com", statement(Action="ses:SendEmail")), **large)

    assert allowed.permit is not None
    assert allowed.permit.api is Api.V2
    for refused, missing in ((raw_alone, "ses:SendEmail"), (v2_alone, "ses:SendRawEmail")):
        assert refused.permit is None
        assert refused.decisions[0].verdict is Verdict.NOT_ALLOWED
        assert f"is not authorized to perform `{missing}' on resource" in str(refused.reply)
        assert any(f"allow {missing} on this identity" in advice for advice in refused.decisions[0].advice)


def test_the_advice_for_a_large_message_names_the_size_that_would_do():
    refused = judged(identity("example.com", allow()), octets=20 * MIB)

    assert any("less than 7.5 MiB" in advice for advice in refused.decisions[0].advice)


def test_a_deny_of_v2_alone_denies_large_messages():
    known = identity("example.com", statement(Action=BOTH), statement("Deny", Action="ses:SendEmail"))

    assert judged(known, octets=20 * MIB).decisions[0].verdict is Verdict.DENIED
    assert judged(known, octets=1 * MIB).permit is not None


def test_where_aws_says_two_things_v2_is_chosen_if_it_is_allowed():
    """Between 7.5 and 10 MiB SendRawEmail may take it; who may not use SendEmail is not refused."""
    both = judged(identity("example.com", statement(Action=BOTH)), octets=9 * MIB)
    raw = judged(identity("example.com", allow()), octets=9 * MIB)
    neither = judged(identity("example.com", statement(Action="ses:SendEmail")), octets=9 * MIB)

    assert both.permit is not None
    assert both.permit.api is Api.V2
    assert raw.permit is not None
    assert raw.permit.api is Api.RAW
    assert "`ses:SendRawEmail'" in str(neither.reply)


def test_what_is_only_observed_goes_by_the_call_that_would_be_allowed():
    observed = delegate(mode="observe")

    between = judged(identity("example.com", allow()), octets=9 * MIB, who=observed)
    large = judged(identity("example.com", allow()), octets=20 * MIB, who=observed)

    assert between.permit is not None
    assert (between.permit.api, between.unenforced, between.mode) == (Api.RAW, None, Mode.OBSERVE)
    assert large.permit is not None
    assert large.permit.api is Api.V2
    assert "`ses:SendEmail'" in str(large.unenforced)


def test_larger_than_v2_takes_is_refused_for_its_size():
    refused = judged(identity("example.com", statement(Action=BOTH)), octets=LARGEST + 1)

    assert str(refused.reply) == "552 5.3.4 Message is too long: SES takes 40 MiB after base64 encoding"
    assert refused.reason is Reason.SIZE


THREE = [identity(name, statement(Action=BOTH)) for name in ("a.example", "b.example", "c.example")]
ROLES = {"author": "app@a.example", "return_path": "back@b.example", "mail_from": "app@c.example"}


def test_three_identities_are_more_than_v2_has_parameters_for():
    refused = judged(*THREE, octets=20 * MIB, **ROLES)
    small = judged(*THREE, **ROLES)
    two = judged(*THREE, octets=20 * MIB, **{**ROLES, "mail_from": "app@a.example"})

    assert str(refused.reply).startswith("552 5.3.4 Message is too long: by SendEmail, as large messages go, SES takes")
    assert "a.example, b.example, c.example" in str(refused.reply)
    assert refused.reason is Reason.SIZE
    assert len(str(refused.reply)) < 480
    assert small.permit is not None
    assert two.permit is not None
    assert (two.permit.from_arn, two.permit.return_path_arn) == (arn("a.example"), arn("b.example"))


def test_an_identity_with_a_slash_in_it_is_told_whole():
    """As the local part of an address may have."""
    slashed = identity("in/out@a.example", statement(Action=BOTH))

    refused = judged(*THREE, slashed, octets=20 * MIB, **{**ROLES, "author": "in/out@a.example"})
    assert "not in/out@a.example, b.example, c.example" in str(refused.reply)


def test_three_identities_go_by_the_first_api_where_it_may_take_them():
    judgement = judged(*THREE, octets=9 * MIB, **ROLES)

    assert judgement.permit is not None
    assert judgement.permit.api is Api.RAW


def test_the_api_version_is_not_known():
    """An Allow that hangs on it does not count, whichever call takes the message."""
    known = identity("example.com", statement(condition={"StringEquals": {"ses:ApiVersion": "2"}}, Action=BOTH))

    for octets in (0, 20 * MIB):
        refused = judged(known, octets=octets)
        assert refused.decisions[0].verdict is Verdict.NOT_ALLOWED
        assert "it hangs on ses:apiversion" in str(refused.reply)


# --- many


ANY_OF_ALL = {"ForAnyValue:StringEquals": {"ses:Recipients": MANY[0]}}


def test_each_call_must_be_allowed_as_well_as_the_whole():
    """The owner's copy is among all recipients, and among those of the first call; SES would refuse the second."""
    known = identity("example.com", allow(**ANY_OF_ALL))

    refused = judged(known, recipients=MANY)

    assert judged(known, recipients=MANY[:50]).permit is not None
    assert refused.decisions[0].verdict is Verdict.NOT_ALLOWED
    assert f"ses:Recipients is {MANY[50]}" in str(refused.reply)
    assert f"(to {MANY[50]} and 49 more in one call)" in refused.decisions[0].why
    assert any("at most 50 recipients" in advice for advice in refused.decisions[0].advice)


def test_the_whole_must_be_allowed_as_well_as_each_call():
    """A Deny of two names together does not see them in calls of their own, and counts all the same."""
    together = deny(
        **{
            "ForAnyValue:StringEquals": {"ses:Recipients": MANY[0]},
            "ForAnyValue:StringLike": {"ses:Recipients": MANY[110]},
        }
    )
    known = identity("example.com", allow(), together)

    assert judged(known, recipients=MANY).decisions[0].verdict is Verdict.DENIED
    assert judged(known, recipients=MANY[:100]).permit is not None


@pytest.mark.parametrize("quantifier", ["ForAllValues:", ""])
def test_one_recipient_among_many_is_enough_to_refuse(quantifier):
    known = identity("example.com", allow(**{f"{quantifier}StringLike": {"ses:Recipients": "*@example.net"}}))

    assert judged(known, recipients=MANY).permit is not None
    assert judged(known, recipients=[*MANY, "eve@elsewhere.example"]).permit is None


def test_calls_that_were_divided_already_are_judged_as_they_are():
    """What SES took is not asked again; the whole is."""
    known = identity("example.com", allow(**ANY_OF_ALL))

    assert judged(known, recipients=MANY[:100], batches=(tuple(MANY[:50]),)).permit is not None
    assert judged(known, recipients=MANY[:100], batches=(tuple(MANY[50:100]),)).permit is None


def test_what_goes_in_one_call_is_asked_once():
    known = identity("example.com", allow(**ANY_OF_ALL))

    assert [label for _, label, _ in judged(known, recipients=MANY[:50]).decisions[0].evaluations] == [""]


def test_who_names_no_recipients_is_asked_once():
    (decision, *_) = judged(identity("example.com", allow()), recipients=MANY).decisions

    assert len(decision.evaluations) == 1


def test_large_and_many_is_both():
    known = identity(
        "example.com", statement(condition={"StringLike": {"ses:Recipients": "*@example.net"}}, Action=BOTH)
    )

    judgement = judged(known, recipients=MANY, octets=20 * MIB)

    told = to_json(judgement, delegate())["questions"][0]["asked"]
    assert judgement.permit is not None
    assert len(told) == 2 * (1 + 3) * 2  # actions; the whole and three calls; any and all
    assert {asked["action"] for asked in told} == set(BOTH)
    assert any("ses:SendEmail; to r100@example.net and 19 more in one call" in asked["reading"] for asked in told)
