"""For any octets: the reader answers, and whoever else reads what it accepts sees the same one author."""

import email.policy
import email.utils
import re
from email.parser import BytesHeaderParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.mail.facts import MessageFacts
from relay.mail.reading import read_facts
from relay.mail.rewriting import rewrite
from tests.mail.letters import RECEIVED, attacks, letter, messages

SMALL = [case["raw"] for case in attacks() + messages() if len(case["raw"]) < 2000]
READABLE = [raw for raw in SMALL if isinstance(read_facts(raw), MessageFacts)]

#: What parsers stumble over: blanks, line ends, controls, specials of RFC 5322 and 2047, look-alikes, 8-bit.
OCTETS = [bytes([octet]) for octet in (*range(33), *b'"(),-.:;<=>?@[\\]_aA0\x7f\x80\x85\xa0\xff')]
TOKENS = [
    b"\r\n", b"\r\n ", b"\r\n\t", b"\r\n\r\n", b"\r\nFrom: ceo@example.com\r\n", b"From: ceo@example.com\r\n",
    b"From : ceo@example.com\r\n", b"=?utf-8?q?", b"?=", b"=?utf-8?b?PGNlb0BleGFtcGxlLmNvbT4=?=", b"ceo@example.com",
    b"<ceo@example.com>", b"\xe2\x80\xa8", b"\xef\xbc\xa0", b"\xc2\x85", b"X-SES-SOURCE-ARN: a\r\n", b", ", b":;",
]  # fmt: skip


def authors(raw: bytes, policy: Any, *, unfold: bool = True) -> list[str]:
    """The addresses of every From field, as CPython's parser of this policy has them."""
    # CPython's modern parser raises on some Content-Type fields (python/cpython#151857); only From matters here.
    raw = re.sub(rb"(?i)content-type", b"X-Kind", raw)
    fields = BytesHeaderParser(policy=policy).parsebytes(raw).get_all("from", [])
    if policy is email.policy.compat32:
        texts = [str(field).replace("\r\n", "") if unfold else str(field) for field in fields]
        return [address for _, address in email.utils.getaddresses(texts)]
    return [each.addr_spec for field in fields for each in field.addresses]


def check_one_reading(raw: bytes) -> None:
    """Assert that an accepted message, as received and as sent, has one author in each reading."""
    facts = read_facts(raw)
    if not isinstance(facts, MessageFacts):
        return
    sent = rewrite(raw, facts, RECEIVED)
    assert isinstance(sent, bytes)
    for octets in (raw, sent):
        for policy in (email.policy.compat32, email.policy.default):
            assert authors(octets, policy) == [str(facts.author)]
        # Not unfolded, as the older API hands fields out, a fold inside quotes ends the quoted string: then some see
        # pieces of the name, but never another address.
        pieces = " ".join(authors(octets, email.policy.compat32, unfold=False))
        assert set(re.findall(r"[^\s<>]+@[^\s<>]+", pieces)) <= {str(facts.author)}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b"")
@example(b"\r\n\r\n")
def test_any_octets_get_an_answer(raw: bytes):
    check_one_reading(raw)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([*OCTETS, *TOKENS, b"app1@example.com", b"App", b" "]), max_size=12).map(b"".join))
def test_any_from_value_has_one_reading(value: bytes):
    """From fields made of everything parsers stumble over."""
    check_one_reading(letter(author=value))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*OCTETS, *TOKENS, b"X: y\r\n"]), max_size=12).map(b"".join))
def test_any_header_section_has_one_reading(fields: bytes):
    """Fields made of the same, before and after the author."""
    check_one_reading(fields + letter())
    check_one_reading(b"From: app1@example.com\r\n" + fields + b"\r\n\r\nbody\r\n")


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(READABLE), st.data())
def test_mutants_have_one_reading(raw: bytes, data: st.DataObject):
    """One octet or token put in, taken out or changed: refused, or still one author for every reader."""
    head = raw.index(b"\r\n\r\n") + 4
    at = data.draw(st.integers(0, min(head, len(raw) - 1)))
    gone = data.draw(st.integers(0, 2))
    new = data.draw(st.sampled_from([b"", *OCTETS, *TOKENS]))

    check_one_reading(raw[:at] + new + raw[at + gone :])


@pytest.mark.parametrize("new", OCTETS, ids=repr)
def test_every_octet_everywhere_in_from(new: bytes):
    """Every stumbling octet at every place of two From fields, put in and put over."""
    for value in (b'"App, One" <app1@example.com>', b"=?utf-8?q?=C3=A9?=\r\n <app1@example.com>"):
        raw = letter(author=value)
        for at in range(len(b"From: " + value) + 3):
            check_one_reading(raw[:at] + new + raw[at:])
            check_one_reading(raw[:at] + new + raw[at + 1 :])
