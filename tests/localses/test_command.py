"""``ses-relay local-ses`` as a real process."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from relay.cli import main as ses_relay
from tests.localses.running import MESSAGE, Door

SEND = {"Source": "a@example.com", "Destinations": ["b@example.net"], "RawMessage": {"Data": MESSAGE}}


@contextmanager
def started(*arguments):
    """The process, its door and the lines it greets with; ended by SIGTERM, which it must obey with exit 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "local-ses", "--listen", "127.0.0.1:0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if line.startswith("next: "):
                break
        found = re.search(r"http://127\.0\.0\.1:([0-9]+)", lines[0])
        assert found, lines
        yield Door(int(found[1])), lines
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
        lines += rest.splitlines(keepends=True)
    assert (process.returncode, lines[-1]) == (0, "stopped\n"), lines


@pytest.mark.system
def test_it_serves_the_demo_keys_and_stops_when_told():
    """Started, used by boto3, stopped: it says where it is, whose keys it knows, and what happened."""
    with started() as (door, lines):
        assert "no --accounts: the demo keys are in use, which everybody knows\n" in lines
        sent = door.client().send_raw_email(**SEND)
        with pytest.raises(ClientError):
            door.client(secret="wrong").send_raw_email(**SEND)
        assert len(door.messages) == 1

    said = "".join(lines)
    assert f"SendRawEmail 200 arn:aws:iam::888888888888:user/owner {sent['MessageId']}\n" in said
    assert "SendRawEmail 403 - SignatureDoesNotMatch: The request signature" in said
    assert "hello" not in said


@pytest.mark.system
def test_it_keeps_its_messages_and_its_keys_to_itself(tmp_path):
    """--state brings messages back; --accounts replaces the demo keys, and secrets are not printed."""
    accounts = tmp_path / "accounts.toml"
    accounts.write_text('[[key]]\nid = "AK1"\nsecret = "hush"\nprincipal = "arn:aws:iam::EXAMPLE65304:user/a"\n')
    arguments = ("--state", tmp_path / "state", "--accounts", accounts)
    with started(*arguments) as (door, lines):
        sent = door.client(key="AK1", secret="hush").send_raw_email(**SEND)
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            door.client().send_raw_email(**SEND)
    assert "hush" not in "".join(lines)

    with started(*arguments) as (door, _):
        (message,) = door.messages
        assert (message["id"], message["principal"]) == (sent["MessageId"], "arn:aws:iam::EXAMPLE65304:user/a")


@pytest.mark.system
def test_it_stops_while_a_call_is_delayed():
    """A call that waits for its fault does not keep the process."""
    with started("--no-verify-signatures") as (door, _):
        door.local("PUT", "faults", {"SendRawEmail": [{"delay": "10m"}]})
        call = f"import urllib.request as u; u.urlopen('{door.url}/', b'Action=SendRawEmail&Version=2010-12-01')"
        caller = subprocess.Popen([sys.executable, "-c", call], stderr=subprocess.DEVNULL)
        while door.local("GET", "faults")[1].get("SendRawEmail"):
            assert caller.poll() is None
    assert caller.wait(timeout=20) != 0


@pytest.mark.system
def test_it_says_by_which_rules_it_plays_and_plays_by_them():
    """The sandbox, a rate of its own, and a queue that is not there: said at the start, minded afterwards."""
    queue = "http://127.0.0.1:9/123456789012/events"
    arguments = ("--sandbox", "--realistic", "--send-rate", "0.5", "--call-rate", "100000", "--events", queue)
    with started(*arguments) as (door, lines):
        quota = door.client().get_send_quota()
        with pytest.raises(ClientError, match=r"MessageRejected.*a@example.com, b@example.net"):
            door.client().send_raw_email(**{**SEND, "RawMessage": {"Data": MESSAGE.replace(b"ann@", b"a@")}})
        door.client().verify_domain_identity(Domain="example.com")
        door.client().send_raw_email(**{**SEND, "Destinations": ["success@simulator.amazonses.com"]})
        (send, _) = door.local("GET", "events")[1]

    assert lines[4:-1][:4] == [
        "sandbox: authors and recipients must be verified, or recipients of the mailbox simulator\n",
        "calls beside sending: 100000 a second for each account and region\n",
        "recipients: 0.5 a second, 1,000,000 in 24 hours\n",
        f"events go to the queue {queue}\n",
    ]
    assert (quota["MaxSendRate"], quota["Max24HourSend"]) == (0.5, 200.0)
    assert list(send["places"]) == [queue]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--events", "events"], "is no URL"),
        (["--topics", "ftp://127.0.0.1"], "is no URL"),
        (["--send-rate", "0"], "--send-rate"),
        (["--daily-quota", "-2"], "--daily-quota"),
        (["--listen", "8579"], "write HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "write HOST:PORT"),
        (["--listen", "0.0.0.0:8579"], "--allow-remote"),
        (["--listen", "mail.example.com:8579"], "--allow-remote"),
        (["--accounts", "/nowhere/keys.toml"], "/nowhere/keys.toml: No such file"),
    ],
)
def test_wrong_usage_is_said_and_ends_with_2(arguments, says):
    result = CliRunner().invoke(ses_relay, ["local-ses", *arguments])

    assert result.exit_code == 2
    assert says in result.output


def test_an_address_in_use_ends_with_1(door):
    result = CliRunner().invoke(ses_relay, ["local-ses", "--listen", f"127.0.0.1:{door.port}"])

    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{door.port}" in result.output


def test_help_shows_what_to_do_next():
    """The examples of the help are whole: a boto3 client, what arrived, faults, and a file of accounts."""
    text = CliRunner().invoke(ses_relay, ["local-ses", "--help"]).output

    for wanted in ("boto3.client(", "/_local/messages", "/_local/faults", "[[key]]", "AKIADEMOOWNER0000000"):
        assert wanted in text


def test_the_snippet_of_the_help_sends(door, capsys):
    """The boto3 lines of the help, typed as they stand, send a message."""
    text = CliRunner().invoke(ses_relay, ["local-ses", "--help"]).output
    snippet = text[text.index("import boto3") : text.index("See what arrived")]
    lines = [line.removeprefix("    ") for line in snippet.splitlines()]

    exec("\n".join(lines).replace("http://127.0.0.1:8579", door.url), {})

    assert [message["destinations"] for message in door.messages] == [["b@example.net"]]
