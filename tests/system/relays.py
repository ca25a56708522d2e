"""Real relays: processes of their own, found by the addresses that they log."""

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.localses.second_judge import contradictions

START_SECONDS = 30
#: The access key that the embedded SES knows for the relay.
RELAY_KEY = {"AWS_ACCESS_KEY_ID": "AKIADEMORELAY0000000", "AWS_SECRET_ACCESS_KEY": "demo-relay-secret"}
#: No key, and no waiting for an instance role that is not there.
NO_KEY = {
    "AWS_ACCESS_KEY_ID": "",
    "AWS_SECRET_ACCESS_KEY": "",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


def trusting() -> ssl.SSLContext:
    """TLS with whoever answers: the certificates here were made a moment ago."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one reads all authorities of the machine
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def plain_response(delegate: str, secret: str) -> str:
    return base64.b64encode(f"\0{delegate}\0{secret}".encode()).decode()


class Client:
    """A client that says exactly what it is told. It keeps every reply it was given."""

    def __init__(self, address: tuple[str, int], *, implicit: bool = False, source: str = "") -> None:
        self.heard: list[str] = []
        self.socket = socket.create_connection(address, 15, (source, 0) if source else None)
        if implicit:
            self.socket = trusting().wrap_socket(self.socket)
        self._file = self.socket.makefile("rb")
        self.greeting = self.reply()

    def start_tls(self, *, greets: bool = True) -> None:
        self.command("EHLO client.test")
        assert self.command("STARTTLS").startswith("220")
        self._file.close()
        self.socket = trusting().wrap_socket(self.socket)
        self._file = self.socket.makefile("rb")
        if greets:
            self.command("EHLO client.test")

    @property
    def certificate(self) -> bytes:
        """The certificate that the relay showed, DER."""
        assert isinstance(self.socket, ssl.SSLSocket)
        return self.socket.getpeercert(binary_form=True) or b""

    def log_in(self, delegate: str, secret: str) -> None:
        reply = self.command(f"AUTH PLAIN {plain_response(delegate, secret)}")
        assert reply.startswith("235"), reply

    def hand_over(self, mail_from: str, recipients: Sequence[str], raw: bytes) -> str:
        """Hand a message over; return the first refusal, or the reply to the dot."""
        for command in [f"MAIL FROM:<{mail_from}>", *(f"RCPT TO:<{each}>" for each in recipients), "DATA"]:
            reply = self.command(command)
            if reply[0] not in "23":
                return reply
        return self.data(stuffed(raw) + b".\r\n")

    def command(self, line: str) -> str:
        return self.data(line.encode() + b"\r\n")

    def data(self, octets: bytes) -> str:
        with suppress(OSError):  # the relay has answered and hung up; its answer is still there to be read
            self.socket.sendall(octets)
        return self.reply()

    def reply(self) -> str:
        """Read one reply, its lines joined; ``CLOSED`` when the relay hung up."""
        lines = []
        while True:
            try:
                line = self._file.readline()
            except OSError:
                line = b""
            if not line:
                self.heard.append("CLOSED")
                return "CLOSED"
            lines.append(line.decode().rstrip("\r\n"))
            if line[3:4] != b"-":
                self.heard.append(" | ".join(lines))
                return self.heard[-1]

    def __enter__(self) -> "Client":
        return self

    def close(self) -> None:
        """Hang up without a word."""
        self._file.close()
        self.socket.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def stuffed(raw: bytes) -> bytes:
    """Dots doubled as the wire wants it, the last line ended."""
    raw = raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n"
    return (b"." if raw.startswith(b".") else b"") + raw.replace(b"\r\n.", b"\r\n..")


@dataclass
class Running:
    """A process, what it has written so far, and how to wait for it."""

    process: subprocess.Popen[bytes]
    log: Path
    addresses: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.log.read_text()

    def wait_until(self, holds: Callable[[], Any], what: str = "", seconds: float = START_SECONDS) -> Any:
        """Return what *holds* returns once that is true; fail when the process ends or time is up."""
        deadline, pause = time.monotonic() + seconds, 0.01
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            if found := holds():
                return found
            if ended:
                break
            time.sleep(pause)
            pause = min(1.2 * pause, 0.05)  # what takes long is not made longer by asking
        raise AssertionError(f"no {what or holds}; exit code {self.process.poll()}; log:\n{self.text[-3000:]}")

    def signalled(self, number: signal.Signals, seconds: float = 30) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


@dataclass
class RunningRelay(Running):
    """A relay process."""

    _lines: list[dict[str, Any]] = field(default_factory=list, repr=False)
    _read: int = 0

    def client(self, delegate: str, secret: str, *, listener: int = 0) -> Client:
        """Return a client on the first listener, under TLS, logged in."""
        client = Client(split(self.addresses["listeners"][listener]), implicit=listener == 1)
        if listener == 0:
            client.start_tls()
        else:
            client.command("EHLO client.test")
        client.log_in(delegate, secret)
        return client

    @property
    def smtp(self) -> tuple[str, int]:
        return split(self.addresses["listeners"][0])

    @property
    def implicit(self) -> tuple[str, int]:
        return split(self.addresses["listeners"][1])

    def get(self, path: str) -> str:
        """Ask the admin endpoint."""
        return http("GET", f"http://{self.addresses['admin']}{path}")

    def readiness(self) -> str:
        """The verbose answer of ``/readyz``, ready or not."""
        connection = HTTPConnection(self.addresses["admin"], timeout=10)
        with closing(connection):
            connection.request("GET", "/readyz?verbose")
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == (200 if text.endswith("\nready\n") else 503), text
        return text

    def is_ready(self) -> bool:
        return self.readiness().endswith("\nready\n")

    def count(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        samples = [line for line in self.get("/metrics").splitlines() if line.startswith(name)]
        return sum(
            sample.value
            for family in text_string_to_metric_families("\n".join(samples))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def counts(self, number: float, name: str, **labels: str) -> None:
        """Wait until a metric is *number*: workers tell what they count a moment after a client has heard."""
        self.wait_until(lambda: self.count(name, **labels) == number, f"{number:g} of {name}{labels or ''}")

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in self.all_lines() if line.get("event") == event]

    def all_lines(self) -> list[dict[str, Any]]:
        """Return the log lines of JSON: each is read once, and when all of it is there."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            whole = log.read().rpartition(b"\n")[0]
        if whole:
            self._read += len(whole) + 1
            self._lines += [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        return [*self._lines]

    def wait_for(self, event: str, *, after: int = 0) -> dict[str, Any]:
        """Return the first line of *event* after so many others of it."""
        lines: list[dict[str, Any]] = self.wait_until(lambda: self.lines(event)[after:], event)
        return lines[0]

    def wait_for_messages(self, number: int) -> list[dict[str, Any]]:
        """Return the lines ``message`` once there are so many."""
        self.wait_until(lambda: len(self.lines("message")) >= number, f"{number} messages")
        return self.lines("message")

    def reload(self) -> dict[str, Any]:
        """Send SIGHUP and return the line that answers it."""
        before = len(self._answers_to_reload())
        self.process.send_signal(signal.SIGHUP)
        answers: list[dict[str, Any]] = self.wait_until(lambda: self._answers_to_reload()[before:], "answer to SIGHUP")
        return answers[0]

    def _answers_to_reload(self) -> list[dict[str, Any]]:
        return [line for line in self.all_lines() if line["event"] in ("relay.reloaded", "relay.reload-refused")]


@dataclass(frozen=True)
class EmbeddedSes:
    """The embedded SES, wherever it runs."""

    url: str

    def messages(self) -> list[dict[str, Any]]:
        """What arrived, each with ``raw`` in octets."""
        found: list[dict[str, Any]] = json.loads(http("GET", f"{self.url}/_local/messages"))
        return [{**each, "raw": base64.b64decode(each["raw_base64"])} for each in found]

    def forget(self) -> None:
        """Forget messages, their events and faults, once the second judge has agreed to what was sent."""
        self.second_judge_agrees()
        http("DELETE", f"{self.url}/_local/messages")
        http("DELETE", f"{self.url}/_local/events")
        self.forget_faults()

    def second_judge_agrees(self) -> int:
        """Put what policies were asked to a judge of others; return how many questions there were."""
        judged: list[dict[str, Any]] = json.loads(http("GET", f"{self.url}/_local/judged"))
        assert contradictions(judged) == []
        http("DELETE", f"{self.url}/_local/judged")
        return len(judged)

    def forget_faults(self) -> None:
        """Answer from now on as SES does."""
        http("DELETE", f"{self.url}/_local/faults")

    def faults_left(self) -> str:
        """Return how many faults are still to happen, by operation, as JSON."""
        return http("GET", f"{self.url}/_local/faults")

    def suffer(self, *faults: dict[str, Any], operation: str = "SendRawEmail") -> None:
        http("PUT", f"{self.url}/_local/faults", json.dumps({operation: faults}).encode())


def http(method: str, url: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(url, body, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def clean_environ(more: dict[str, str] | None = None) -> dict[str, str]:
    """
    This process's environment without what would configure a relay; the relay's key at the embedded SES.

    What is installed is compiled once, and so it is here: without, half of each start would be compiling.
    """
    others = ("AWS_", "SES_RELAY", "PYTHONDONTWRITEBYTECODE")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(others)}
    workers = {"SES_RELAY__SERVER__WORKERS": os.environ.get("TEST_WORKERS", "")}
    return {key: value for key, value in (clean | RELAY_KEY | workers | (more or {})).items() if value}


def command(
    *arguments: str, stdin: bytes = b"", cwd: Path | None = None, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run ``ses-relay ARGUMENTS`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "relay", *arguments],
        input=stdin,
        capture_output=True,
        env=clean_environ(environ),
        cwd=cwd,
        timeout=50,
        check=False,
    )


def spawn(
    arguments: Sequence[str],
    log: Path,
    environ: dict[str, str] | None = None,
    *,
    program: Sequence[str] = ("-m", "relay"),
) -> subprocess.Popen[bytes]:
    with log.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=clean_environ(environ),
            cwd=log.parent,
        )


@contextmanager
def ending(running: Running) -> Iterator[None]:
    """Run a block, then SIGTERM, and the process must leave cleanly; unless the block has ended it."""
    try:
        yield
    except BaseException:
        running.process.kill()
        running.process.wait()
        raise
    if running.process.poll() is None:
        try:
            code = running.signalled(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.process.wait()
            raise
        assert code == 0, running.text[-3000:]


@contextmanager
def started(
    arguments: list[str], directory: Path, environ: dict[str, str] | None = None, *, log: str = "relay.log"
) -> Iterator[RunningRelay]:
    """Run ``ses-relay ARGUMENTS``, a relay that logs JSON, until the block ends."""
    relay = RunningRelay(spawn(arguments, directory / log, environ), directory / log)
    with ending(relay):
        relay.addresses = relay.wait_for("relay.ready")
        yield relay


@contextmanager
def started_demo(directory: Path, *arguments: str, environ: dict[str, str] | None = None) -> Iterator[RunningRelay]:
    """Run the demo with its state in *directory*/state on free ports, until the block ends."""
    state = directory / "state"
    log = directory / "demo.log"
    free = [word for name in ("--smtp", "--admin", "--ses") for word in (name, "127.0.0.1:0")]
    demo = RunningRelay(spawn(["demo", *free, "--state", str(state), *arguments], log, environ), log)
    with ending(demo):
        demo.wait_until(lambda: re.search(r"intern +demo-intern-secret", demo.text), "greeting")
        demo.addresses = json.loads((state / "addresses.json").read_text())
        yield demo
        if demo.process.poll() is None:
            EmbeddedSes(f"http://{demo.addresses['ses']}").second_judge_agrees()


@contextmanager
def started_ses(directory: Path, *arguments: str) -> Iterator[EmbeddedSes]:
    """Run the embedded SES on its own, until the block ends."""
    log = directory / "ses.log"
    ses = Running(spawn(["local-ses", "--listen", "127.0.0.1:0", *arguments], log), log)
    with ending(ses):
        found = ses.wait_until(lambda: re.search(r"embedded SES on (http://\S+)", ses.text))
        yield EmbeddedSes(found[1])
        if ses.process.poll() is None:
            EmbeddedSes(found[1]).second_judge_agrees()
