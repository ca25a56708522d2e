"""``POST /api/explain`` says what ``ses-relay explain --json`` says, and leaves no trace."""

import base64
import json
from typing import Any

import pytest
from click.testing import CliRunner

from relay.cli import main
from tests.system.admin import Admin
from tests.system.conftest import Demo
from tests.system.rows import CEO, DOMAIN, FORBIDDEN, PERMITTED, ROWS, Row

pytestmark = pytest.mark.system

MINE = PERMITTED[0]


def api(demo: Demo) -> Admin:
    return Admin(demo.relay.addresses["admin"])


def question(row: Row, **more: Any) -> dict[str, Any]:
    envelope = {"delegate": row.delegate, "mail_from": row.mail_from, "recipients": list(row.recipients)}
    return {**envelope, "message_base64": base64.b64encode(row.raw).decode(), **more}


def by_command(row: Row, demo: Demo) -> dict[str, Any]:
    recipients = [word for each in row.recipients for word in ("--rcpt", each)]
    settings = str(demo.state / "relay.toml")
    words = ["explain", "-", "-c", settings, "--delegate", row.delegate, "--mail-from", row.mail_from, "--json"]
    told: dict[str, Any] = json.loads(CliRunner().invoke(main, [*words, *recipients], input=row.raw).output)
    return told


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_is_what_the_command_says(row: Row, demo: Demo) -> None:
    """To the last statement that was asked."""
    answer = api(demo).post("/api/explain", question(row))

    assert answer.status == 200
    assert answer.told == by_command(row, demo)


def test_nothing_is_sent_counted_or_kept(demo: Demo) -> None:
    """Neither a message nor a decision; the log has no line of it."""
    counted = ("ses_relay_messages_received_total", "ses_relay_decisions_total")
    before = [demo.relay.count(name) for name in counted], len(demo.ses.messages()), kept(demo)
    for row in (MINE, FORBIDDEN[0]):
        assert api(demo).post("/api/explain", question(row)).status == 200

    assert before == ([demo.relay.count(name) for name in counted], len(demo.ses.messages()), kept(demo))


def kept(demo: Demo) -> list[str]:
    return [each["id"] for each in api(demo).get("/api/decisions").told["decisions"]]


def test_a_text_may_have_the_lines_of_this_machine(demo: Demo) -> None:
    """LF alone is what a text field of a page sends."""
    text = "From: billing@example.com\nTo: bob@example.net\nMessage-ID: <a@b.example>\n\nGr\u00fc\u00dfe\n"
    told = api(demo).post("/api/explain", {"delegate": "billing", "message": text}).told

    assert (told["verdict"], told["envelope"]) == (
        "allowed",
        {"mail_from": "billing@example.com", "recipients": ["bob@example.net"]},
    )


def test_before_there_is_a_message_the_author_will_do(demo: Demo) -> None:
    """The addresses alone are what policies ask about."""
    asked = {"delegate": "billing", "recipients": ["bob@example.net"]}
    allowed = api(demo).post("/api/explain", {**asked, "from": "billing@example.com"}).told
    denied = api(demo).post("/api/explain", {**asked, "from": "ceo@example.com"}).told

    assert (allowed["verdict"], denied["verdict"]) == ("allowed", "not-allowed")
    assert api(demo).post("/api/explain", {**asked, "mail_from": "billing@example.com"}).told["verdict"] == "allowed"


ANYBODY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Pasted", "Effect": "Allow", "Principal": "*", "Action": "ses:Send*", "Resource": CEO},
    ],
}


@pytest.mark.parametrize("policy", [ANYBODY, json.dumps(ANYBODY)], ids=["document", "text"])
def test_pasted_policies_stand_in_the_place_of_the_identitys(demo: Demo, policy: Any) -> None:
    """What would be if it were so; the next question hears what is."""
    asked = {"delegate": "billing", "from": "ceo@example.com", "recipients": ["bob@example.net"]}
    pasted = api(demo).post("/api/explain", {**asked, "policies": {CEO: {"new": policy}}}).told
    emptied = api(demo).post("/api/explain", {**asked, "from": "billing@example.com", "policies": {DOMAIN: {}}}).told

    assert pasted["verdict"] == "allowed"
    assert pasted["questions"][0]["asked"][0]["because"] == [{"policy": "new", "sid": "Pasted", "index": 0}]
    assert emptied["verdict"] == "not-allowed"
    assert api(demo).post("/api/explain", asked).told["verdict"] == "not-allowed"


def test_an_identity_of_nobody_here_may_be_pasted(demo: Demo) -> None:
    """A policy can be tried before there is an owner."""
    arn = "arn:aws:ses:eu-west-1:777777777777:identity/new.example"
    policy = {**ANYBODY, "Statement": [{**ANYBODY["Statement"][0], "Resource": arn}]}  # type: ignore[dict-item]  # a literal
    asked = {"delegate": "billing", "from": "a@new.example", "recipients": ["bob@example.net"]}

    assert api(demo).post("/api/explain", asked).told["verdict"] == "not-allowed"
    assert api(demo).post("/api/explain", {**asked, "policies": {arn: {"p": policy}}}).told["verdict"] == "allowed"


def test_a_policy_that_cannot_be_read_leaves_it_undecided(demo: Demo) -> None:
    """As it would at SES's."""
    asked = {"delegate": "billing", "from": "billing@example.com", "recipients": ["bob@example.net"]}
    told = api(demo).post("/api/explain", {**asked, "policies": {DOMAIN: {"p": "{"}}}).told

    assert (told["verdict"], told["reply"][:9]) == ("undecided", "451 4.7.1")


MANY = [f"r{number}@example.net" for number in range(101)]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "delegate is missing"),
        ({"delegate": 1}, "delegate is a text"),
        ({"delegate": "billing", "colour": "red"}, "there is no 'colour'"),
        ({"delegate": "billing"}, "give a message"),
        ({"delegate": "billing", "message": "x", "from": "a@b.example"}, "one of message"),
        ({"delegate": "billing", "message": "\ud800"}, "half of a character"),
        ({"delegate": "billing", "message_base64": "?"}, "no base64"),
        ({"delegate": "billing", "message_base64": "\u00fc"}, "no base64"),
        ({"delegate": "billing", "from": "x"}, "from: x"),
        ({"delegate": "billing", "from": "a@b.example\r\nFrom: c@d.example"}, "from: "),
        ({"delegate": "billing", "from": "a@b.example"}, "no recipients"),
        ({"delegate": "billing", "from": "a@b.example", "recipients": "c@d.example"}, "recipients is a list"),
        ({"delegate": "billing", "from": "a@b.example", "recipients": [None]}, "each of recipients is a text"),
        ({"delegate": "billing", "from": "a@b.example", "recipients": ["x"]}, "x: "),
        ({"delegate": "billing", "from": "a@b.example", "mail_from": "x y", "recipients": ["c@d.example"]}, "x y: "),
        ({"delegate": "billing", "policies": []}, "policies is"),
        ({"delegate": "billing", "from": "a@b.example", "at": "noon"}, "at is a time such as"),
        ({"delegate": "billing", "from": "a@b.example", "at": 7}, "at is a time such as"),
        ({"delegate": "billing", "from": "a@b.example", "at": "1969-12-31T23:59:59Z"}, "at is a time after 1970"),
        ({"delegate": "billing", "from": "a@b.example", "at": "0001-01-01T00:00:00+23:59"}, "at is a time"),
        ({"delegate": "billing", "policies": {"x": {"p": {}}}, "from": "a@b.example"}, "policies: x"),
        ({"delegate": "billing", "policies": {DOMAIN: {"p": 1}}}, "each policy is a text"),
        ({"delegate": "billing", "policies": {DOMAIN: {"p": " " * 81_921}}, "from": "a@b.example"}, "are longer than"),
        ({"delegate": "billing", "from": "a@b.example", "recipients": MANY}, "recipients: 101"),
        ({"delegate": "billing", "policies": {DOMAIN: {str(n): {} for n in range(101)}}}, "more than 100"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_asked_is_said(demo: Demo, body: dict[str, Any], says: str) -> None:
    """With the field by its name."""
    answer = api(demo).post("/api/explain", body)

    assert (answer.status, says in answer.told["error"]) == (400, True), answer.told


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"\xff", 400),
        (b'{"delegate": "billing", "delegate": "intern"}', 400),
        (b'{"delegate": "nobody"}', 404),
        (b" " * (1024 * 1024 + 1), 413),
    ],
    ids=["cut", "deep", "list", "text", "octets", "twice", "nobody", "large"],
)
def test_octets_that_are_no_question_are_refused(demo: Demo, octets: bytes, status: int) -> None:
    """Each with its own answer, in JSON."""
    answer = api(demo).ask("POST", "/api/explain", octets, {"Content-Type": "application/json"})

    assert (answer.status, list(answer.told)) == (status, ["error"])
