"""The notification as other mail software reads it."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.courier.dsn import LONGEST_HEADER, MOST_RECIPIENTS, Undelivered, notification
from relay.mail.facts import MessageFacts
from relay.mail.reading import read_facts
from relay.words.addresses import Address

AUTHOR, TO = Address("bounces", "example.com"), Address("billing", "example.com")
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
RAW = (
    b"From: billing@example.com\r\nTo: bob@example.net\r\nSubject: caf\xc3\xa9\r\n"
    b"Message-ID: <one@example.com>\r\n\r\nsecret body\r\n"
)
WHY = "554 5.7.1 Access denied: User `arn' is not authorized"
ONE = Undelivered("abc123", NOW, (("bob@example.net", WHY),), maybe_sent=False, raw=RAW)


def written(undelivered: Undelivered = ONE) -> bytes:
    return notification(undelivered, name="n1", author=AUTHOR, to=TO, hostname="relay.example", now=NOW)


def parsed(undelivered: Undelivered = ONE) -> EmailMessage:
    message = email.message_from_bytes(written(undelivered), policy=email.policy.default)
    assert not message.defects
    return message


def reported(undelivered: Undelivered = ONE) -> list[Any]:
    """The groups of fields in the part for machines."""
    _, status, _ = parsed(undelivered).iter_parts()
    groups = status.get_payload()
    assert isinstance(groups, list)
    return groups


def test_it_is_a_report_of_three_parts():
    message = parsed()

    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]


def test_the_whole_says_that_a_part_is_8_bit():
    """RFC 2045 section 6.4: else it may be taken for 7-bit on its way."""
    message = parsed()
    encodings = [part["Content-Transfer-Encoding"] for part in message.walk()]
    assert (message["Content-Transfer-Encoding"], encodings[-1]) == ("8bit", "8bit")


def test_no_software_answers_it():
    assert parsed()["Auto-Submitted"] == "auto-replied"


def test_it_answers_the_message_that_failed():
    assert parsed()["In-Reply-To"] == "<one@example.com>"
    folded = RAW.replace(b"Message-ID: ", b"Message-ID:\r\n ")  # as many libraries fold a long one
    assert parsed(replace(ONE, raw=folded))["In-Reply-To"] == "<one@example.com>"
    assert parsed(replace(ONE, raw=b"From: a@example.com\r\n\r\n"))["In-Reply-To"] is None
    assert parsed(replace(ONE, raw=b"Subject: x\r\n\r\nMessage-ID: <body@example.com>\r\n"))["In-Reply-To"] is None


def test_machines_read_each_recipients_fate():
    two = replace(ONE, recipients=(("bob@example.net", WHY), ("eve@example.net", "Throttling: too many")))
    whole, *each = reported(two)

    assert whole["Reporting-MTA"] == "dns; relay.example"
    assert whole["Original-Envelope-Id"] == "abc123"
    assert [(one["Final-Recipient"], one["Action"], one["Status"]) for one in each] == [
        ("rfc822; bob@example.net", "failed", "5.7.1"),
        ("rfc822; eve@example.net", "failed", "4.4.7"),
    ]
    assert each[0]["Diagnostic-Code"] == f"smtp; {WHY}"


def test_people_read_who_why_and_whom_to_ask():
    text = next(iter(parsed().iter_parts())).get_content()

    assert "<bob@example.net>" in text
    assert WHY in text
    assert "abc123" in text
    assert "after all" not in text
    assert (
        "some recipients may have the message after all"
        in next(iter(parsed(replace(ONE, maybe_sent=True)).iter_parts())).get_content()
    )


def test_the_header_comes_back_and_the_body_does_not():
    raw = written()

    assert b"Subject: caf\xc3\xa9\r\n" in raw
    assert b"secret body" not in raw


def test_it_is_bounded_whatever_failed():
    huge = replace(
        ONE,
        recipients=tuple((f"r{number}@example.net", WHY) for number in range(1000)),
        raw=b"".join(b"X-Field: %s\r\n" % (b"x" * 900) for _ in range(200)) + b"\r\n",
    )
    raw = written(huge)

    assert raw.count(b"Final-Recipient") == MOST_RECIPIENTS
    assert b"and 900 more recipients" in raw
    assert len(raw) < LONGEST_HEADER + 400 * MOST_RECIPIENTS
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))


@given(st.text(max_size=2000), st.binary(max_size=300).filter(lambda raw: b"\r" not in raw and b"\n" not in raw))
def test_the_strict_reader_takes_it_whatever_was_said(why, name):
    raw = written(replace(ONE, recipients=(("bob@example.net", why),), raw=b"X-A: " + name + b"\r\n\r\n"))
    head, _, _ = raw.partition(b"\r\n\r\n")

    assert head.isascii()
    facts = read_facts(raw.replace(name, b"x") if name and (b"\0" in name or b"=_" in name) else raw)
    if b"\0" not in raw:
        assert isinstance(facts, MessageFacts)
        assert facts.author == AUTHOR


@pytest.mark.parametrize(
    ("why", "status"),
    [
        ("550 5.1.0 Address refused", "5.1.0"),
        ("it is 10.5.7.1 and nothing else", "4.4.7"),
        ("version 15.7.1", "4.4.7"),
        ("", "4.4.7"),
    ],
)
def test_a_status_is_found_only_where_it_is_one(why, status):
    _, told = reported(replace(ONE, recipients=(("bob@example.net", why),)))

    assert told["Status"] == status


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"From: a@example.com", b"x" * 40_000])
def test_what_has_no_header_is_no_trouble(raw):
    assert b"Content-Type: text/rfc822-headers" in written(replace(ONE, raw=raw))
