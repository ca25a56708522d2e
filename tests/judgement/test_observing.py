"""Observing: verdicts of policies refuse nothing; everything else does, as under enforce."""

from typing import Any

import pytest

from relay.judgement.catalog import Catalog
from relay.judgement.message import judge_early
from relay.judgement.observing import ALWAYS, NEVER, mode_of, observed_until
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Mode, Verdict
from relay.words.addresses import NullPath
from relay.words.endings import Reason
from tests.judgement.building import NOW, address, allow, arn, catalog, delegate, deny, envelope, facts, identity, judge

SOMEBODY = "arn:aws:iam::999999999999:user/somebody"
OBSERVE = Rules(mode="observe")
OPEN = identity("example.com", allow())


def observed(*arguments: Any, **options: Any) -> Any:
    return judge(*arguments, **{"rules": OBSERVE, **options})


def early(path: Any, known: Catalog, rules: Rules) -> Any:
    return judge_early(path, delegate(), known, rules, NOW)


# --- what is spared ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        (catalog(identity("example.com", allow(), deny())), Verdict.DENIED),
        (catalog(identity("example.com", allow(SOMEBODY))), Verdict.NOT_ALLOWED),
        (catalog(identity("example.com", allow("111111111111"))), Verdict.NOT_ALLOWED),
        (catalog(identity("example.com")), Verdict.NOT_ALLOWED),
        (catalog(OPEN, identity("app@example.com", deny())), Verdict.DENIED),
        (catalog(identity("example.com", allow(), unreadable=True)), Verdict.UNDECIDED),
        (catalog(identity("example.com", allow(), problem="EACCES")), Verdict.UNDECIDED),
        (catalog(identity("example.com", allow(), read_at=NOW - 9999)), Verdict.UNDECIDED),
    ],
)
def test_what_policies_refuse_is_forwarded_and_told(known, verdict):
    """The verdicts are as judged; beside them stands what enforce would have answered, word for word."""
    judgement, enforced = observed(known), judge(known)

    assert {decision.verdict for decision in judgement.decisions} == {verdict}
    assert judgement.decisions == enforced.decisions
    assert (judgement.reply, judgement.reason, judgement.mode) == (None, Reason.NONE, Mode.OBSERVE)
    assert judgement.unenforced == enforced.reply is not None


def test_what_is_forwarded_is_sent_under_the_identity_that_governs():
    known = catalog(identity("example.com", deny()), identity("bounce.example", deny()))
    permit = observed(known, facts(), envelope("b@bounce.example")).permit

    assert (permit.from_arn, permit.source_arn) == (arn("example.com"), arn("bounce.example"))
    assert str(permit.source) == "b@bounce.example"


def test_what_is_allowed_has_nothing_unenforced():
    judgement = observed(catalog(OPEN))

    assert (judgement.permit is not None, judgement.unenforced, judgement.mode) == (True, None, Mode.OBSERVE)


def test_one_refused_question_among_allowed_ones_is_spared_too():
    known = catalog(OPEN, identity("bounce.example", deny()))
    judgement = observed(known, facts(), envelope("b@bounce.example"))

    assert judgement.permit is not None
    assert "bounce.example" in judgement.unenforced.text


# --- what is not ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "message", "path", "reason"),
    [
        (catalog(OPEN), facts("a@nobody.example"), None, Reason.IDENTITY_UNKNOWN),
        (catalog(OPEN), facts(), "a@nobody.example", Reason.IDENTITY_UNKNOWN),
        (catalog(OPEN), facts(from_arn=arn("other.example")), None, Reason.IDENTITY_UNKNOWN),
        (catalog(OPEN), facts(from_arn="x"), None, Reason.MESSAGE_FORM),
        (catalog(OPEN), facts(source_arn="x"), None, Reason.MESSAGE_FORM),
        (catalog(OPEN), facts(x_ses={"x-ses-configuration-set": "spy"}), None, Reason.MESSAGE_FORM),
        (catalog(OPEN), facts(), "<>", Reason.ADDRESS_FORM),
        (catalog(OPEN, identity("example.com", allow(), account="1")), facts(), None, Reason.IDENTITY_UNKNOWN),
        (
            catalog(OPEN, identity("bounce.example", allow(), region="eu-west-1")),
            facts(),
            "b@bounce.example",
            Reason.IDENTITY_UNKNOWN,
        ),
        (catalog(OPEN, listed_at=NOW - 9999), facts(), None, Reason.POLICY_UNDECIDED),
        (catalog(OPEN, problem="down"), facts(), None, Reason.POLICY_UNDECIDED),
        (Catalog(), facts(), None, Reason.POLICY_UNDECIDED),
        (catalog(identity("example.com", problem="EACCES", verified=False)), facts(), None, Reason.POLICY_UNDECIDED),
    ],
)
def test_what_is_no_verdict_of_a_governing_identity_is_refused_as_ever(known, message, path, reason):
    """Without an identity that is known to govern there is no ARN that SES could be told."""
    sender = envelope(path or "app@example.com")
    judgement = observed(known, message, sender)

    assert (judgement.permit, judgement.reason, judgement.unenforced) == (None, reason, None)
    assert judgement.reply == judge(known, message, sender).reply


def test_a_delegate_is_held_to_its_pins():
    pinned = delegate(allow_source_arns=(arn("other.example"),))

    assert observed(catalog(OPEN), who=pinned).reason is Reason.IDENTITY_UNKNOWN


def test_several_regions_are_refused_though_every_policy_was_spared():
    known = catalog(identity("example.com", deny()), identity("bounce.example", deny(), region="eu-west-1"))
    judgement = observed(known, facts(), envelope("b@bounce.example"))

    assert "different regions" in judgement.reply.text


def test_beside_a_spared_verdict_the_question_nobody_governs_is_what_is_answered():
    """The Deny would come first under enforce; it is not what refuses here, so the client does not hear of it."""
    known = catalog(identity("example.com", deny()))
    judgement = observed(known, facts(), envelope("a@nobody.example"))

    assert judgement.reason is Reason.IDENTITY_UNKNOWN
    assert "a@nobody.example" in judgement.reply.text
    assert judge(known, facts(), envelope("a@nobody.example")).reason is Reason.POLICY_DENIED


# --- at MAIL ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["app@example.com", "a@nobody.example"])
def test_nothing_but_the_null_reverse_path_is_refused_at_mail(path):
    known = catalog(identity("example.com", deny()))

    assert early(address(path), known, Rules()) is not None
    assert early(address(path), known, OBSERVE) is None
    assert early(NullPath.NULL, known, OBSERVE).reply.code == 550


# --- who, and until when ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "settings", "until"),
    [
        (Rules(), {}, NEVER),
        (OBSERVE, {}, ALWAYS),
        (Rules(mode="observe", observe_until=7.0), {}, 7.0),
        (Rules(), {"mode": "observe"}, ALWAYS),
        (Rules(), {"mode": "observe", "observe_until": 7.0}, 7.0),
        (OBSERVE, {"mode": "enforce"}, NEVER),
        (OBSERVE, {"observe_until": 7.0}, 7.0),
        (Rules(mode="observe", observe_until=9.0), {"mode": "observe", "observe_until": 7.0}, 7.0),
        (Rules(mode="observe", observe_until=9.0), {"mode": "observe"}, 9.0),
    ],
)
def test_a_delegates_own_mode_and_end_go_before_those_of_all(rules, settings, until):
    assert observed_until(delegate(**settings), rules) == until


def test_when_the_end_has_come_the_same_message_is_refused():
    known = catalog(identity("example.com", deny()))
    rules = Rules(mode="observe", observe_until=NOW)

    assert judge(known, rules=rules, now=NOW - 0.001).permit is not None
    assert judge(known, rules=rules, now=NOW).reason is Reason.POLICY_DENIED
    assert early(address("app@example.com"), known, rules) is not None
    assert [mode_of(delegate(), rules, now) for now in (NOW - 1, NOW)] == [Mode.OBSERVE, Mode.ENFORCE]


def test_one_delegate_is_observed_while_the_others_are_not():
    known = catalog(identity("example.com", deny("*")))

    assert judge(known, who=delegate(mode="observe")).permit is not None
    assert judge(known).permit is None
