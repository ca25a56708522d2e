"""Real relays: processes of their own, found by the addresses that they log."""

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 30


class Client:
    """A client that says exactly what it is told, over TLS."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, 15)
        self._file = self.socket.makefile("rb")
        self.reply()

    def start_tls(self) -> None:
        self.command("EHLO client.test")
        assert self.command("STARTTLS").startswith("220")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._file.close()
        self.socket = context.wrap_socket(self.socket)
        self._file = self.socket.makefile("rb")
        self.command("EHLO client.test")

    def log_in(self, delegate: str, secret: str) -> None:
        response = base64.b64encode(f"\0{delegate}\0{secret}".encode()).decode()
        assert self.command(f"AUTH PLAIN {response}").startswith("235")

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
                return "CLOSED"
            lines.append(line.decode().rstrip("\r\n"))
            if line[3:4] != b"-":
                return " | ".join(lines)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()


@dataclass
class RunningRelay:
    """A relay process and what it has logged so far."""

    process: subprocess.Popen[bytes]
    log: Path
    addresses: dict[str, Any] = field(default_factory=dict)

    def client(self, delegate: str, secret: str) -> Client:
        """Return a client on the first listener, under TLS, logged in."""
        client = Client(self.smtp)
        client.start_tls()
        client.log_in(delegate, secret)
        return client

    @property
    def smtp(self) -> tuple[str, int]:
        return split(self.addresses["listeners"][0])

    def get(self, path: str) -> str:
        """Ask the admin endpoint."""
        with urllib.request.urlopen(f"http://{self.addresses['admin']}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    def wait_for(self, event: str, seconds: float = START_SECONDS) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if lines := self.lines(event):
                return lines[-1]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"no {event!r}; exit code {self.process.poll()}; log:\n{self.log.read_text()[-3000:]}")


def split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@contextmanager
def started(arguments: list[str], directory: Path, environ: dict[str, str] | None = None) -> Iterator[RunningRelay]:
    """Run ``ses-relay ARGUMENTS`` until the block ends; then SIGTERM, and it must leave cleanly."""
    log = directory / "relay.log"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SES_RELAY"))}
    keys = {"AWS_ACCESS_KEY_ID": "AKIADEMORELAY0000000", "AWS_SECRET_ACCESS_KEY": "demo-relay-secret"}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "relay", *arguments],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=clean | keys | (environ or {}),
            cwd=directory,
        )
    relay = RunningRelay(process, log)
    try:
        relay.addresses = relay.wait_for("relay.ready")
        yield relay
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert code == 0, log.read_text()[-3000:]
