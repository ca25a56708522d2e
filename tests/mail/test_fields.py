"""A header section is cut into fields in one go; a grammar, followed line by line, finds the same ones."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.mail.facts import MessageFacts
from relay.mail.fields import Field, read_section
from relay.mail.octets import check_octets
from relay.mail.problems import Broken
from relay.mail.profile import DEFAULT, is_plain, is_steering
from relay.mail.reading import facts_of, read_facts
from relay.mail.rewriting import rewrite
from tests.mail.letters import RECEIVED, attacks, letter, messages
from tests.mail.test_properties import TOKENS

NAMES = [b"From", b"subject", b"X-SES-Tenant", b"x-ses", b"X-Sesam", b"Zoo", b"Received", b"bcc", b"SENDER", b"To"]
PIECES = [*TOKENS, *NAMES, b"a", b":", b": ", b" ", b"\t", b"\r\n", b"\r\n", b"\x01", b"\xc3\xa9", b"app1@example.com"]
WHOLE = st.builds(
    lambda name, value, folds: b"\r\n ".join((name + b": " + value, *folds)) + b"\r\n",
    st.sampled_from(NAMES[1:]),
    st.sampled_from([b"x", b"app1@example.com", b"\xff"]),
    st.lists(st.sampled_from([b"y", b"From: z"]), max_size=2),
)


def by_lines(head: bytes) -> list[Field] | None:
    """Read fields as RFC 5322 section 2.2 tells, without its obsolete forms; None where a line is no part of any."""
    fields: list[list[bytes]] = []
    for line in head.split(b"\r\n")[:-1]:
        if line[:1] in (b" ", b"\t"):
            if not fields or not line.strip(b" \t"):
                return None
            fields[-1].append(line)
        elif re.fullmatch(rb"[!-9;-~]+", line.partition(b":")[0]) and b":" in line:
            fields.append([line])
        else:
            return None
    wholes = [b"\r\n".join(lines) for lines in fields]
    return [(each + b"\r\n", each.partition(b":")[0].lower(), each.partition(b":")[2]) for each in wholes]


def check_fields(raw: bytes) -> None:
    """Assert that both find the same fields, or that there are none to the other where one refuses a line."""
    head = raw[: raw.find(b"\r\n\r\n") + 2]
    try:
        check_octets(raw)
        assert read_section(raw, DEFAULT).fields == by_lines(head)
    except Broken as broken:
        if "Header line" in broken.problem.reply.text and broken.problem.rule == "P2":
            assert by_lines(head) is None


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
@example(b" From: x")
@example(b"From: x\r\n \t")
@example(b"From: x\r\nTo: y\r\n :")
def test_the_fields_are_those_of_the_grammar(head: bytes):
    check_fields(head + b"\r\n\r\nbody\r\n")


@pytest.mark.parametrize("raw", [each["raw"] for each in attacks() + messages() if len(each["raw"]) < 5000])
def test_so_they_are_in_every_case(raw: bytes):
    check_fields(raw)


@given(st.lists(st.sampled_from([name.lower() for name in NAMES]), min_size=1))
def test_plain_is_what_neither_steers_nor_names_an_author(names: list[bytes]):
    assert is_plain(names) == (not any(map(is_steering, names)) and b"sender" not in names)


@settings(max_examples=300, deadline=None)
@given(st.lists(WHOLE, max_size=8), st.lists(WHOLE, max_size=2))
def test_what_is_sent_is_read_as_it_was_judged(before: list[bytes], after: list[bytes]):
    """Also where nothing is taken out, so that nothing need be read again."""
    raw = b"".join((*before, b"From: App <app1@example.com>\r\n", *after, b"\r\nbody\r\n"))
    facts = read_facts(raw)
    if not isinstance(facts, MessageFacts):
        return
    sent = rewrite(raw, facts, RECEIVED)

    assert isinstance(sent, bytes)
    again = facts_of(read_section(sent, DEFAULT), DEFAULT)
    assert (again.author, again.display_name) == (facts.author, facts.display_name)
    assert again.received == facts.received + 1
    kept = [whole for whole, name, _ in read_section(raw, DEFAULT).fields if not is_steering(name)]
    assert sent == b"".join((RECEIVED.encode(), *kept, b"\r\nbody\r\n"))


def test_what_is_remembered_is_not_of_another():
    """Authors and counts take turns."""
    raws = [
        letter(*["Received: x"] * n, author=author) for n in (0, 2) for author in ("a@example.com", "b@example.com")
    ]
    for one, other in pairwise(raws * 2):
        for raw in (one, other):
            facts = read_facts(raw)
            assert isinstance(facts, MessageFacts)
            assert (str(facts.author).encode() in raw, facts.received) == (True, raw.count(b"Received"))
