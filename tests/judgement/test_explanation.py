"""One judgement as JSON and as text: the chain from delegate to statement, and what would make it pass."""

import json
from pathlib import Path
from typing import Any

import pytest

from relay.cli.explain_text import WIDTH, render
from relay.judgement.catalog import Catalog
from relay.judgement.explanation import to_json
from relay.judgement.message import judge_message
from relay.judgement.rules import Rules
from relay.judgement.wording import wish
from relay.mail.facts import DisplayName
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
    statement,
)

EXPLANATIONS = Path(__file__).parent.parent / "cases" / "explanations.json"
SOMEBODY = "arn:aws:iam::999999999999:user/somebody"


def explained(known: Any, message: Any = None, path: Any = None, who: Any = None, rules: Any = None) -> Any:
    message, path, who = message or facts(), path or envelope(), who or delegate()
    judgement = judge(known, message, path, who=who, rules=rules, trace=True)
    explanation = to_json(judgement, who, facts=message, envelope=path)
    assert json.loads(json.dumps(explanation)) == explanation
    return explanation


def test_an_explanation_has_the_keys_of_the_contract():
    """
    All of a message that is permitted with all it may ask for; of one that is not, what is left without a message.
    """
    own = arn("example.com")
    message = facts(
        name="The App",
        return_path="back@example.com",
        source_arn=own,
        from_arn=own,
        return_path_arn=own,
        x_ses={"x-ses-configuration-set": "c", "x-ses-message-tags": "a=b", "x-ses-tenant": "t"},
    )
    who = delegate(account_grant=True, allow_configuration_sets=("c",), allow_message_tags=True, allow_tenants=("t",))
    known = catalog(
        identity(
            "example.com",
            statement(Action="ses:Send*"),
            deny(StringEquals={"ses:FromAddress": "x"}),
            allow(StringEquals={"aws:PrincipalOrgID": "o-1"}),
        )
    )
    permitted, refused = json.loads(EXPLANATIONS.read_text("utf-8"))

    assert explained(known, message, envelope("app@example.com"), who) == permitted
    assert to_json(judge(known, facts("app@other.example")), delegate()) == refused


def test_the_chain_of_a_permitted_message():
    explanation = explained(catalog(identity("example.com", allow(), deny(SOMEBODY))), facts(name="The App"))
    question = explanation["questions"][0]

    assert explanation["verdict"] == "allowed"
    assert explanation["delegate"]["principal"] == "arn:aws:iam::111111111111:user/app"
    assert explanation["message"]["display_name"] == "The App"
    assert explanation["envelope"] == {"mail_from": "app@example.com", "recipients": ["bob@rcpt.example"]}
    assert (question["role"], question["identity"], question["verdict"]) == ("from", arn("example.com"), "allowed")
    assert question["asked"][0]["because"] == [{"policy": "p", "sid": "S0", "index": 0}]
    assert [(s["sid"], s["fate"]) for s in question["asked"][0]["statements"]] == [
        ("S0", "applies"),
        ("S1", "does not apply"),
    ]
    assert explanation["permit"]["from_arn"] == arn("example.com")
    assert explanation["reply"] is None


def test_a_statement_shows_the_first_element_that_did_not_match_with_wanted_and_found():
    known = catalog(identity("example.com", allow(StringLike={"ses:FromAddress": "news*@example.com"})))
    question = explained(known)["questions"][0]

    assert question["asked"][0]["statements"][0]["mismatch"] == {
        "element": "Condition",
        "operator": "StringLike",
        "key": "ses:FromAddress",
        "wanted": ["news*@example.com"],
        "found": ["app@example.com"],
    }
    assert "ses:FromAddress is app@example.com" in question["asked"][0]["nearest_miss"]
    assert question["advice"][0] == "Send with another From address: ses:FromAddress like news*@example.com."


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ((), "for a policy on arn:"),
        ((allow(SOMEBODY),), "to name arn:aws:iam::111111111111:user/app as Principal"),
        ((deny(),), "can lift the Deny p/S0"),
        ((allow("111111111111"),), "account_grant = true"),
        (({**allow(), "Action": "ses:SendEmail"},), "to allow ses:SendRawEmail"),
        ((allow(StringEquals={"ses:FeedbackAddress": "b@example.com"}),), "Give another MAIL FROM (or Return-Path)"),
        ((allow(**{"ForAllValues:StringLike": {"ses:Recipients": "*@x.example"}}),), "Send to other recipients"),
        ((allow(DateLessThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}),), "Send at another time"),
        ((allow(StringEquals={"aws:PrincipalOrgID": "o-1"}),), "Set organization_id for the delegate."),
        ((allow(StringEquals={"aws:PrincipalTag/team": "x"}),), "Set team in principal_tags of the delegate."),
        ((allow(IpAddress={"aws:SourceIp": "192.0.2.1"}),), "Set ses.egress"),
        ((allow(StringEquals={"ses:ApiVersion": "2"}),), "Set ses:apiversion in authorization.context"),
        ((allow(StringEquals={"aws:UserAgent": "x"}),), "Ask the owner of example.com"),
    ],
)
def test_there_is_advice_for_every_refusal(statements, says):
    advice = explained(catalog(identity("example.com", *statements)))["questions"][0]["advice"]

    assert says in " ".join(advice)


@pytest.mark.parametrize(
    ("known", "message", "says"),
    [
        (catalog(identity("other.example")), {}, "Have example.com or app@example.com verified"),
        (catalog(identity("APP@example.com", allow())), {}, "permits only its exact spelling"),
        (catalog(identity("example.com")), {"from_arn": arn("Example.com")}, "must spell a verified identity exactly"),
        (catalog(identity("example.com", unreadable=True)), {}, "Mend policy broken at $"),
        (catalog(identity("example.com", read_at=0)), {}, "Look at the policy source"),
        (catalog(listed_at=0), {}, "Naming the identity's ARN"),
    ],
)
def test_there_is_advice_where_no_policy_could_be_asked(known, message, says):
    advice = explained(known, facts(**message))["questions"][0]["advice"]

    assert says in " ".join(advice)


def test_there_is_advice_for_software_that_sends_as_its_host():
    decision = judge(catalog(identity("example.com", allow())), path=envelope("www-data@web01")).decisions[1]

    assert decision.advice == (
        'web01 is a host: send another MAIL FROM, or set return_path = "author" for the delegate.',
    )


def test_what_the_form_decided_is_explained_by_its_reply():
    explanation = explained(catalog(), facts(x_ses={"x-ses-tenant": "t"}))

    assert (explanation["verdict"], explanation["questions"]) == ("refused", [])
    assert explanation["reply"].startswith("550 5.7.1 X-SES-TENANT is refused")


def test_the_same_value_feeds_reply_and_explanation():
    known = catalog(identity("example.com", allow(StringLike={"ses:FromAddress": "news*@example.com"})))
    judgement = judge(known)

    assert to_json(judgement, delegate())["reply"] == str(judgement.reply)
    assert to_json(judgement, delegate())["questions"][0]["asked"][0]["statements"]


def test_statements_of_what_was_allowed_are_kept_only_on_demand():
    known = catalog(identity("example.com", allow()))
    judgement = judge_message(facts(), envelope(), delegate(), known, Rules(), NOW)

    assert judgement.decisions[0].evaluations[0][2].traces == ()


# --- as text ----------------------------------------------------------------------------------------------------------


def test_the_text_of_a_refusal_reads_from_delegate_to_cure():
    known = catalog(
        identity(
            "example.com",
            allow(StringLike={"ses:FromAddress": ["news*@example.com", "press@example.com"]}),
            allow(SOMEBODY),
        )
    )
    text = render(explained(known, facts(name="The App")))

    assert text == (
        "delegate  app, to AWS arn:aws:iam::111111111111:user/app\n"
        'From      "The App" <app@example.com>\n'
        "MAIL FROM <app@example.com>\n"
        "RCPT TO   bob@rcpt.example\n"
        "\n"
        "x app@example.com: the author's address (From)\n"
        "    identity  arn:aws:ses:us-east-1:888888888888:identity/example.com\n"
        "    chosen    example.com governs; inferred: only account 888888888888 in us-east-1 has a verified\n"
        "              identity for app@example.com\n"
        "      - p/S0 (Allow) wants ses:FromAddress like news*@example.com or press@example.com; found\n"
        "        app@example.com\n"
        f"      - p/S1 (Allow) is for somebody else: {SOMEBODY}\n"
        "    result    example.com: ses:FromAddress is app@example.com; p/S0 wants ses:FromAddress like\n"
        "              news*@example.com or press@example.com\n"
        "    to pass   Send with another From address: ses:FromAddress like news*@example.com or\n"
        "              press@example.com.\n"
        "    to pass   Or ask the owner of example.com (account 888888888888) to let ses:FromAddress of p/S0\n"
        "              match app@example.com.\n"
        "\n"
        "x app@example.com: the feedback address, where bounces go (Return-Path, else MAIL FROM)\n"
        "    identity  arn:aws:ses:us-east-1:888888888888:identity/example.com\n"
        "    chosen    example.com governs; inferred: only account 888888888888 in us-east-1 has a verified\n"
        "              identity for app@example.com\n"
        "    result    not-allowed, by the same statements as above\n"
        "\n"
        "x NOT ALLOWED: no policy of the identity's owner permits it.\n"
        "  the client would hear: 554 5.7.1 Access denied: User `arn:aws:iam::111111111111:user/app' is not\n"
        "  authorized to perform `ses:SendRawEmail' on resource\n"
        "  `arn:aws:ses:us-east-1:888888888888:identity/example.com' (delegate app, from; ses:FromAddress is\n"
        "  app@example.com)\n"
    )


def texts() -> list[Any]:
    role = "arn:aws:iam::111111111111:role/app"
    session = delegate("arn:aws:sts::111111111111:assumed-role/app/x", role=role)
    split = catalog(
        identity("example.com", allow(), deny(Null={"aws:userid": "false"})), identity("b.example", allow())
    )
    parents = catalog(identity("example.com", allow()), identity("sub.example.com", deny()))
    return [
        (explained(catalog(identity("example.com", allow())), who=session), "a session of the role"),
        (explained(catalog(identity("example.com", allow())), rules=Rules(source_arn="required")), "identity  none"),
        (explained(split, facts(return_path="x@b.example")), "MAIL FROM, which differs"),
        (explained(split), "hangs on aws:userid"),
        (
            explained(catalog(identity("example.com", allow(Bool={"aws:SecureTransport": "True"})))),
            "whether true matches",
        ),
        (
            explained(catalog(identity("example.com", {**allow(), "Action": "s?s:Send*"}))),
            "wants Action s?s:Send*; AWS",
        ),
        (explained(parents, facts("a@sub.example.com", from_arn=arn("example.com"))), "and asked"),
        (explained(catalog(identity("example.com", allow("111111111111")))), "through the whole account"),
        (explained(catalog(identity("example.com", unreadable=True))), "UNDECIDED"),
        (explained(catalog(identity("example.com", {**allow(), "Action": "ses:SendEmail"}))), "for other actions"),
        (explained(catalog(identity("example.com", allow(StringLike={"ses:FromDisplayName": "x"})))), "it is absent"),
        (
            explained(
                catalog(identity("example.com", allow(StringEquals={"ses:FromAddress": "app@example.com"}))),
                facts("app@Example.com"),
            ),
            "read as",
        ),
    ]


@pytest.mark.parametrize(("explanation", "says"), texts())
def test_every_kind_of_answer_has_its_words(explanation, says):
    text = render(explanation)

    assert says.lower() in text.lower()
    assert all(len(line) <= WIDTH + 40 for line in text.splitlines())


def test_what_observing_forwards_keeps_its_verdict_and_tells_what_would_be_answered():
    known = catalog(identity("example.com", deny()))
    explanation = explained(known, rules=Rules(mode="observe"))
    text = render(explanation)

    assert (explanation["verdict"], explanation["mode"], explanation["reply"]) == ("denied", "observe", None)
    assert explanation["permit"]["from_arn"] == arn("example.com")
    assert explanation["unenforced"] == explained(known)["reply"]
    assert "x DENIED" in text
    assert "The delegate is observed: the message goes all the same." in text
    assert "enforced, the client would hear: 554 5.7.1" in text
    assert "observed" not in render(explained(catalog(identity("example.com", allow())), rules=Rules(mode="observe")))


def test_what_ses_judges_is_not_called_allowed():
    rules, theirs = Rules(sealed=frozenset({("777777777777", "us-east-1")})), arn("example.com", "777777777777")
    explanation = explained(Catalog(), facts(source_arn=theirs), who=delegate(is_caller=True), rules=rules)
    text = render(explanation)

    assert (explanation["verdict"], explanation["permit"]["source_arn"]) == ("sealed", theirs)
    assert "~ SEALED" in text
    assert "ALLOWED" not in text


def test_colour_is_for_terminals_only():
    explanation = explained(catalog(identity("example.com", allow())))

    assert "\x1b[" not in render(explanation)
    assert "\x1b[32m+ ALLOWED" in render(explanation, colour=True)


def test_a_message_cannot_steer_the_terminal_of_its_reader():
    name = DisplayName("\x1b[2J\u202e", "\x1b[2J\u202e")
    known = catalog(identity("example.com", allow(StringEquals={"ses:FromDisplayName": "x"})))

    assert "\x1b" not in render(explained(known, facts(name=name)))
    assert "\u202e" not in render(explained(known, facts(name=name)))


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        ("StringLike", "k like a or b"),
        ("StringNotEquals", "k to be none of a or b"),
        ("ForAllValues:StringLike", "each of k like a or b"),
        ("ForAnyValue:StringLikeIfExists", "one of k, if any, like a or b"),
        ("Mystery", "k Mystery a or b"),
    ],
)
def test_conditions_in_words(operator, words):
    assert wish("k", operator, ["a", "b"]) == words


def test_times_of_the_judgement_are_those_it_was_given():
    """Nothing here reads a clock: the same arguments give the same explanation."""
    known = catalog(identity("example.com", allow(DateLessThan={"aws:CurrentTime": "2025-10-09T08:53:21Z"})))

    assert judge(known, now=NOW).permit is not None
    assert judge(known, now=NOW + 1).permit is None
