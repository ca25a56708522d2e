"""Relays that run with what ``ses-relay migrate`` wrote: what the peer let through goes, what it refused is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.owner.migrate.peers import ACCOUNT, ARN, HASH, INI, SECRET, decke, postfix
from tests.system.relays import Client, EmbeddedSes, RunningRelay, command, started

pytestmark = pytest.mark.system

DENIED = ("554 5.7.1 Access denied", "550 5.7.1 Access denied")
UNVERIFIED = ("554 5.7.1 Message rejected: Email address", "550 5.7.1 Message rejected: Email address")


@contextmanager
def migrated(folder: Path, ses: EmbeddedSes, *words: object) -> Iterator[RunningRelay]:
    """Migrate, put the embedded SES in the place of AWS, free ports in that of the peer's, and run it."""
    new = folder / "new"
    made = command("migrate", str(words[0]), "--to", str(new), "--account", ACCOUNT, *map(str, words[1:]))
    assert made.returncode == 0, made.stdout + made.stderr
    settings = new / "relay.toml"
    text = settings.read_text()
    for old, other in (
        (":2525", ":0"),
        ("0.0.0.0", "127.0.0.1"),
        ("[ses]\n", f'[ses]\nendpoint_url = "{ses.url}"\n'),
        ("sqlite:///var/lib/ses-relay", f"sqlite://{folder}"),
        ('format = "console"', 'format = "json"'),
    ):
        text = text.replace(old, other)
    settings.write_text(f'{text}\n[admin]\naddress = "127.0.0.1:0"\n')
    with started(["serve", "-c", str(settings)], folder) as relay:
        yield relay


def send(relay: RunningRelay, login: str, author: str, to: str = "ann@example.net", mail_from: str = "") -> str:
    """Send as a login, or, where that is empty, as whoever comes from here; return the reply."""
    with Client(relay.smtp) as client:
        if "STARTTLS" in client.command("EHLO client.test"):
            client.start_tls()
        if login:
            client.log_in(login, SECRET)
        return client.hand_over(mail_from or author, [to], f"From: {author}\r\nSubject: one\r\n\r\nYours.".encode())


def test_from_blueimp(tmp_path: Path, ses: EmbeddedSes) -> None:
    """One user, the fork's ARNs, an expression of addresses and one of refused recipients."""
    (tmp_path / "env").write_text(f"BCRYPT_HASH={HASH}\n")
    fork = ["--env", tmp_path / "env", "--fork", "kamorion", "--", "-a", "127.0.0.1:2525", "-u", "app", "-o", ARN]
    bounds = ["-l", r"^[^@]+@example\.com$", "-d", r"@blocked\.example$"]
    with migrated(tmp_path, ses, "blueimp", *fork, *bounds) as relay:
        assert send(relay, "app", "app@example.com").startswith("250 2.0.0 Ok ")
        assert send(relay, "app", "app@example.com", to="x@blocked.example").startswith(DENIED)
        assert send(relay, "app", "app@example.net").startswith(UNVERIFIED)
    assert [(mail["source_arn"], mail["from_arn"]) for mail in ses.messages()] == [(ARN, ARN)]


def test_from_decke(tmp_path: Path, ses: EmbeddedSes) -> None:
    """Users with bcrypt hashes and addresses of their own, under an expression for all."""
    with migrated(tmp_path, ses, "decke", decke(tmp_path, INI)) as relay:
        assert send(relay, "app", "news@example.com").startswith("250 2.0.0 Ok ")
        assert send(relay, "john-doe", "anything@example.com").startswith("250 2.0.0 Ok ")
        assert send(relay, "app", "ceo@example.com").startswith(DENIED)
        assert send(relay, "app", "app@example.com", mail_from="ceo@example.com").startswith(DENIED)
        assert send(relay, "john-doe", "john@example.org").startswith(UNVERIFIED)
    assert len(ses.messages()) == 2


def test_from_postfix(tmp_path: Path, ses: EmbeddedSes, certificate: tuple[Path, Path]) -> None:
    """Owners of addresses, single ones before their domain; networks that pass first; 250 once it is in the spool."""
    tls = "smtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\nsmtpd_tls_security_level = may\n".format(*certificate)
    passing = "smtpd_sender_restrictions = permit_mynetworks, reject_sender_login_mismatch\n"
    settings = postfix(tmp_path, f"inet_interfaces = loopback-only\nrecipient_delimiter = +\n{passing}{tls}")
    with migrated(tmp_path, ses, "postfix", settings, "--passwords", settings / "users") as relay:
        assert send(relay, "app", "news@example.com").startswith("250 2.0.0 Ok queued as ")
        assert send(relay, "ceo", "ceo@example.com").startswith("250 2.0.0 Ok queued as ")
        assert send(relay, "", "robot@example.com").startswith("250 2.0.0 Ok queued as ")
        for spelt in ("ceo@example.com", "Ceo@EXAMPLE.com", "ceo+x@example.com"):  # to Postfix all the ceo's
            assert send(relay, "app", spelt).startswith(DENIED)
            assert send(relay, "app", "news@example.com", mail_from=spelt).startswith(DENIED)
        assert send(relay, "ceo", "news@example.com").startswith(DENIED)
        relay.wait_until(lambda: len(ses.messages()) == 3, "delivery")
    assert {mail["source"] for mail in ses.messages()} == {f"{name}@example.com" for name in ("news", "ceo", "robot")}
