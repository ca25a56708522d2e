"""The demo as a newcomer finds it: what its table says holds, and what it prints works when it is typed."""

import json
import re
import signal
import smtplib
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.conftest import Demo
from tests.system.relays import EmbeddedSes, Running, command, http, spawn, started_demo, trusting
from tests.system.rows import FORBIDDEN, PERMITTED, Row, secret_of, split_received, without_steering

pytestmark = pytest.mark.system

#: Whom the embedded SES takes the demo's relay for.
OWNERS_RELAY = "arn:aws:iam::888888888888:user/relay"


def send(demo: Demo, row: Row) -> None:
    """Send as most programs in Python do."""
    with smtplib.SMTP(*demo.relay.smtp, timeout=20) as smtp:
        smtp.starttls(context=trusting())
        smtp.login(row.delegate, secret_of(row.delegate))
        smtp.sendmail(row.mail_from, row.recipients, row.raw, mail_options=["BODY=8BITMIME"])


@pytest.mark.parametrize("row", PERMITTED, ids=lambda row: row.name)
def test_what_is_permitted_arrives_once_and_whole(row: Row, demo: Demo) -> None:
    """With the three ARNs, the envelope as asked, nothing that steers SES, and every other octet as it was."""
    demo.ses.forget()
    send(demo, row)
    (message,) = demo.ses.messages()
    arns = [message[name] for name in ("source_arn", "from_arn", "return_path_arn")]
    assert arns == ["arn:aws:ses:us-east-1:888888888888:identity/example.com"] * 3
    assert message["source"] == row.source
    assert message["destinations"] == list(row.recipients)
    assert message["principal"].startswith("arn:aws:iam::")
    received, rest = split_received(message["raw"])
    assert rest == without_steering(row.raw)
    assert b"by relay.demo.example (ses-relay) with ESMTPSA id " in received


@pytest.mark.parametrize("row", FORBIDDEN, ids=lambda row: row.name)
def test_what_is_forbidden_is_refused_with_its_reason_and_appears_nowhere(row: Row, demo: Demo) -> None:
    demo.ses.forget()
    with demo.relay.client(row.delegate, secret_of(row.delegate)) as client:
        reply = client.hand_over(row.mail_from, row.recipients, row.raw)
    assert reply.startswith(row.code)
    assert [name for name in row.names if name not in reply] == []
    assert f"delegate {row.delegate}" in reply or not row.mail_from
    assert re.search(r"decision [0-9a-f]{16}\)$", reply)
    assert demo.ses.messages() == []


def snippet(demo: Demo, first: str) -> str:
    """The block of the greeting that begins with *first*, as it is marked with a mouse."""
    blocks = re.split(r"\n\s*\n", demo.relay.text)
    (found,) = [block for block in blocks if block.lstrip().startswith(first)]
    return found


def typed(text: str, demo: Demo) -> str:
    """Run what a person pasted into a shell."""
    done = subprocess.run(
        ["/bin/sh"], input=text + "\n", capture_output=True, text=True, timeout=30, check=False, cwd=demo.state
    )
    assert done.stderr == ""
    return done.stdout


def test_the_printed_curl_line_sends_a_mail(demo: Demo, tool: Callable[[str], str]) -> None:
    tool("curl")
    demo.ses.forget()
    typed(snippet(demo, "printf 'From: Billing"), demo)
    (message,) = demo.ses.messages()
    assert split_received(message["raw"])[1] == (
        b"From: Billing <billing@example.com>\r\nTo: bob@example.net\r\nSubject: Hello\r\n\r\nYour invoice.\r\n"
    )


def test_the_printed_python_snippet_is_told_why(demo: Demo) -> None:
    demo.ses.forget()
    said = typed(snippet(demo, "python3 - <<'END'"), demo)
    assert said.startswith("554 5.7.1 Access denied: User `arn:aws:iam::111111111111:user/billing' is not authorized")
    assert "identity/ceo@example.com" in said
    assert "delegate billing" in said
    assert demo.ses.messages() == []


def test_the_printed_explain_line_says_the_same(demo: Demo) -> None:
    said = typed(snippet(demo, "printf 'From: The CEO"), demo)
    assert "NOT ALLOWED" in said
    assert "554 5.7.1 Access denied" in said
    assert "OnlyTheAssistant" in said


def test_the_printed_doctor_line_finds_nothing_that_fails(demo: Demo) -> None:
    """All warnings are about the certificate, which was made a moment ago; the running relay is found everywhere."""
    lines = typed(snippet(demo, "AWS_ACCESS_KEY_ID="), demo).splitlines()
    assert [line for line in lines if line.startswith("failing")] == []
    warned = [line for line in lines if line.startswith("warning")]
    assert [line for line in warned if "certificate" not in line and "tls." not in line] == []
    said = "\n".join(lines)
    assert f"ok: credentials: {OWNERS_RELAY}, found in the environment" in said
    assert re.search(r"^ok: listener \S+: the running relay has it$", said, re.MULTILINE)
    assert re.search(r"^ok: admin: the relay at \S+ is ready$", said, re.MULTILINE)
    assert re.search(r"^ok: spool.lock: process \d+ has the spool open", said, re.MULTILINE)
    assert sum(line.startswith("ok: identity arn:aws:ses:us-east-1:888888888888:identity/") for line in lines) == 2


def test_the_printed_addresses_answer(demo: Demo) -> None:
    links = re.findall(r"^\s*(http://\S+)", demo.relay.text, re.MULTILINE)
    answers = {link.rpartition("/")[2]: http("GET", link) for link in links}
    assert json.loads(answers["messages"]) is not None
    assert answers["readyz?verbose"].endswith("ready\n")
    assert "ses_relay_messages_total" in answers["metrics"]


def test_the_greeting_fits_a_terminal_and_names_every_delegate(demo: Demo) -> None:
    greeting = demo.relay.text[demo.relay.text.index("The relay is up") :].split("intern ")[0]
    prose = [line for line in greeting.splitlines() if "/" not in line and "--" not in line]
    assert max(map(len, prose)) <= 120
    for delegate in ("billing", "newsletter", "intern"):
        assert f"demo-{delegate}-secret" in demo.relay.text


def test_an_edited_policy_counts_soon(tmp_path: Path) -> None:
    """Edit the file that the greeting names, wait two seconds, and the answer is another."""
    row = FORBIDDEN[3]
    with started_demo(tmp_path) as relay:
        demo = Demo(relay, EmbeddedSes(f"http://{relay.addresses['ses']}"), tmp_path / "state")
        policy = demo.state / "policies/888888888888/us-east-1/example.com/billing.json"
        policy.write_text(policy.read_text().replace('"billing@example.com"', '"sales@example.com"'))
        with relay.client(row.delegate, secret_of(row.delegate)) as client:
            deadline = time.monotonic() + 20
            while not (reply := client.hand_over(row.mail_from, row.recipients, row.raw)).startswith("250"):
                assert time.monotonic() < deadline, reply
                time.sleep(0.2)
            assert client.hand_over("billing@example.com", ("a@b.example",), PERMITTED[0].raw).startswith("554 5.7.1")


def test_a_password_may_travel_in_clear_on_loopback(demo: Demo) -> None:
    demo.ses.forget()
    row = PERMITTED[0]
    with smtplib.SMTP(*demo.relay.smtp, timeout=20) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("starttls")
        smtp.login(row.delegate, secret_of(row.delegate))
        smtp.sendmail(row.mail_from, row.recipients, row.raw)
    (message,) = demo.ses.messages()
    assert b" with ESMTPA id " in split_received(message["raw"])[0]


def test_aws_credentials_of_the_machine_are_ignored(tmp_path: Path) -> None:
    """Also ones that do not work, and a broken profile: the demo signs with its own."""
    environ = {"AWS_ACCESS_KEY_ID": "AKIASOMEBODYELSE0000", "AWS_SECRET_ACCESS_KEY": "x", "AWS_PROFILE": "not-there"}
    with started_demo(tmp_path, environ=environ) as relay:
        row = PERMITTED[0]
        with relay.client(row.delegate, secret_of(row.delegate)) as client:
            assert client.hand_over(row.mail_from, row.recipients, row.raw).startswith("250 2.0.0 Ok ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_leaves_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    with started_demo(tmp_path) as relay:
        assert relay.signalled(number) == 0
        assert "leaving" in relay.text
        assert "Traceback" not in relay.text


def test_a_second_start_in_the_same_state_keeps_what_was_edited(tmp_path: Path) -> None:
    with started_demo(tmp_path):
        pass
    policies = tmp_path / "state/policies/888888888888/us-east-1/example.com"
    (policies / "billing.json").unlink()
    row = PERMITTED[0]
    with started_demo(tmp_path) as relay, relay.client(row.delegate, secret_of(row.delegate)) as client:
        assert client.hand_over(row.mail_from, row.recipients, row.raw).startswith("550 5.7.1")
    assert not (policies / "billing.json").exists()


@pytest.mark.parametrize("option", ["--smtp", "--admin", "--ses"])
def test_a_port_in_use_is_said_in_one_line(option: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        addresses = {"--smtp": "127.0.0.1:0", "--admin": "127.0.0.1:0", "--ses": "127.0.0.1:0", option: address}
        words = [word for pair in addresses.items() for word in pair]
        done = command("demo", *words, "--state", str(tmp_path / "state"))
    said = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert said[-1].startswith("Error: ")
    assert f"cannot listen on {address}: Address already in use; ss -ltnp " in said[-1]
    assert "Errno" not in said[-1]
    assert b"Traceback" not in done.stderr + done.stdout


FREE = ("--smtp", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ses", "127.0.0.1:0")


@pytest.mark.parametrize(
    "words", [("--smtp", "nonsense"), ("--ses", "nonsense"), ("--ses", "0.0.0.0:0"), ("--prot", "1")]
)
def test_wrong_usage_is_exit_code_2(words: tuple[str, ...], tmp_path: Path) -> None:
    done = command("demo", *FREE, *words, "--state", str(tmp_path / "state"))
    assert done.returncode == 2
    assert b"Error" in done.stderr
    assert b"Traceback" not in done.stderr + done.stdout


def test_without_a_state_folder_nothing_is_left_behind(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    running = Running(spawn(["demo", *FREE], log, {"TMPDIR": str(temporary)}), log)
    running.wait_until(lambda: "demo-intern-secret" in running.text)
    assert list(temporary.iterdir())
    assert running.signalled(signal.SIGTERM) == 0
    assert list(temporary.iterdir()) == []
