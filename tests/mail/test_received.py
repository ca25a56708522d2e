"""Our Received field: what RFC 5321 section 4.4 asks for, and nothing a client could slip in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.profile import Profile
from relay.mail.reading import read_facts
from relay.mail.received import date_time, received_field
from relay.mail.rewriting import rewrite
from relay.words.addresses import Address, NullPath
from relay.words.transactions import Envelope, Session
from tests.mail.letters import letter

NOON = datetime(2025, 11, 20, 12, 0, 5, tzinfo=UTC)
SESSION = Session("s1", "main", "192.0.2.1", "app.example", "ESMTPSA", "billing")
NOW = int(NOON.timestamp())
BOB, EVE = Address("bob", "rcpt.example"), Address("eve", "rcpt.example")


def to(message_id: str, recipients: tuple[Address, ...]) -> Envelope:
    return Envelope(NullPath.NULL, recipients, message_id)


def test_field_of_one_recipient():
    assert received_field(SESSION, "relay.example", to("7Q", (BOB,)), NOW) == (
        "Received: from app.example ([192.0.2.1]) by relay.example (ses-relay)\r\n"
        " with ESMTPSA id 7Q for <bob@rcpt.example>; Thu, 20 Nov 2025 12:00:05 +0000\r\n"
    )


def test_several_recipients_are_not_told_of_each_other():
    field = received_field(SESSION, "relay.example", to("7Q", (BOB, EVE)), NOW)

    assert "rcpt.example" not in field


def test_addresses_of_clients():
    """IPv6 is written as RFC 5321 section 4.1.3 has it; a greeting by address keeps its brackets."""
    session = replace(SESSION, client="2001:db8::1", helo="[192.0.2.7]")

    assert "from [192.0.2.7] ([IPv6:2001:db8::1])" in received_field(session, "relay.example", to("7Q", ()), NOW)


def test_date_has_the_zone_of_its_time():
    assert date_time(NOON.astimezone(timezone(timedelta(hours=-3, minutes=-30)))) == "Thu, 20 Nov 2025 08:30:05 -0330"
    assert date_time(datetime(2026, 1, 5, tzinfo=UTC)) == "Mon, 5 Jan 2026 00:00:00 +0000"


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_nothing_slips_in(helo: str, client: str, protocol: str, hostname: str, message_id: str):
    """Whatever the words hold, the field is one field of 7-bit lines, and the next relay of our name sees the loop."""
    session = replace(SESSION, helo=helo, client=client, protocol=protocol)

    field = received_field(session, hostname, to(message_id, (BOB,)), NOW)

    assert field.isascii()
    assert all(len(line) <= 998 and line.isprintable() for line in field.split("\r\n"))
    raw = letter()
    facts = read_facts(raw)
    assert isinstance(facts, MessageFacts)
    assert isinstance(rewrite(raw, facts, field), bytes)


def test_our_field_is_recognised():
    field = received_field(SESSION, "relay.example", to("7Q", (BOB,)), NOW)

    reading = read_facts(field.encode() + letter(), Profile(own_name="relay.example"))

    assert isinstance(reading, MessageProblem)
    assert reading.reply.status == "5.4.6"
