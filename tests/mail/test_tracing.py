"""A message tells the trace it belongs to by one well-formed traceparent field; anything else tells nothing."""

import pytest

from relay.mail.facts import MessageFacts
from relay.mail.reading import read_facts
from relay.mail.rewriting import rewrite

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
RECEIVED = "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n"


def letter(*fields: str) -> bytes:
    return "".join(f"{field}\r\n" for field in ("From: billing@example.com", *fields, "", "Hello")).encode()


def trace_of(*fields: str) -> str | None:
    facts = read_facts(letter(*fields))
    assert isinstance(facts, MessageFacts)  # nothing about a trace refuses a message
    return facts.traceparent


@pytest.mark.parametrize(
    "field",
    [
        f"traceparent: {TRACE}",
        f"Traceparent:{TRACE}  ",
        f"TRACEPARENT:\r\n {TRACE}",
    ],
)
def test_one_field_of_the_right_form_is_read(field):
    assert trace_of(field) == TRACE


def test_a_later_version_may_go_on():
    field = "cc" + TRACE[2:] + "-what.the-future-will-be-like"
    assert trace_of(f"traceparent: {field}") == field


@pytest.mark.parametrize(
    "value",
    [
        "",
        TRACE.upper(),
        TRACE[:-1],
        TRACE + "-01",
        TRACE + " (comment)",
        "ff" + TRACE[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "cc" + TRACE[2:] + "-" + "x" * 201,
        "00-4bf92f3577b34da6a3ce929d0e0e473\u0436-00f067aa0ba902b7-01",
    ],
)
def test_what_is_malformed_is_ignored(value):
    assert trace_of(f"traceparent: {value}") is None


def test_two_fields_tell_nothing():
    """Nobody knows which of them is the message's."""
    assert trace_of(f"traceparent: {TRACE}", f"Traceparent: {TRACE}") is None


@pytest.mark.parametrize("value", [TRACE, "whatever it is"])
def test_the_field_is_passed_on_as_it_is(value):
    raw = letter(f"traceparent: {value}", "tracestate: vendor=1")
    facts = read_facts(raw)
    assert isinstance(facts, MessageFacts)
    sent = rewrite(raw, facts, RECEIVED)
    assert isinstance(sent, bytes)
    assert f"\r\ntraceparent: {value}\r\ntracestate: vendor=1\r\n".encode() in sent
