"""Entries for tests of whatever keeps or sends them."""

from dataclasses import replace
from typing import Any

from relay.spool.entries import Batch, Entry
from relay.words.addresses import parse_address
from relay.words.transactions import Envelope, Session

NOON = 1_760_000_000.0
RAW = b"From: billing@example.com\r\nSubject: Invoice\r\n\r\nYours.\r\n"


def entry(name: str = "a1", *, delegate: str = "billing", raw: bytes = RAW, **fields: Any) -> Entry:
    """An entry as reception makes it at noon, due at once; *fields* replace its own."""
    session = Session("s1", "127.0.0.1:587", "192.0.2.7", "app.example.com", "ESMTPSA", delegate)
    recipients = (parse_address("ann@example.net"), parse_address("bob@example.net"))
    envelope = Envelope(parse_address("bounces@example.com"), recipients, name)
    batches = (Batch(tuple(str(one) for one in recipients)),)
    return replace(Entry(name, session, envelope, NOON, len(raw), batches, due_at=NOON), **fields)
