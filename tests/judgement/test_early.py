"""The early answer at MAIL: refuse only what no message could make good."""

from typing import Any

import pytest

from relay.judgement.catalog import Catalog
from relay.judgement.message import judge_early
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Role, Verdict
from relay.words.addresses import NullPath
from relay.words.endings import Reason
from tests.judgement.building import NOW, address, allow, arn, catalog, delegate, deny, envelope, facts, identity, judge

SOMEBODY = "arn:aws:iam::999999999999:user/somebody"


def early(known: Any, path: str = "app@example.com", who: Any = None, rules: Any = None) -> Any:
    return judge_early(
        NullPath.NULL if path == "<>" else address(path), who or delegate(), known, rules or Rules(), NOW
    )


@pytest.mark.parametrize(
    "statements",
    [
        (allow(SOMEBODY),),
        (deny(),),
        (allow(), deny()),
        (allow(), deny(StringLike={"ses:FeedbackAddress": "*@example.com"})),
        (allow(StringEquals={"ses:FeedbackAddress": "bounce@example.com"}),),
        ({**allow(), "Action": "ses:SendEmail"},),
        (),
    ],
)
def test_what_no_message_could_make_good_is_refused_with_550(statements):
    judgement = early(catalog(identity("example.com", *statements)))

    assert (judgement.reply.code, judgement.reply.enhanced, judgement.permit) == (550, (5, 7, 1), None)
    assert judgement.decisions[0].role is Role.FEEDBACK
    assert judgement.reason in {Reason.POLICY_DENIED, Reason.POLICY_NOT_ALLOWED}


@pytest.mark.parametrize(
    "statements",
    [
        (allow(),),
        (allow("111111111111"),),
        (allow(StringEquals={"ses:FromAddress": "other@example.com"}),),
        (allow(StringEquals={"ses:FromDisplayName": "x"}),),
        (allow(**{"ForAllValues:StringLike": {"ses:Recipients": "*@x.example"}}),),
        (allow(), deny(StringLike={"ses:FromAddress": "app@*"})),
        (allow(), deny(StringNotLike={"ses:Recipients": "*@x.example"})),
        (allow(), deny(Null={"ses:FromDisplayName": "true"})),
        (allow(StringEquals={"aws:PrincipalOrgID": "o-1"}),),
        (allow(DateGreaterThan={"aws:CurrentTime": "2999-01-01T00:00:00Z"}),),
        (allow(NumericGreaterThan={"aws:EpochTime": "99999999999"}),),
        (allow(Null={"ses:TenantName": "false"}),),
    ],
)
def test_what_the_message_may_still_make_good_is_heard(statements):
    assert early(catalog(identity("example.com", *statements))) is None


def test_the_refusal_names_what_failed():
    known = catalog(identity("example.com", allow(StringEquals={"ses:FeedbackAddress": "bounce@example.com"})))
    judgement = early(known, "App@Example.com")

    assert "ses:FeedbackAddress is App@example.com" in judgement.reply.text
    assert judgement.decisions[0].verdict is Verdict.NOT_ALLOWED
    assert judgement.decisions[0].digests


def test_nobodys_reverse_path_is_refused():
    judgement = early(catalog(identity("example.com", allow())), "a@other.example")

    assert str(judgement.reply).startswith("550 5.7.1 Message rejected: Email address is not verified.")
    assert judgement.reason is Reason.IDENTITY_UNKNOWN


def test_every_owner_that_a_field_might_name_is_tried():
    refusing = identity("example.com", deny())

    assert early(catalog(refusing, identity("example.com", allow(), account="1"))) is None
    assert early(catalog(refusing, identity("example.com", deny(), account="1"))) is not None
    assert early(catalog(refusing, identity("example.com", account="1"))) is not None


def test_the_address_decides_here_as_well():
    known = catalog(identity("example.com", allow()), identity("app@example.com", allow(SOMEBODY)))

    assert early(known) is not None
    assert early(known, "other@example.com") is None
    assert early(known, "APP@example.com") is not None


@pytest.mark.parametrize(
    "known",
    [
        Catalog(),
        Catalog(catalog(identity("example.com", deny())).owners, "one account cannot be read"),
        catalog(identity("example.com", deny()), problem="down"),
        catalog(identity("example.com", deny()), listed_at=NOW - 9999),
        catalog(identity("example.com", deny(), read_at=NOW - 9999)),
        catalog(identity("example.com", problem="EACCES")),
        catalog(identity("example.com", allow(SOMEBODY), unreadable=True)),
        catalog(identity("x.example", account="1"), listed_at=NOW - 9999),
    ],
)
def test_nothing_is_refused_early_on_what_is_not_known_for_sure(known):
    assert early(known) is None


@pytest.mark.parametrize("setting", ["author", address("x@example.com")])
def test_not_asked_where_mail_from_will_be_replaced(setting):
    assert early(catalog(identity("example.com", deny())), who=delegate(return_path=setting)) is None


def test_the_null_reverse_path_is_refused_at_mail_unless_the_author_stands_in():
    known = catalog(identity("example.com", allow()))

    assert early(known, "<>").reply.code == 550
    assert early(known, "<>", rules=Rules(null_reverse_path="author")) is None
    assert early(known, "<>", who=delegate(return_path="author")).reply.code == 550


STATEMENTS = [
    allow(),
    allow(SOMEBODY),
    deny(),
    allow("111111111111"),
    allow(StringEquals={"ses:FromAddress": "app@example.com"}),
    allow(StringEquals={"ses:FeedbackAddress": "app@example.com"}),
    deny(StringEquals={"ses:FeedbackAddress": "app@example.com"}),
    deny(StringLike={"ses:FromAddress": "*"}),
    allow(StringEquals={"aws:PrincipalOrgID": "o-1"}),
    deny(Null={"aws:SourceIp": "false"}),
]


@pytest.mark.parametrize("one", range(len(STATEMENTS)))
@pytest.mark.parametrize("other", range(len(STATEMENTS)))
def test_what_is_refused_early_would_be_refused_whatever_the_message(one, other):
    known = catalog(
        identity("example.com", STATEMENTS[one], STATEMENTS[other]), identity("app@example.com", STATEMENTS[other])
    )
    for path in ("app@example.com", "b@example.com"):
        if early(known, path, who=delegate(account_grant=True)) is None:
            continue
        for message in (facts(), facts("x@example.com", "N"), facts(source_arn=arn("example.com"))):
            assert judge(known, message, envelope(path), who=delegate(account_grant=True)).permit is None
