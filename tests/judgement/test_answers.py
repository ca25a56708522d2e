"""What the client hears."""

from typing import Any

import pytest

from relay.judgement.answers import LONGEST_WITH_ID, with_id
from relay.judgement.rules import Rules
from relay.mail.facts import DisplayName
from relay.words.replies import Reply
from tests.judgement.building import (
    NOW,
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

FULL = Rules(reveal="full")
SECRET = "secret-pattern@example.com"
SELECTIVE = catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": SECRET})))
HEAD = (
    "554 5.7.1 Access denied: User `arn:aws:iam::111111111111:user/app' is not authorized to perform "
    f"`ses:SendRawEmail' on resource `{arn('example.com')}' (delegate app, from; "
)


def reply(*arguments: Any, **options: Any) -> str:
    return str(judge(*arguments, **options).reply)


def test_not_allowed_is_said_in_ses_words_with_the_nearest_miss():
    assert reply(SELECTIVE) == HEAD + "ses:FromAddress is app@example.com)"


def test_denied_is_said_in_the_same_words():
    assert reply(catalog(identity("example.com", deny()))) == HEAD + "an explicit Deny applies)"


def test_no_policy_at_all_and_no_statement_for_the_principal_are_told_apart():
    other = catalog(identity("example.com", allow("arn:aws:iam::1:user/other")))

    assert reply(catalog(identity("example.com"))) == HEAD + "the identity has no policy that allows)"
    assert reply(other) == HEAD + "no policy names this principal)"


def test_policy_values_and_sids_are_told_only_where_everything_is_revealed():
    by_rule = reply(SELECTIVE, rules=FULL)
    by_delegate = reply(SELECTIVE, who=delegate(reveal="full"))

    assert (
        by_rule
        == by_delegate
        == HEAD + (f"ses:FromAddress is app@example.com; p/S0 wants ses:FromAddress to be {SECRET})")
    )
    assert "p/S0" in reply(catalog(identity("example.com", deny())), rules=FULL)
    assert SECRET not in reply(SELECTIVE, rules=FULL, who=delegate(reveal="reason"))


@pytest.mark.parametrize(
    "known",
    [
        SELECTIVE,
        catalog(identity("example.com", deny(StringNotLike={"ses:FromAddress": SECRET}))),
        catalog(identity("example.com", allow(SECRET.replace("@", "")))),
        catalog(identity("example.com", allow(StringEquals={"aws:PrincipalOrgID": SECRET}))),
        catalog(identity("example.com", {**allow(), "Action": f"ses:{SECRET.partition('@')[0]}"})),
    ],
)
def test_by_default_no_policy_value_reaches_a_reply(known):
    text = reply(known)

    assert "secret-pattern" not in text
    assert "S0" not in text


def test_the_relays_own_surroundings_are_not_told():
    known = catalog(identity("example.com", allow(IpAddress={"aws:SourceIp": "203.0.113.0/24"})))

    text = reply(known, rules=Rules(egress=("192.0.2.7",)))
    assert "aws:SourceIp does not match" in text
    assert "192.0.2.7" not in text


def test_the_nearest_miss_is_the_statement_that_got_furthest():
    known = catalog(
        identity(
            "example.com",
            allow("arn:aws:iam::1:user/other"),
            {**allow(), "Action": "ses:GetEmailIdentity"},
            allow(StringEquals={"ses:FeedbackAddress": "x@example.com"}),
        )
    )

    assert "ses:FeedbackAddress is app@example.com" in reply(known)


def test_an_unknown_key_that_holds_an_allow_back_is_named():
    assert "aws:principalorgid, which the relay does not know" in reply(
        catalog(identity("example.com", allow(StringEquals={"aws:PrincipalOrgID": "o-1"})))
    )


@pytest.mark.parametrize(
    ("condition", "key"),
    [
        ({"Bool": {"aws:SecureTransport": "True"}}, "aws:SecureTransport"),
        ({"ArnLike": {"ses:FromAddress": "arn:aws:ses:*:*:identity/*"}}, "ses:FromAddress"),
    ],
)
def test_a_key_whose_value_is_known_is_not_told_as_unknown(condition, key):
    """What is open is what AWS makes of it, and no setting tells that."""
    for statements in ((allow(**condition),), (allow(), deny(**condition))):
        decision = judge(catalog(identity("example.com", *statements))).decisions[0]
        assert f"{key}, of which AWS does not say" in decision.why or f"{key} spares it, of which AWS" in decision.why
        assert "does not know" not in decision.why
        assert not any("authorization.context" in advice for advice in decision.advice)


def test_of_many_recipients_the_first_are_told():
    known = catalog(identity("example.com", allow(**{"ForAllValues:StringEquals": {"ses:Recipients": "x@y.example"}})))
    text = reply(known, None, envelope(recipients=[f"r{n}@rcpt.example" for n in range(50)]))

    assert "ses:Recipients is r0@rcpt.example, r1@rcpt.example, r2@rcpt.example and 47 more)" in text


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (catalog(identity("example.com", unreadable=True)), f"a policy of {arn('example.com')} cannot be read"),
        (
            catalog(identity("example.com", allow(), read_at=NOW - 9999)),
            f"the policies of {arn('example.com')} are not known fresh enough",
        ),
        (catalog(listed_at=0), "the identities of account 888888888888 in us-east-1 are not known fresh enough"),
    ],
)
def test_undecided_is_temporary_and_says_why(known, why):
    assert reply(known) == f"451 4.7.1 Sending authorization cannot be decided now: {why} (delegate app, from)"


# --- one line of printable ASCII --------------------------------------------------------------------------------------


def test_an_id_is_added_inside_the_parentheses():
    denied = judge(SELECTIVE).reply

    assert str(with_id(denied, "7Q")) == HEAD + "ses:FromAddress is app@example.com; decision 7Q)"
    assert str(with_id(Reply(550, (5, 6, 0), "No"), "7Q")) == "550 5.6.0 No (decision 7Q)"


@pytest.mark.parametrize("reveal", ["reason", "full"])
@pytest.mark.parametrize("long", [1, 3, 30])
def test_a_refusal_with_its_id_fits_a_reply_line_whatever_the_names_are(reveal, long):
    domain = ".".join(["abcdefg" * 8] * min(long, 4)) + ".example"
    who = delegate(f"arn:aws:iam::111111111111:user/{'path/' * 10 * long}app", reveal=reveal)
    wanted = [f"wanted{n}@{domain}" for n in range(long)]
    known = catalog(identity(domain, allow("*", StringEquals={"ses:FromAddress": wanted})))
    message = facts(f"{'l' * 60}@{domain}"[:254] if long < 4 else f"a@{domain}")
    for judgement in (
        judge(known, message, envelope(f"a@{domain}"), who=who),
        judge(catalog(), message, envelope(f"a@{domain}"), who=who),
        judge(known, facts(source_arn=arn("x" * 300)), who=who),
        judge(known, facts(x_ses={"x-ses-" + "y" * 900: "1"}), who=who),
    ):
        line = str(with_id(judgement.reply, "01JABCDEFGHJKMNPQRSTVWXYZ0"))
        assert len(line) <= LONGEST_WITH_ID + 10
        assert line.endswith("decision 01JABCDEFGHJKMNPQRSTVWXYZ0)")


def test_what_a_message_says_cannot_break_the_reply():
    name = DisplayName("\u202eevil\r\n250 Ok", "\u202eevil\r\n250 Ok")
    known = catalog(identity("example.com", allow(StringEquals={"ses:FromDisplayName": "x"})))
    text = reply(known, facts(name=name))

    assert text.isprintable()
    assert text.isascii()
