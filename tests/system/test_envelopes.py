"""Envelopes as clients really send them, and the settings that say what becomes of each."""

import base64

import pytest

from tests.system.houses import House
from tests.system.relays import EmbeddedSes

pytestmark = pytest.mark.system

BILLING = 'name = "billing"\n'
MAIL = b"From: Billing <billing@example.com>\r\nTo: bob@example.net\r\nSubject: An envelope\r\n\r\nHi.\r\n"
TO = ["bob@example.net"]


@pytest.mark.parametrize("mail_from", ["www-data@web01", "root@localhost", "apache@web01.internal", "x@evil.example"])
@pytest.mark.parametrize(
    ("return_path", "source"), [("author", "billing@example.com"), ("bounces@example.com", "bounces@example.com")]
)
def test_a_configured_return_path_replaces_whatever_legacy_software_says(
    house: House, ses: EmbeddedSes, mail_from: str, return_path: str, source: str
) -> None:
    """``www-data@host`` is nobody's address: another is judged and sent in its place."""
    house.edit(BILLING, f'{BILLING}return_path = "{return_path}"\n')
    with house.serve() as relay, relay.client("billing", "demo-billing-secret") as client:
        reply = client.hand_over(mail_from, TO, MAIL)

    assert reply.startswith("250 2.0.0"), reply
    assert [message["source"] for message in ses.messages()] == [source]


@pytest.mark.parametrize("mail_from", ["www-data@web01", "root@localhost"])
def test_a_host_is_no_identity(house: House, ses: EmbeddedSes, mail_from: str) -> None:
    """Without that setting it is refused at MAIL, as an address that nobody verified."""
    with house.serve() as relay, relay.client("billing", "demo-billing-secret") as client:
        reply = client.hand_over(mail_from, TO, MAIL)

    assert reply.startswith("550 5.7.1"), reply
    assert "not verified" in reply
    assert ses.messages() == []


@pytest.mark.parametrize(("setting", "code"), [("", "550 5.7.1"), ('null_reverse_path = "author"', "250 2.0.0")])
def test_the_null_reverse_path(house: House, ses: EmbeddedSes, setting: str, code: str) -> None:
    """Refused, or the author is the feedback address: SES has no null one."""
    house.edit("[admin]\n", f"[limits]\n{setting}\n\n[admin]\n")
    with house.serve() as relay, relay.client("billing", "demo-billing-secret") as client:
        reply = client.hand_over("", TO, MAIL)

    assert reply.startswith(code), reply
    assert [message["source"] for message in ses.messages()] == ["billing@example.com"] * code.startswith("250")


@pytest.mark.parametrize(("over", "code", "arrived"), [("refuse-message", "550 5.5.3", 0), ("452", "250 2.0.0", 50)])
def test_the_fifty_first_recipient(house: House, ses: EmbeddedSes, over: str, code: str, arrived: int) -> None:
    """Most clients do not split: the whole is refused. Those that do hear 452, and their first fifty get the mail."""
    house.edit("[admin]\n", f'[limits]\nover_recipients = "{over}"\n\n[admin]\n')
    with house.serve() as relay, relay.client("billing", "demo-billing-secret") as client:
        assert client.command("MAIL FROM:<billing@example.com>").startswith("250")
        answers = [client.command(f"RCPT TO:<r{n}@example.net>")[:9] for n in range(51)]
        reply = client.command("DATA")
        if reply.startswith("354"):
            reply = client.data(MAIL + b".\r\n")

    assert answers[:50] == ["250 2.1.5"] * 50
    assert answers[50] == ("452 4.5.3" if over == "452" else "250 2.1.5")
    assert reply.startswith(code), reply
    assert sum(len(message["destinations"]) for message in ses.messages()) == arrived


def test_a_declared_size_is_judged_before_the_message(house: House, ses: EmbeddedSes) -> None:
    """SIZE over the announced limit is refused at MAIL; a message that grows past it, after its end."""
    house.edit("[admin]\n", '[limits]\nmessage_bytes = "64KiB"\n\n[admin]\n')
    with house.serve() as relay, relay.client("billing", "demo-billing-secret") as client:
        assert client.command("EHLO client.test").count("SIZE 65536") == 1
        assert client.command("MAIL FROM:<billing@example.com> SIZE=65537").startswith("552 5.3.4")
        assert client.command("MAIL FROM:<billing@example.com> SIZE=65536").startswith("250")
        assert client.command("RSET").startswith("250")
        reply = client.hand_over("billing@example.com", TO, MAIL + b"x" * 900 + b"\r\n" + b"0123456789\r\n" * 6000)
        again = client.hand_over("billing@example.com", TO, MAIL)

    assert reply.startswith("552 5.3.4"), reply
    assert again.startswith("250"), again
    assert len(ses.messages()) == 1


def test_a_large_message_of_nothing_but_line_ends_arrives_whole(house: House, ses: EmbeddedSes) -> None:
    """Large messages are read aside of the event loop, and sent octet for octet all the same."""
    body = b"\r\n" * 2_000_000 + b"end\r\n"
    with house.serve() as relay, relay.client("billing", "demo-billing-secret") as client:
        reply = client.hand_over("billing@example.com", TO, MAIL + body)

    assert reply.startswith("250"), reply
    [message] = ses.messages()
    assert base64.b64decode(message["raw_base64"]).endswith(b"\r\n\r\nHi.\r\n" + body)
