"""The reader: the cases of this project, and what no case can say."""

from contextlib import suppress
from typing import Any

import pytest

from relay.mail.facts import DisplayName, MessageFacts, MessageProblem
from relay.mail.octets import check_octets
from relay.mail.problems import Broken
from relay.mail.profile import DEFAULT, Profile
from relay.mail.reading import read_facts, read_head
from relay.words.endings import Reason
from tests.mail.letters import ARN, attacks, letter, messages

ATTACKS = attacks()

#: Refused for whom or what they name, not for their form: the judge's cases.
JUDGED = {
    "ctl-domain-case", "c-plus", "c-local-case", "c-subdomain", "c-suffix-domain", "c-idn-puny", "c-homograph-puny",
    "e-arn-region", "e-arn-wild", "e-arn-case-value", "e-arn-partition", "e-arn-configset", "e-arn-in-body",
    "e-from-arn-other", "e-config-set", "e-tenant", "e-list-mgmt", "e-unknown-xses", "f-forged", "f-verp",
}  # fmt: skip


def is_answer(code: str, problem: MessageProblem) -> bool:
    """Whether the refusal is one that the case permits; 550 and 554 are one code."""
    said = f"{problem.reply.code} {problem.reply.status}".replace("554", "550")
    return said in [option.strip().replace("554", "550") for option in code.split("|")]


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case["id"])
def test_attack(case: dict[str, Any]):
    """Every message case is refused for its form with its code, or read, as honest mail and the judge's cases are."""
    reading = read_facts(case["raw"])

    if case["expect"] == "reject" and case["id"] not in JUDGED:
        assert isinstance(reading, MessageProblem)
        assert is_answer(case["code"], reading), reading.reply
    else:
        assert isinstance(reading, MessageFacts), reading


def test_judged_cases_exist():
    assert {case["id"] for case in ATTACKS if case["expect"] == "reject"} >= JUDGED


@pytest.mark.parametrize("case", messages(), ids=lambda case: case["name"])
def test_message(case: dict[str, Any]):
    """Every case of messages.jsonl: the refusal with its repair, or the facts that it names."""
    reading = read_facts(case["raw"])

    if case["expect"] != "accept":
        assert isinstance(reading, MessageProblem), reading
        assert f"{reading.reply.code} {reading.reply.status}" == case["expect"], reading.reply
        assert reading.repair == case.get("repair")
        return
    assert isinstance(reading, MessageFacts), reading
    assert str(reading.author) == "app1@example.com"
    if "decoded" in case:
        assert (reading.display_name and reading.display_name.decoded) == case["decoded"]
    if "raw_name" in case:
        assert reading.display_name is not None
        assert reading.display_name.raw == case["raw_name"]
    assert (reading.return_path and str(reading.return_path)) == case.get("return_path")
    assert reading.x_ses == case.get("x_ses", {})
    if "arn" in case:
        arns = {"x-ses-source-arn": reading.source_arn, "x-ses-from-arn": reading.from_arn}
        arns["x-ses-return-path-arn"] = reading.return_path_arn
        assert {name: value for name, value in arns.items() if value} == {case["arn"]: ARN}


def test_octets_that_the_street_door_checked_read_the_same_without_another_look():
    looked_at = 0
    for case in ATTACKS + messages():
        with suppress(Broken):
            check_octets(case["raw"])
            assert read_head(case["raw"], is_checked=True) == read_head(case["raw"])
            looked_at += 1

    assert looked_at > 100


@pytest.mark.parametrize("case", ATTACKS + messages(), ids=lambda case: case.get("id") or case["name"])
def test_refusal_is_for_developers(case: dict[str, Any]):
    """A refusal is one printable line of at most 300 characters that names its rule, and repeats nothing hostile."""
    reading = read_facts(case["raw"])

    if isinstance(reading, MessageProblem):
        text = reading.reply.text
        assert text.isprintable()
        assert len(text) <= 300
        assert text.endswith(f"({reading.rule})")
        assert "?" not in text.replace("=?utf-8?q?...?=", "").replace("/=?^_", "").replace("'=?'", "")
        assert reading.reason is (Reason.SIZE if reading.reply.code == 552 else Reason.MESSAGE_FORM)


def test_all_facts_of_one_message():
    reading = read_facts(
        letter(
            "Return-Path: <bounce@example.com>",
            f"X-SES-SOURCE-ARN: {ARN}",
            f"X-SES-RETURN-PATH-ARN: {ARN}",
            "X-SES-MESSAGE-TAGS: a=b",
            "Received: from a by b; Thu, 20 Nov 2025 10:00:00 +0000",
            author="=?utf-8?q?J=C3=B6rg?=  App <app1@Example.com>",
        )
    )

    assert isinstance(reading, MessageFacts)
    assert str(reading.author) == "app1@Example.com"
    assert reading.display_name == DisplayName("=?utf-8?q?J=C3=B6rg?=  App", "Jörg App")
    assert str(reading.return_path) == "bounce@example.com"
    assert (reading.source_arn, reading.from_arn, reading.return_path_arn) == (ARN, None, ARN)
    assert reading.x_ses == {"x-ses-message-tags": "a=b"}
    assert reading.received == 1


def test_place_is_named():
    """The number of the line helps to find it."""
    reading = read_facts(letter("Subject: x", "garbage line"))

    assert isinstance(reading, MessageProblem)
    assert "line 3 has no colon" in reading.reply.text


def test_a_body_without_its_empty_line_is_not_repeated():
    """The line that is no field may be the letter itself."""
    problem = read_facts(b"From: app1@example.com\r\nyour password is 12345\r\n\r\nmore\r\n")

    assert isinstance(problem, MessageProblem)
    assert "Header line 2 has no colon" in problem.reply.text
    assert "12345" not in problem.reply.text


def test_hostile_text_is_not_repeated():
    reading = read_facts(letter(b"garbage \xe2\x80\xae line"))

    assert isinstance(reading, MessageProblem)
    assert "garbage" not in reading.reply.text


@pytest.mark.parametrize(
    ("received", "loops"),
    [
        ("from a by relay.example with ESMTP id 1; x", True),
        ("from a by RELAY.Example (ses-relay) with ESMTP; x", True),
        ("from a\r\n by relay.example; x", True),
        ("by relay.example.; x", True),
        ("from a by relay.example", True),
        ("from a by relay.example (Postfix, from userid 0) id 1; x", False),
        ("from relay.example by other.example; x", False),
        ("from a by relay.example.org; x", False),
        ("from a by my-relay.example; x", False),
    ],
)
def test_loop_by_name(received: str, loops: bool):
    """Our own Received field is a loop; that of another program on our host is not (RFC 5321 section 6.3)."""
    raw = letter(f"Received: {received}")

    reading = read_facts(raw, Profile(own_name="relay.example"))

    assert isinstance(reading, MessageProblem) == loops
    if isinstance(reading, MessageProblem):
        assert str(reading.reply).startswith("554 5.4.6 ")
    assert isinstance(read_facts(raw), MessageFacts)


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        (Profile(header_bytes=100), "552 5.3.4"),
        (Profile(fields=4), "552 5.3.4"),
        (Profile(folds=0), "552 5.3.4"),
        (Profile(one_field=20), "552 5.3.4"),
        (Profile(line_octets=30), "554 5.6.0"),
        (Profile(received=0), "554 5.4.6"),
    ],
    ids=str,
)
def test_bounds_can_be_set(profile: Profile, code: str):
    raw = letter("Received: a\r\n by b; c", "Subject: " + "x" * 22, author="App One <app1@example.com>")

    assert isinstance(read_facts(raw), MessageFacts)
    reading = read_facts(raw, profile)

    assert isinstance(reading, MessageProblem)
    assert str(reading.reply).startswith(code)


@pytest.mark.parametrize(("pad", "accepted"), [(0, True), (1, False)])
def test_header_section_bound_is_exact(pad: int, accepted: bool):
    """Exactly 64 KiB of header, CRLF of its last line included, pass; an octet more does not."""
    head = b"From: app1@example.com\r\n"
    filler = b"X-A: " + b"x" * 93 + b"\r\n"
    head += filler * 400
    rest = DEFAULT.header_bytes + pad - len(head)
    head += (b"Y: " + b"\r\n ".join([b"y" * 96] * 300))[: rest - 2] + b"\r\n"
    assert len(head) == DEFAULT.header_bytes + pad

    assert isinstance(read_facts(head + b"\r\nbody\r\n"), MessageFacts) == accepted


@pytest.mark.parametrize(
    "raw",
    [
        b"x" * 65000 + b"\r\n\r\n",
        b"From: " + b'"\\' * 2000 + b"\r\n\r\n",
        b"From: " + b"a " * 2000 + b"\r\n\r\n",
        b"From: " + b"=?" * 2000 + b" <a@b.c>\r\n\r\n",
        b"From: a@" + b"a." * 2000 + b"\r\n\r\n",
        b"From: a@b\r\nContent-Type: " + b"\r\n ".join([b"(" * 900] * 60) + b"\r\n\r\n",
        b"From: a@b\r\nReceived: " + b"\r\n ".join([b" by" * 300] * 60) + b"\r\n\r\n",
        b"From: a@b.c\r\n" + b"X:\r\n" * 16000 + b"\r\n",
        b"From: a@b.c\r\nX:" + b"\r\n " * 20000 + b"\r\n\r\n",
    ],
    ids=range(9),
)
@pytest.mark.timeout(5)
def test_hostile_header_is_read_once(raw: bytes):
    """Inputs made for backtracking end at once, in a refusal."""
    assert isinstance(read_facts(raw, Profile(own_name="relay.example")), MessageProblem)
