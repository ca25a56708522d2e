"""Old software, repaired: what reaches SES, for one delegate and for all, and what ``explain`` says beforehand."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.honest.post import BILLING, BOB, Office
from tests.system.houses import House
from tests.system.recording_ses import RecordingSes
from tests.system.relays import Client, RunningRelay
from tests.system.rows import split_received

pytestmark = pytest.mark.system

FIELDS = "From: Z\u00fcrich <billing@example.com>\nTo: bob@example.net\nSubject: Gr\u00fc\u00dfe\n"
OLD = f"{FIELDS}\n.dot\nGr\u00fc\u00dfe\n".encode()
BARE = b"From: billing@example.com\nSubject: hello\n\n.one\nMAIL FROM:<ceo@example.com>\n"


def test_all_at_once(post: Office):
    """Octets from a socket, as a script writes them that has never read an RFC."""
    with post.relay.client("old", "demo-billing-secret") as client:
        for command in (f"MAIL FROM:<{BILLING}> BODY=8BITMIME", f"RCPT TO:<{BOB}>", "DATA"):
            assert client.command(command)[0] in "23"
        reply = client.data(OLD + b"\r\n.\r\n")
        assert reply.startswith("250 2.0.0"), reply
    _, sent = split_received(post.taken().raw)
    head, _, body = sent.partition(b"\r\n\r\n")
    fields = head.split(b"\r\n")
    assert fields[:3] == [
        b"From: =?utf-8?b?WsO8cmljaA==?= <billing@example.com>",
        b"To: bob@example.net",
        b"Subject: =?utf-8?b?R3LDvMOfZQ==?=",
    ]
    assert [field.partition(b":")[0] for field in fields[3:5]] == [b"Date", b"Message-ID"]
    assert fields[5:] == [
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
    ]
    assert body == ".dot\r\nGr\u00fc\u00dfe\r\n\r\n".encode()


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n"], ids=repr)
def test_no_other_end_of_data_and_no_second_message(end: bytes, post: Office):
    """Smuggled commands are text, and the message in which they stand is refused."""
    smuggled = end + b"MAIL FROM:<billing@example.com>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nFrom: ceo\r\n\r\n"
    with post.relay.client("old", "demo-billing-secret") as client:
        assert client.hand_over(BILLING, [BOB], BARE.rstrip(b"\n") + smuggled).startswith("550 5.6.11")
        assert client.command("NOOP").startswith("250")
    assert post.ses.taken == []


@pytest.fixture
def mending(tmp_path: Path, office: Office) -> Iterator[tuple[House, RunningRelay, RecordingSes]]:
    """A relay that mends line ends for everybody."""
    folder = office.authority.parent
    with RecordingSes() as ses:
        house = House(tmp_path / "house", (folder / "certificate.pem", folder / "key.pem"), ses=ses.url)
        house.settings.write_text(house.settings.read_text() + '\n[limits]\nline_endings = "fix"\n')
        with house.serve() as relay:
            yield house, relay, ses


def hand_over(relay: RunningRelay) -> str:
    with relay.client("billing", "demo-billing-secret") as client:
        return offered(client)


def offered(client: Client) -> str:
    return client.hand_over(BILLING, [BOB], BARE)


def test_line_endings_are_fixed_for_everybody_until_a_reload(mending: tuple[House, RunningRelay, RecordingSes]):
    """``limits.line_endings = "fix"`` is the repair bare-lf of every delegate, and SIGHUP takes it back."""
    house, relay, ses = mending
    assert hand_over(relay).startswith("250 2.0.0")
    assert relay.count("ses_relay_repairs_total", delegate="billing", kind="bare-lf") == 1
    assert split_received(ses.taken[0].raw)[1] == BARE.replace(b"\n", b"\r\n") + b"\r\n"

    house.edit('line_endings = "fix"', 'line_endings = "reject"')
    assert relay.reload()["event"] == "relay.reloaded"

    reply = hand_over(relay)
    assert reply.startswith("550 5.6.11")
    assert "or ask for the repair bare-lf" in reply
    assert len(ses.taken) == 1


def test_explain_repairs_too(mending: tuple[House, RunningRelay, RecordingSes], tmp_path: Path):
    house, _, _ = mending
    (tmp_path / "letter.eml").write_bytes(b"From: billing@example.com\r\nTo: bob@example.net\r\n\r\none\ntwo\r\n")
    words = ["explain", str(tmp_path / "letter.eml"), "-c", str(house.settings), "--delegate", "billing"]
    done = subprocess.run([sys.executable, "-m", "relay", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("repaired  bare-lf\ndelegate  billing")
