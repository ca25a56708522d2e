"""What is sent: nothing that steers, the same author, the body octet for octet."""

import re
from typing import Any

import pytest

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.profile import DEFAULT, Profile
from relay.mail.reading import read_facts
from relay.mail.rewriting import rewrite
from relay.words.addresses import Address
from tests.mail.letters import ARN, RECEIVED, attacks, letter, messages

STEERING = re.compile(rb"(?im)^(x-ses-|return-path:|bcc:|resent-bcc:|x-relay-attempt:)")


def facts_of(raw: bytes) -> MessageFacts:
    facts = read_facts(raw)
    assert isinstance(facts, MessageFacts)
    return facts


def rewritten(raw: bytes) -> bytes:
    sent = rewrite(raw, facts_of(raw), RECEIVED)
    assert isinstance(sent, bytes)
    return sent


READABLE = [case for case in attacks() + messages() if isinstance(read_facts(case["raw"]), MessageFacts)]


@pytest.mark.parametrize("case", READABLE, ids=lambda case: case.get("id") or case["name"])
def test_every_readable_case(case: dict[str, Any]):
    """The rewritten message reads back to the same author and name, steers nothing, and has the same body."""
    raw, facts = case["raw"], facts_of(case["raw"])

    sent = rewritten(raw)
    head, _, body = sent.partition(b"\r\n\r\n")
    again = facts_of(sent)

    assert (again.author, again.display_name) == (facts.author, facts.display_name)
    assert again.received == facts.received + 1
    assert [again.return_path, again.source_arn, again.from_arn, again.return_path_arn] == [None] * 4
    assert not again.x_ses
    assert not STEERING.search(head)
    assert body == raw.partition(b"\r\n\r\n")[2]
    assert sent.startswith(RECEIVED.encode())


def test_whole_fields_go_and_nothing_else_moves():
    """Folds go with their field; a fold that only looks like a field stays a fold; order and octets are kept."""
    kept = [b"X-A: 1\r\n X-SES-TENANT: a\r\n", b"Subject: caf\xe9\r\n\tReturn-Path: x\r\n", b"X_SES_TENANT:\ta \r\n"]
    gone = [
        f"x-Ses-Source-Arn:\r\n {ARN}\r\n".encode(),
        b"RETURN-path: <bounce@example.com>\r\n",
        b"bcc: a@b.example,\r\n\tc@d.example,\r\n e@f.example\r\n",
        b"Resent-Bcc: a@b.example\r\n",
        b"X-SES-: \xff\r\n",
    ]
    author = b"FROM:\r\n App  <app1@example.com>\r\n"
    raw = b"".join([gone[0], kept[0], gone[1], author, gone[2], gone[3], kept[1], gone[4], kept[2], b"\r\nBcc: x\r\n"])

    assert rewritten(raw) == RECEIVED.encode() + kept[0] + author + kept[1] + kept[2] + b"\r\nBcc: x\r\n"


def test_first_and_last_field_may_go():
    raw = f"X-SES-TENANT: a\r\nFrom: app1@example.com\r\nX-SES-SOURCE-ARN: {ARN}\r\n\r\n".encode()

    assert rewritten(raw) == RECEIVED.encode() + b"From: app1@example.com\r\n\r\n"


def test_a_message_at_its_bounds_can_be_rewritten():
    """Our own field does not push over the edge what was let in."""
    raw = letter(*["Received: x"] * 50, *["X-A: x"] * 446, "Subject: " + "\r\n ".join(["x"] * 1001))
    assert facts_of(raw).received == 50

    assert rewritten(raw).count(b"Received:") == 51


def test_our_own_field_is_no_loop_of_ours():
    profile = Profile(own_name="relay.example")
    raw = letter()
    facts = facts_of(raw)

    sent = rewrite(raw, facts, RECEIVED, profile)

    assert isinstance(sent, bytes)
    assert isinstance(read_facts(sent, profile), MessageProblem)


def test_other_facts_than_the_octets_are_refused():
    """What would be sent must be what was judged (P11)."""
    raw = letter()
    other = MessageFacts(Address("ceo", "example.com"), None, None, None, None, None)

    problem = rewrite(raw, other, RECEIVED)

    assert isinstance(problem, MessageProblem)
    assert (problem.rule, problem.reply.code) == ("P11", 550)


@pytest.mark.parametrize(
    "received",
    ["", "Received: x", "Subject: x\r\n", "Received: x\r\nBcc: y\r\n", "Received: x\r\n\r\n", "Received: a\nb\r\n"],
)
def test_only_one_received_field_is_added(received: str):
    """A trace field that is more, or other, than one field is our own mistake."""
    raw = letter()

    with pytest.raises(ValueError, match="not one Received field"):
        rewrite(raw, facts_of(raw), received, DEFAULT)
