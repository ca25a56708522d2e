"""Start, reload, drain, trouble and recovery of ``ses-relay serve``, told by signals as a supervisor tells them."""

import itertools
import json
import re
import signal
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import trustme
from argon2 import PasswordHasher

from relay.localses.keys import DEMO_KEYS
from tests.system.conftest import MakeCertificate
from tests.system.houses import IMPLICIT, House
from tests.system.relays import NO_KEY, Client, EmbeddedSes, Running, RunningRelay, command, plain_response, spawn
from tests.system.rows import FORBIDDEN, PERMITTED, Row, secret_of

pytestmark = pytest.mark.system

MINE = PERMITTED[0]
IDENTITY = "arn:aws:ses:us-east-1:888888888888:identity"
SALES = FORBIDDEN[3]
CEO_BOUNCES = FORBIDDEN[2]


def send(relay: RunningRelay, row: Row = MINE) -> str:
    with relay.client(row.delegate, secret_of(row.delegate)) as client:
        return hand_over(client, row)


def hand_over(client: Client, row: Row = MINE) -> str:
    return client.hand_over(row.mail_from, row.recipients, row.raw)


def begin(client: Client, row: Row = MINE) -> None:
    """Everything up to the dot, and nothing of the answer."""
    for words in (f"MAIL FROM:<{row.mail_from}>", f"RCPT TO:<{row.recipients[0]}>", "DATA"):
        assert client.command(words)[0] in "23"
    client.socket.sendall(b"From: billing@example.com\r\n\r\nslow\r\n.\r\n")


def until(relay: RunningRelay, start: str, row: Row = MINE) -> str:
    """Send until the reply begins so."""

    def sent() -> str:
        reply = send(relay, row)
        return reply if reply.startswith(start) else ""

    reply: str = relay.wait_until(sent, f"{start} for {row.name}", 15)
    return reply


# Reload


def test_a_reload_changes_who_may_speak(house: House) -> None:
    """A new delegate can log in and is counted under its name; a removed one cannot, nor go on in an open session."""
    with house.serve() as relay, relay.client("billing", secret_of("billing")) as open_session:
        house.edit('name = "billing"', 'name = "accounts"')
        assert relay.reload()["event"] == "relay.reloaded"
        with relay.client("accounts", secret_of("billing")) as client:
            assert hand_over(client).startswith("250 2.0.0 Ok ")
        with Client(relay.smtp) as stranger:
            stranger.start_tls()
            assert stranger.command(f"AUTH PLAIN {plain_response('billing', secret_of('billing'))}").startswith("535")
        assert hand_over(open_session).startswith("451 4.7.1 ")
        assert relay.count("ses_relay_messages_total", delegate="accounts", outcome="accepted") == 1


def test_a_reload_changes_the_rules_and_limits(house: House) -> None:
    with house.serve() as relay:
        assert "billing/BillingSendsInvoices" in send(relay, SALES)
        house.edit('reveal = "full"', 'reveal = "reason"')
        house.settings.write_text(house.settings.read_text() + "\n[limits]\nmessage_bytes = 2048\n")
        assert relay.reload()["event"] == "relay.reloaded"
        reply = send(relay, SALES)
        assert "ses:FromAddress is sales@example.com" in reply
        assert "BillingSendsInvoices" not in reply
        with Client(relay.smtp) as client:
            assert "250-SIZE 2048 " in client.command("EHLO client.test")


def test_a_reload_reads_policies_from_another_folder(house: House) -> None:
    """And nothing of the old folder counts any more."""
    with house.serve() as relay:
        assert send(relay).startswith("250")
        (house.folder / "policies").rename(house.folder / "elsewhere")
        house.edit('directory = "policies"', 'directory = "elsewhere"')
        other = house.folder / "elsewhere/888888888888/us-east-1/example.com/billing.json"
        other.write_text(other.read_text().replace('"billing@example.com"', '"sales@example.com"'))
        assert relay.reload()["event"] == "relay.reloaded"
        assert send(relay, SALES).startswith("250")
        assert send(relay).startswith("554 5.7.1")
        other.write_text(other.read_text().replace('"sales@example.com"', '"billing@example.com"'))
        assert until(relay, "250", MINE)


def test_a_broken_file_keeps_the_old_settings_and_says_so(house: House) -> None:
    good = house.settings.read_text()
    with house.serve() as relay:
        for broken, word in (
            (good.replace('name = "billing"', 'name = "accounts"') + "\n[limits]\nrecipients = 0\n", "recipients"),
            (good + "\n[limitz]\n", "limitz"),
            ("no toml [", "relay.toml"),
        ):
            house.settings.write_text(broken)
            line = relay.reload()
            assert line["event"] == "relay.reload-refused"
            assert line["level"] == "error"
            assert word in str(line["problems"])
            assert send(relay).startswith("250")
        house.settings.unlink()
        assert relay.reload()["event"] == "relay.reload-refused"
        house.settings.write_text(good)
        assert relay.reload()["event"] == "relay.reloaded"


def test_a_reload_says_what_only_a_restart_changes(house: House) -> None:
    with house.serve() as relay:
        house.edit('region = "us-east-1"', 'region = "eu-west-1"')
        house.edit('hostname = "relay.demo.example"', 'hostname = "other.example"')
        line = relay.reload()
        assert (line["event"], line["needs_restart"]) == ("relay.reloaded", ["server", "ses"])
        with Client(relay.smtp) as client:
            assert client.greeting == "220 relay.demo.example ESMTP"


def test_recipients_are_as_many_as_the_mode_bears_that_is_kept(house: House) -> None:
    """The default is another one without a spool; the mode is read at the start only."""
    with house.keep("fallback").serve() as relay:
        house.edit('mode = "fallback"', 'mode = "direct"')
        assert relay.reload()["needs_restart"] == ["delivery"]
        with Client(relay.smtp) as client:
            assert "250-LIMITS RCPTMAX=1000 " in client.command("EHLO client.test")


def test_a_new_certificate_is_shown_to_new_sessions_only(house: House, make_certificate: MakeCertificate) -> None:
    """A session that began with the old one goes on; a broken certificate changes nothing."""
    with house.serve() as relay, relay.client("billing", secret_of("billing")) as old:
        house.show(make_certificate())
        assert relay.reload()["event"] == "relay.reloaded"
        assert hand_over(old).startswith("250")
        for listener in (0, 1):
            with relay.client("billing", secret_of("billing"), listener=listener) as new:
                assert new.certificate != old.certificate
                assert hand_over(new).startswith("250")
        key = (house.folder / "key.pem").read_bytes()
        (house.folder / "key.pem").write_text("no key")
        assert relay.reload()["event"] == "relay.reload-refused"
        assert send(relay).startswith("250")
        (house.folder / "key.pem").write_bytes(key)
        assert relay.reload()["event"] == "relay.reloaded"


def test_the_end_of_a_certificate_is_seen_coming(house: House, the_authority: trustme.CA) -> None:
    """As a figure always; in the log and in the readiness for the last three weeks; the relay stays ready."""
    metric = "ses_relay_tls_certificate_expires_seconds"
    with house.serve() as relay:
        assert relay.count(metric, listener="127.0.0.1:0") > time.time() + 21 * 86400
        assert "certificate" not in relay.readiness()
        ends = datetime.now(UTC) + timedelta(days=9, hours=1)
        issued = the_authority.issue_cert("localhost", not_after=ends)
        (house.folder / "certificate.pem").write_bytes(issued.cert_chain_pems[0].bytes())
        (house.folder / "key.pem").write_bytes(issued.private_key_pem.bytes())
        assert relay.reload()["event"] == "relay.reloaded"
        assert relay.count(metric, listener="127.0.0.1:0") == int(ends.timestamp())
        assert "\nok certificate: expires in 9 days\n" in relay.readiness()
        assert relay.is_ready()
        assert relay.wait_for("tls.certificate-expires")["level"] == "warning"
        house.edit('tls = "starttls"', 'tls = "off"')
        house.edit(f'{IMPLICIT}certificate = "certificate.pem"\nkey = "key.pem"\n', "")
        assert relay.reload()["needs_restart"] == ["listener"]
        assert "\nok certificate: expires in 9 days\n" in relay.readiness(), "it is shown until a restart"


def test_many_reloads_drop_nobody(house: House) -> None:
    with house.serve() as relay, relay.client("billing", secret_of("billing")) as client:
        for _ in range(5):
            client.command(f"MAIL FROM:<{MINE.mail_from}>")
            relay.process.send_signal(signal.SIGHUP)
            client.command(f"RCPT TO:<{MINE.recipients[0]}>")
            relay.process.send_signal(signal.SIGHUP)
            assert client.command("DATA").startswith("354")
            assert client.data(MINE.raw.replace(b"\r\n.", b"\r\n..") + b".\r\n").startswith("250")
        relay.wait_for("relay.reloaded")


# Stopping


def test_sigterm_lets_a_message_inside_ses_end(house: House, ses: EmbeddedSes) -> None:
    """The client still hears its 250, with the id that SES gave; then 421, and the process leaves with 0."""
    with house.serve() as relay, relay.client("billing", secret_of("billing")) as client:
        ses.suffer({"delay": "1s"})
        begin(client)
        relay.wait_until(lambda: relay.count("ses_relay_messages_received_total") == 1)
        relay.process.send_signal(signal.SIGTERM)
        reply = client.reply()
        assert reply.startswith("250 2.0.0 Ok ")
        assert client.reply().startswith("421 4.3.2 ")
        client.close()
        assert relay.process.wait(20) == 0
        assert [message["id"] for message in ses.messages()].count(reply.split()[-1]) == 1
        assert [line["outcome"] for line in relay.lines("message")] == ["accepted"]
        assert relay.lines("relay.stopped")[0]["quiet"] is True


def test_sigterm_ends_idle_sessions_and_takes_no_new_ones(house: House, ses: EmbeddedSes) -> None:
    with (
        house.serve() as relay,
        relay.client("billing", secret_of("billing")) as idle,
        relay.client("billing", secret_of("billing")) as busy,
    ):
        ses.suffer({"delay": "1s"})
        begin(busy)
        relay.wait_until(lambda: relay.count("ses_relay_messages_received_total") == 1)
        relay.process.send_signal(signal.SIGTERM)
        assert idle.reply().startswith("421 4.3.2 ")
        with pytest.raises(OSError, match=r"efused|reset"):
            socket.create_connection(relay.smtp, 5)
        assert "listeners: not open" in relay.readiness()
        assert busy.reply().startswith("250")
        idle.close()
        busy.close()
        assert relay.process.wait(20) == 0


def test_a_drain_without_end_is_ended_and_the_books_are_closed(house: House, ses: EmbeddedSes) -> None:
    """Past drain_timeout a message that is still inside SES is told and counted as one that may have been sent."""
    house.edit("[server]\n", '[server]\ndrain_timeout = "2s"\n')
    with house.serve() as relay, relay.client("billing", secret_of("billing")) as client:
        ses.suffer({"delay": "30s"})
        begin(client)
        relay.wait_until(lambda: relay.count("ses_relay_messages_received_total") == 1)
        relay.process.send_signal(signal.SIGTERM)
        assert client.reply().startswith("451 4.4.")
        assert client.reply().startswith("421 4.3.2 ")
        client.close()
        assert relay.process.wait(20) == 0
        (line,) = relay.lines("message")
        assert (line["outcome"], line["reason"]) == ("deferred", "ses-unavailable")
        assert relay.lines("relay.stopped")[0]["quiet"] is False


def test_a_second_sigterm_is_immediate(house: House, ses: EmbeddedSes) -> None:
    with house.serve() as relay, relay.client("billing", secret_of("billing")) as client:
        ses.suffer({"delay": "30s"})
        begin(client)
        relay.wait_until(lambda: relay.count("ses_relay_messages_received_total") == 1)
        relay.process.send_signal(signal.SIGTERM)
        relay.wait_until(lambda: "listeners: not open" in relay.readiness())
        began = time.monotonic()
        assert relay.signalled(signal.SIGTERM) == -signal.SIGTERM
        assert time.monotonic() - began < 5  # not the 20 s of the drain


def test_who_is_in_the_middle_of_a_message_is_told_to_come_back(house: House) -> None:
    """421 4.3.2 before drain_timeout is over, and the message is counted as ours to have given up."""
    house.edit("[server]\n", '[server]\ndrain_timeout = "2s"\n')
    with house.serve() as relay, relay.client("billing", secret_of("billing")) as client:
        for words in (f"MAIL FROM:<{MINE.mail_from}>", f"RCPT TO:<{MINE.recipients[0]}>", "DATA"):
            client.command(words)
        client.socket.sendall(b"From: billing@example.com\r\n\r\nhalf")
        relay.process.send_signal(signal.SIGTERM)
        assert client.reply().startswith("421 4.3.2 ")
        client.close()
        assert relay.process.wait(20) == 0
        assert [(line["outcome"], line["reason"]) for line in relay.lines("message")] == [("deferred", "shutting-down")]


class Sending(Thread):
    """Sends one message after the other, each with a number of its own, until the relay takes leave."""

    def __init__(self, relay: RunningRelay, name: str) -> None:
        super().__init__(daemon=True)
        self.client = relay.client("billing", secret_of("billing"))
        self.name = name
        #: What was heard of each message that was sent whole.
        self.heard: dict[str, str] = {}
        self.last = ""

    def run(self) -> None:
        for number in itertools.count():
            self.last = self.client.command(f"MAIL FROM:<{MINE.mail_from}>")
            for words in (f"RCPT TO:<{MINE.recipients[0]}>", "DATA"):
                if self.last[0] in "23":
                    self.last = self.client.command(words)
            if not self.last.startswith("354"):
                break
            subject = f"{self.name}-{number}."
            raw = f"From: billing@example.com\r\nSubject: {subject}\r\n\r\ntext\r\n.\r\n"
            self.heard[subject] = self.last = self.client.data(raw.encode())
        while self.last != "CLOSED":
            self.last = self.client.reply()
        self.client.close()


@pytest.mark.parametrize("moment", [0.05, 0.4, 0.9])
def test_sigterm_among_many_senders_loses_nothing_and_repeats_nothing(
    moment: float, house: House, ses: EmbeddedSes
) -> None:
    """What was answered 250 is at SES once, what was refused is not; nobody hears of a message twice (C26)."""
    ses.suffer({"delay": "150ms", "times": 100_000})
    with house.serve() as relay:
        senders = [Sending(relay, f"s{number}") for number in range(24)]
        idle = [relay.client("billing", secret_of("billing")) for _ in range(6)]
        for sender in senders:
            sender.start()
        time.sleep(moment)
        relay.process.send_signal(signal.SIGTERM)
        assert all(client.reply().startswith("421 4.3.2 ") for client in idle)
        for client in idle:
            client.close()
        for sender in senders:
            sender.join(20)
        assert relay.process.wait(20) == 0
        # Of earlier tests a message may still come late, one that waited in SES when its relay was stopped.
        found = (re.search(rb"Subject: (s\d+-\d+\.)", each["raw"]) for each in ses.messages())
        subjects = Counter(match[1].decode() for match in found if match)
        heard = {subject: reply for sender in senders for subject, reply in sender.heard.items()}
        assert heard
        assert {reply[:3] for reply in heard.values()} <= {"250", "421", "451"}
        assert subjects == Counter(subject for subject, reply in heard.items() if reply.startswith("250"))
        told = [line["outcome"] for line in relay.lines("message")]
        assert told.count("accepted") == sum(subjects.values())
        assert all(reply[:3] in ("421", "CLO") for sender in senders for reply in sender.client.heard[-2:])
        assert relay.lines("relay.stopped")[0]["quiet"] is True


def reset(client: Client) -> None:
    """Hang up as a machine that was switched off and on again: by a reset, not a word."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("listener", [0, 1], ids=["starttls", "implicit"])
@pytest.mark.parametrize("leave", [Client.close, reset], ids=["closed", "reset"])
def test_who_hangs_up_while_ses_answers_has_sent_a_message(
    leave: Callable[[Client], None], listener: int, house: House, ses: EmbeddedSes
) -> None:
    """It is SES's by then: the record says accepted, under SES's id, and it is counted once."""
    with house.serve() as relay:
        ses.suffer({"delay": "700ms"})
        client = relay.client("billing", secret_of("billing"), listener=listener)
        begin(client)
        relay.wait_until(lambda: relay.count("ses_relay_messages_received_total") == 1)
        leave(client)
        (line,) = relay.wait_for_messages(1)
        # Others' late messages may be there, too: those of relays that were killed while this SES took its time.
        assert [message["id"] for message in ses.messages()].count(line["ses_id"]) == 1
        assert line["outcome"] == "accepted"
        assert relay.count("ses_relay_ses_requests_total", operation="SendRawEmail") == 1
        assert relay.count("ses_relay_messages_total") == 1
        assert relay.count("ses_relay_messages_total", outcome="accepted") == 1
        assert relay.count("ses_relay_possible_duplicates_total") == 0
        relay.wait_until(lambda: relay.count("ses_relay_sessions") == 0)


def test_a_signal_during_the_start_is_not_lost(house: House) -> None:
    """SIGHUP would kill a process that does not expect it; SIGTERM would leave with a code that alarms."""
    log = house.folder / "relay.log"
    relay = RunningRelay(spawn(["serve", "-c", str(house.settings)], log), log)
    relay.wait_for("policies.refreshed")
    relay.process.send_signal(signal.SIGHUP)
    assert relay.signalled(signal.SIGTERM) == 0
    assert "Traceback" not in relay.text


@pytest.mark.parametrize("which", ["listener", "admin"])
def test_a_port_in_use_is_said_in_one_line_with_whose_it_is_and_how_to_find_who_has_it(
    which: str, house: House
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        if which == "admin":
            house.edit('[admin]\naddress = "127.0.0.1:0"', f'[admin]\naddress = "127.0.0.1:{port}"')
        else:
            house.edit('"127.0.0.1:0"', f'"127.0.0.1:{port}"')
        done = command("serve", "-c", str(house.settings))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: the relay could not start: {which}".encode())
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; ss -ltnp ".encode() in done.stderr
    assert b"Errno" not in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert [json.loads(line)["level"] for line in done.stdout.splitlines()]  # the log is on standard output, JSON all


# Policies that cannot be read


def test_an_unreadable_policy_defers_and_heals(house: House) -> None:
    """451 4.7.1, never an allow and never a refusal for good; counted, shown, and over when the file is mended."""
    policy = house.policy("example.com/billing")
    good = policy.read_text()
    with house.serve() as relay:
        policy.write_text(good[:-20])
        reply = until(relay, "451 4.7.1 ")
        assert "delegate billing" in reply
        assert relay.count("ses_relay_policy_problems", identity=f"{IDENTITY}/example.com") == 1
        assert relay.count("ses_relay_messages_total", reason="policy-undecided", outcome="deferred") >= 1
        assert relay.count("ses_relay_decisions_total", verdict="undecided") >= 1
        policy.write_text(good)
        until(relay, "250")
        assert relay.count("ses_relay_policy_problems") == 0


def test_a_corrupt_policy_of_one_identity_leaves_others_alone(house: House) -> None:
    with house.serve() as relay:
        house.policy("ceo@example.com/assistant").write_text("{")
        until(relay, "451 4.7.1 ", CEO_BOUNCES)
        assert send(relay).startswith("250")


def test_a_policy_that_is_no_file_defers(house: House) -> None:
    """Root reads everything, so what stands in the way here is a folder under a policy's name."""
    policy = house.policy("example.com/billing")
    with house.serve() as relay:
        policy.rename(policy.with_suffix(".kept"))
        policy.mkdir()
        until(relay, "451 4.7.1 ")
        policy.rmdir()
        policy.with_suffix(".kept").rename(policy)
        until(relay, "250")


def test_policies_that_grow_too_old_decide_nothing(house: House) -> None:
    """Their folder is gone: what was read holds for max_stale, then 451 and not ready; back, both heal."""
    house.edit('refresh_interval = "100ms"', 'refresh_interval = "100ms"\nmax_stale = "1s"')
    policies, away = house.folder / "policies", house.folder / "away"
    with house.serve() as relay:
        assert relay.is_ready()
        policies.rename(away)
        until(relay, "451 4.7.1 ")
        relay.wait_until(lambda: "not ok policies" in relay.readiness(), "stale policies")
        assert relay.count("ses_relay_policy_age_seconds", identity=f"{IDENTITY}/example.com") > 0
        away.rename(policies)
        until(relay, "250")
        relay.wait_until(relay.is_ready, "fresh policies")


# Readiness


def healthcheck(relay: RunningRelay) -> "subprocess.CompletedProcess[bytes]":
    return command("healthcheck", "--admin", relay.addresses["admin"])


def test_ready_and_healthcheck_agrees(house: House) -> None:
    with house.serve() as relay:
        checks = relay.readiness().replace("ok workers\n", "")
        assert checks == "ok credentials\nok policies\nok delegates\nok listeners\nready\n"
        assert relay.get("/readyz") == "ready\n"
        assert relay.get("/livez") == "ok\n"
        done = healthcheck(relay)
        assert (done.returncode, done.stdout) == (0, b"ready\n")
    done = healthcheck(relay)
    assert done.returncode == 1
    assert b"no answer" in done.stderr


def test_without_credentials_it_is_alive_and_not_ready(house: House) -> None:
    """Mail is deferred, not lost; the operator is told where it looked."""
    with house.serve(NO_KEY) as relay:
        assert "not ok credentials: no credentials" in relay.readiness()
        assert relay.get("/livez") == "ok\n"
        assert send(relay).startswith("451 4.3.5 ")
        relay.counts(1, "ses_relay_messages_total", reason="ses-credentials")
        done = healthcheck(relay)
        assert done.returncode == 1
        assert b"not ok credentials" in done.stderr


# The relay's own identity


def as_caller(house: House) -> None:
    """Make billing the relay itself, and the policy name the relay's principal at the embedded SES."""
    house.edit('principal = "arn:aws:iam::111111111111:user/billing"', 'principal = "caller"')


@pytest.fixture
def caller_arn(ses: EmbeddedSes) -> str:
    return next(key.principal for key in DEMO_KEYS if key.id == "AKIADEMORELAY0000000")


def test_a_caller_is_judged_as_what_sts_says(house: House, caller_arn: str) -> None:
    as_caller(house)
    with house.serve() as relay:
        assert relay.wait_for("caller.known")["arn"] == caller_arn
        reply = send(relay)
        assert reply.startswith("550 5.7.1 ")
        assert caller_arn in reply
        policy = house.policy("example.com/billing")
        policy.write_text(policy.read_text().replace("arn:aws:iam::111111111111:user/billing", caller_arn))
        until(relay, "250")
        assert relay.lines("message")[-1]["principal"] == caller_arn
        house.edit('reveal = "full"', 'reveal = "reason"')
        assert relay.reload()["event"] == "relay.reloaded"
        assert send(relay).startswith("250")


def test_while_sts_is_away_a_caller_is_deferred_and_others_send(
    house: House, ses: EmbeddedSes, caller_arn: str
) -> None:
    """It can log in: a 535 would make clients forget their password over our trouble."""
    as_caller(house)
    policy = house.policy("example.com/billing")
    policy.write_text(policy.read_text().replace("arn:aws:iam::111111111111:user/billing", caller_arn))
    ses.suffer({"code": "ServiceUnavailable", "status": 503, "times": 1}, operation="GetCallerIdentity")
    with house.serve() as relay:
        relay.wait_for("caller.unknown")
        reply = send(relay)
        assert reply.startswith("451 4.7.1 ")
        assert relay.wait_for("message")["principal"] is None
        news = next(row for row in PERMITTED if row.delegate == "newsletter")
        assert send(relay, news).startswith("250")
        until(relay, "250")
        assert relay.wait_for("caller.known")["arn"] == caller_arn


def test_an_sts_that_hangs_does_not_hold_up_the_start(house: House, ses: EmbeddedSes) -> None:
    as_caller(house)
    ses.suffer({"delay": "60s"}, operation="GetCallerIdentity")
    with house.serve() as relay:
        assert send(relay).startswith("451 4.7.1 ")


def test_the_environment_alone_configures_a_sidecar(house: House, tmp_path: Path) -> None:
    """One delegate, no file: the listener without TLS on loopback, as in a pod."""
    environ = {
        "SES_RELAY__LISTENER__ADDRESS": "127.0.0.1:0",
        "SES_RELAY__LISTENER__ALLOW_PLAINTEXT_AUTH": "true",
        "SES_RELAY__DELEGATE__NAME": "billing",
        "SES_RELAY__DELEGATE__PRINCIPAL": "arn:aws:iam::111111111111:user/billing",
        "SES_RELAY__DELEGATE__PASSWORD_HASH": PasswordHasher(1, 64, 1).hash("sidecar"),
        "SES_RELAY__POLICIES__SOURCE": "directory",
        "SES_RELAY__POLICIES__DIRECTORY": str(house.folder / "policies"),
        "SES_RELAY__SES__ENDPOINT_URL": house.ses,
        "SES_RELAY__SES__REGION": "us-east-1",
        "SES_RELAY__DELIVERY__MODE": "direct",
        "SES_RELAY__ADMIN__ADDRESS": "127.0.0.1:0",
    }
    log = tmp_path / "elsewhere" / "sidecar.log"
    log.parent.mkdir()
    running: Running = RunningRelay(spawn(["serve"], log, environ), log)
    assert isinstance(running, RunningRelay)
    try:
        running.addresses = running.wait_for("relay.ready")
        with Client(running.smtp) as client:
            client.command("EHLO app")
            client.log_in("billing", "sidecar")
            assert hand_over(client).startswith("250")
    finally:
        assert running.signalled(signal.SIGTERM) == 0
