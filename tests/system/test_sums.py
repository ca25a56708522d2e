"""
Whatever happens at once, every message that began has ended once by the time the relay has: many clients, some of them
killed, an SES that fails in every way, faults of our own, and a relay that is stopped in the middle of it.
"""

import asyncio
import random
import re
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families as parse

from relay.assembly import Relay
from relay.observe import labels
from relay.observe.events import Event, Incident, MessageEnded, MessageReceived
from relay.sending.keys import AccessKey
from relay.settings.reading import read_settings
from relay.walk import Walk
from relay.words.endings import Outcome, Reason
from tests.system.houses import House
from tests.system.relays import RELAY_KEY, Client, EmbeddedSes, plain_response, split, stuffed
from tests.system.rows import FORBIDDEN, PERMITTED, secret_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

CLIENTS = 8
#: Messages that have begun when the relay is told to stop.
BEGUN = 100
GOOD, NOT_ALLOWED, DENIED = PERMITTED[0], FORBIDDEN[0], FORBIDDEN[-1]
FAULTS: list[dict[str, Any]] = [
    {"code": "Throttling", "message": "Maximum sending rate exceeded.", "status": 400},
    {"drop": "before"},
    {"drop": "after"},
    {"delay": "200ms"},
    {"code": "InternalFailure", "message": "broken", "status": 500},
    {"code": "MessageRejected", "message": "no", "status": 400},
    {"code": "InvalidClientTokenId", "message": "who?", "status": 403},
]
#: What clients say that must not come to be a label.
HOSTILE = [
    "EVIL x",
    'AUTH evil"} c2VjcmV0',
    "\x7f\x01\x02",
    "X" * 400,
    "MAIL FROM:<a@b> EVIL=1",
    "AUTH",
    "STARTTLS now",
]


class Crowd:
    """Clients in threads, until they are told to stop or the relay hangs up."""

    def __init__(self, address: str, enough: threading.Event) -> None:
        self._address = split(address)
        self._enough = enough

    def one(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self._enough.is_set():
            with suppress(OSError, AssertionError), Client(self._address) as client:
                self._talk(client, chance)

    def _talk(self, client: Client, chance: random.Random) -> None:
        client.start_tls()
        row = chance.choice([GOOD, GOOD, NOT_ALLOWED, DENIED])
        client.command(f"AUTH PLAIN {plain_response(row.delegate, secret_of(row.delegate))}")
        for _ in range(chance.randrange(2, 8)):
            what = chance.randrange(10)
            if what < 5:
                client.hand_over(row.mail_from, row.recipients, row.raw)
            elif what == 5:
                client.command(chance.choice(HOSTILE))
            elif what == 6:
                client.command(f"MAIL FROM:<{row.mail_from}>")
                client.command("RSET")
            else:
                self._vanish(client, row.mail_from, row.raw, chance)
                return

    @staticmethod
    def _vanish(client: Client, mail_from: str, raw: bytes, chance: random.Random) -> None:
        """Say some of a message, to its dot perhaps, and be gone."""
        lines = [f"MAIL FROM:<{mail_from}>", "RCPT TO:<ann@example.net>", "DATA"]
        for line in lines[: chance.randrange(1, 4)]:
            client.command(line)
        body = stuffed(raw) + b".\r\n"
        client.socket.sendall(body[: chance.choice([0, 10, len(body) // 2, len(body)])])


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one judgement in twenty fail as only our own fault could."""
    really, number = Walk._judge, iter(range(10_000_000))

    def judge(walk: Walk, *case: Any) -> Any:
        if next(number) % 20 == 7:
            raise RuntimeError("injected")
        return really(walk, *case)

    monkeypatch.setattr(Walk, "_judge", judge)


def a_bad_ses(ses: EmbeddedSes, enough: threading.Event) -> None:
    chance = random.Random(7)
    while not enough.wait(0.1):
        ses.suffer(*({**chance.choice(FAULTS), "times": 1} for _ in range(4)))


@pytest.mark.parametrize("mode", ["direct", "fallback", "spool"])
async def test_the_sum_over_outcomes_is_what_was_received(
    mode: str, house: House, ses: EmbeddedSes, fragile: None
) -> None:
    if mode != "direct":
        house.keep(mode, budget="300ms")
    begun = asyncio.Event()
    relay, seen = a_relay(house, begun)
    enough = threading.Event()
    # Threads of their own: the relay needs those of the loop.
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        try:
            addresses = await relay.start()
            crowd = Crowd(addresses["listeners"][0], enough)  # type: ignore[index]  # what start() returns is for people
            threads.submit(a_bad_ses, ses, enough)
            for seed in range(CLIENTS):
                threads.submit(crowd.one, seed)
            await asyncio.wait_for(begun.wait(), 50)
        finally:
            await relay.stop()
            enough.set()

    counted = {family.name: family for family in parse(relay._watching.metrics.render()[0].decode())}
    ended = [event for event in seen if isinstance(event, MessageEnded)]
    received = total(counted["ses_relay_messages_received"])
    assert received == total(counted["ses_relay_messages"]) == len(ended) >= BEGUN
    assert len({event.record["id"] for event in ended}) == len(ended)
    assert total(counted["ses_relay_incidents"]) == sum(isinstance(event, Incident) for event in seen) > 0
    assert {Outcome.REJECTED, Outcome.ABORTED, Outcome.DEFERRED} <= {event.outcome for event in ended}
    assert total(counted["ses_relay_sessions"]) == 0
    assert list(strangers(counted)) == []


def a_relay(house: House, begun: asyncio.Event) -> tuple[Relay, list[Event]]:
    """Build a relay in this process, and a list of all that it tells; *begun* is set when enough has begun."""
    settings = read_settings(house.settings, {}).settings
    assert settings is not None
    seen: list[Event] = []
    received: list[Event] = []

    def see(event: Event) -> None:
        seen.append(event)
        if isinstance(event, MessageReceived):
            received.append(event)
            if len(received) >= BEGUN:
                begun.set()

    key = AccessKey(RELAY_KEY["AWS_ACCESS_KEY_ID"], RELAY_KEY["AWS_SECRET_ACCESS_KEY"])
    return Relay(settings, key=key, observers=[see]), seen


def total(family: Metric) -> float:
    return sum(sample.value for sample in family.samples if not sample.name.endswith("_created"))


def _words(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, (*words, "other"))))


#: Labels that clients might reach, and what they may hold here.
HOLDS = {
    "delegate": _words(["billing", "newsletter", "intern", "-"]),
    "outcome": _words(outcome.value for outcome in Outcome),
    "reason": _words(reason.value for reason in Reason),
    "identity": re.compile(r"arn:aws:ses:us-east-1:888888888888:identity/(ceo@)?example\.com|-|other"),
    "command": _words(labels.COMMANDS),
    "code": _words(map(str, labels.CODES)),
    "mechanism": _words(labels.MECHANISMS),
    "listener": _words(["127.0.0.1:0", "localhost:0"]),
}


def strangers(counted: dict[str, Metric]) -> Iterator[str]:
    """Find labels that hold what the configuration and the closed sets do not."""
    for family in counted.values():
        for sample in family.samples:
            for name, value in sample.labels.items():
                holds = HOLDS.get(name)
                if holds is not None and not holds.fullmatch(value):
                    yield f"{sample.name} {name}={value}"
