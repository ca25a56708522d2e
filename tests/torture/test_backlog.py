"""A start on a long queue."""

import hashlib
from dataclasses import replace
from datetime import datetime

import pytest

from relay.spool import rows, sqlite_rows, sqlite_schema
from relay.spool.entries import Entry, State
from tests.torture.clients import Answers, hand_over, message
from tests.torture.field import DELEGATES, FULL, Field, MakeField, kill, lines, peak_memory
from tests.torture.figures import Figures

pytestmark = pytest.mark.system

QUEUED = 100_000 if FULL else 20_000
MOST_MEMORY = 150  # MiB
LONGEST = 2.0  # seconds to the first message at SES, from the moment the relay is ready


def fill(field: Field, number: int) -> None:
    """Multiply the one message that waits, behind the spool's back."""
    connection = sqlite_schema.connect(field.spool)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    one = rows.read(connection.execute(sqlite_rows.SELECT).fetchone())
    assert isinstance(one, Entry)
    raw = message("queued-small")
    digest, delegates = hashlib.sha256(raw).digest(), list(DELEGATES)
    for count in range(number):
        name = f"n{count:015}"
        session = replace(one.session, delegate=delegates[count * count % len(delegates)])
        each = replace(
            one, id=name, state=State.DUE, session=session, envelope=replace(one.envelope, id=name), size=len(raw)
        )
        sqlite_rows.insert(connection, [sqlite_rows.Arriving(each, digest, raw)])
    connection.execute("COMMIT")
    connection.close()


def test_a_start_on_a_long_queue(make_field: MakeField, figures: Figures) -> None:
    """
    100,000 messages wait, fewer in every run of the suite: memory does not grow with them, the first is sent at once,
    and SES is not run over (C27).
    """
    field = make_field("spool")
    field.ses.be(down=True)
    with field.running() as relay:
        hand_over(relay.smtp, "first-small", answers=Answers())
        relay.wait_until(lambda: lines(relay, "delivery"), "attempt")
    fill(field, QUEUED)
    field.ses.be(slow=0.05)
    relay = field.start()
    relay.wait_until(lambda: len(field.ses.names()) >= 500, "deliveries", 60)
    memory = peak_memory(relay)
    first = min(each.at for each in field.ses.book().taken if each.at)
    ready = datetime.fromisoformat(lines(relay, "relay.ready")[0]["time"]).timestamp()
    kill(relay)
    figures.add(
        f"a start on {QUEUED:,} messages",
        [("memory at most", f"{memory:.0f} MiB"), ("first sent after the start", f"{first - ready:.2f} s")],
    )

    assert memory < MOST_MEMORY
    if FULL:  # elsewhere the machine may be busy with other tests
        assert first - ready < LONGEST
