"""A day of mail, good and bad: episodes that each say how the messages in it must end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.system.relays import Client, EmbeddedSes, RunningRelay
from tests.system.rows import FORBIDDEN, PERMITTED, Row, secret_of

MESSAGE_BYTES, RECIPIENTS = 20_000, 3
GOOD, CEO, INTERN = PERMITTED[0], FORBIDDEN[0], FORBIDDEN[-1]
MAIL, RCPT = f"MAIL FROM:<{GOOD.mail_from}>", f"RCPT TO:<{GOOD.recipients[0]}>"
#: The reply of a message whose client did not wait for it.
UNHEARD = ""


@dataclass(frozen=True)
class Told:
    """How one message must end, and the reply that ended it as its client heard it."""

    outcome: str
    reason: str
    reply: str
    delegate: str = "billing"


@dataclass
class Day:
    """The relay and the SES behind it, and the clients that talk to them."""

    relay: RunningRelay
    ses: EmbeddedSes

    def client(self, delegate: str = "billing") -> Client:
        return self.relay.client(delegate, secret_of(delegate))

    def alone(self, row: Row = GOOD, raw: bytes | None = None) -> str:
        """Hand one message over in a session of its own."""
        with self.client(row.delegate) as client:
            reply = client.hand_over(row.mail_from, row.recipients, row.raw if raw is None else raw)
            assert client.command("QUIT").startswith("221")
            return reply

    def under(self, fault: dict[str, Any]) -> str:
        self.ses.suffer(fault)
        return self.alone()


Episode = Callable[[Day], Iterator[Told]]


def accepted(day: Day) -> Iterator[Told]:
    with day.client() as client:
        for _ in range(2):
            reply = client.hand_over(GOOD.mail_from, GOOD.recipients, GOOD.raw)
            yield Told("accepted", "none", reply)


def refused_at_mail(day: Day) -> Iterator[Told]:
    with day.client() as client:
        yield Told("rejected", "policy-not-allowed", client.command("MAIL FROM:<ceo@example.com>"))
        yield Told("rejected", "identity-unknown", client.command("MAIL FROM:<a@elsewhere.example>"))
        yield Told("rejected", "address-form", client.command("MAIL FROM:<>"))
        yield Told("rejected", "address-form", client.command("MAIL FROM:<no address>"))
        yield Told("rejected", "address-form", client.command("MAIL"))
        yield Told("rejected", "size", client.command(f"{MAIL} SIZE={MESSAGE_BYTES + 1}"))
        yield Told("accepted", "none", client.hand_over(GOOD.mail_from, GOOD.recipients, GOOD.raw))
    yield Told("rejected", "policy-denied", day.alone(INTERN), "intern")


def refused_at_data(day: Day) -> Iterator[Told]:
    yield Told("rejected", "policy-not-allowed", day.alone(CEO))
    yield Told("rejected", "message-form", day.alone(raw=b"From: a@example.com\r\nFrom: b@example.com\r\n\r\n"))
    yield Told("rejected", "message-form", day.alone(raw=b"From: billing@example.com\r\n\r\nbare\nline\r\n"))
    yield Told("rejected", "message-form", day.alone(raw=b""))


def too_much(day: Day) -> Iterator[Told]:
    yield Told("rejected", "size", day.alone(raw=GOOD.raw + b"x" * 70 * 1000))
    with day.client() as client:
        client.command(MAIL)
        for number in range(RECIPIENTS + 1):
            assert client.command(f"RCPT TO:<reader{number}@example.net>").startswith("250")
        yield Told("rejected", "recipients", client.command("DATA"))


def given_up(day: Day) -> Iterator[Told]:
    with day.client() as client:
        for words in ("RSET", "EHLO again.test", "QUIT"):
            client.command(MAIL)
            client.command(RCPT)
            client.command(words)
            yield Told("aborted", "client-gone", UNHEARD)
    with day.client() as client:
        client.command(MAIL)
        assert client.command("DATA").startswith("503")
        client.command("RSET")
        yield Told("aborted", "client-gone", UNHEARD)


def hung_up(day: Day) -> Iterator[Told]:
    for last in (MAIL, RCPT):
        with day.client() as client:
            for words in (MAIL, RCPT)[: (MAIL, RCPT).index(last) + 1]:
                client.command(words)
        yield Told("aborted", "client-gone", UNHEARD)
    with day.client() as client:
        for words in (MAIL, RCPT, "DATA"):
            client.command(words)
        client.socket.sendall(b"From: billing@example.com\r\n\r\nhalf a")
    yield Told("aborted", "client-gone", UNHEARD)


def hung_up_behind_the_dot(day: Day) -> Iterator[Told]:
    """The message is SES's by then: it was accepted, whoever hears of it."""
    day.ses.suffer({"delay": "300ms"})
    before = day.relay.count("ses_relay_messages_received_total")
    with day.client() as client:
        for words in (MAIL, RCPT, "DATA"):
            client.command(words)
        client.socket.sendall(GOOD.raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        day.relay.wait_until(lambda: day.relay.count("ses_relay_messages_received_total") > before)
    yield Told("accepted", "none", UNHEARD)


def without_recipients(day: Day) -> Iterator[Told]:
    """What ends because no recipient was good ends for that reason."""
    with day.client() as client:
        client.command(MAIL)
        reply = client.command("RCPT TO:<no address>")
        client.command("QUIT")
    yield Told("rejected", "address-form", reply)


def out_of_order(day: Day) -> Iterator[Told]:
    with Client(day.relay.smtp) as stranger:
        yield Told("rejected", "none", stranger.command(MAIL), "-")
        stranger.start_tls()
        yield Told("rejected", "none", stranger.command(MAIL), "-")
        assert stranger.command("AUTH PLAIN AGJpbGxpbmcAd3Jvbmc=").startswith("535")
        yield Told("rejected", "none", stranger.command(MAIL), "-")
    with day.client() as client:
        client.command(MAIL)
        yield Told("rejected", "none", client.command(MAIL))
        client.command(RCPT)
        client.command("DATA")
        yield Told("accepted", "none", client.data(GOOD.raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"))


def trouble_at_ses(day: Day) -> Iterator[Told]:
    yield Told("deferred", "ses-throttled", day.under({"code": "Throttling"}))
    yield Told("deferred", "ses-unavailable", day.under({"code": "InternalFailure", "status": 500}))
    yield Told("deferred", "ses-credentials", day.under({"code": "InvalidClientTokenId", "status": 403}))
    yield Told("deferred", "ses-refused", day.under({"code": "AccessDenied", "status": 403}))
    yield Told("deferred", "ses-refused", day.under({"code": "SomethingNew"}))
    yield Told("rejected", "ses-refused", day.under({"code": "MessageRejected", "message": "Content is bad."}))


def silence_of_ses(day: Day) -> Iterator[Told]:
    """The request was sent whole and never answered: whether before or after the work, nobody here can know."""
    yield Told("deferred", "ses-unavailable", day.under({"drop": "before"}))
    yield Told("deferred", "ses-unavailable", day.under({"drop": "after"}))


EPISODES: tuple[Episode, ...] = (
    accepted,
    refused_at_mail,
    refused_at_data,
    too_much,
    given_up,
    hung_up,
    hung_up_behind_the_dot,
    without_recipients,
    out_of_order,
    trouble_at_ses,
    silence_of_ses,
)
