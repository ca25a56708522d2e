"""
A bystander in a process of its own: sends honest mail, greets, and looks at the relay's memory, until its input ends.

``python -m tests.attacks.watch HOST:PORT PID USER PASSWORD`` prints what it saw as one JSON object. That the greeting
comes is up to the relay's event loop: how long it takes bounds the loop's lag from above, whatever else a shared
machine does.
"""

import base64
import json
import select
import socket
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

GREETING_EVERY: Final = 0.02
MAIL_EVERY: Final = 0.25
#: Where the bystander comes from: greetings and mail.
GREETS_FROM, MAILS_FROM = "127.7.7.7", "127.7.7.8"
LETTER: Final = (
    "From: app2@example.com\r\nTo: bob@rcpt.example\r\nSubject: honest {number}\r\n"
    "X-SES-SOURCE-ARN: arn:aws:ses:us-east-1:111122223333:identity/example.com\r\n\r\nHello.\r\n.\r\n"
)


def rss_mib(pid: int, line: str = "VmRSS") -> float:
    """Resident memory of a process now, or at its peak (``VmHWM``), in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) / 1024


@dataclass
class Seen:
    """What the bystander saw; seconds and MiB."""

    greetings: list[float] = field(default_factory=list)
    mails: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    rss_before: float = 0
    rss_peak: float = 0


class Correspondent:
    """Keeps one connection open and sends mail on it."""

    def __init__(self, address: tuple[str, int], user: str, password: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._socket = socket.create_connection(address, 30, source_address=(MAILS_FROM, 0))
        self._reply()
        self._say("EHLO honest.test", "STARTTLS")
        self._socket = context.wrap_socket(self._socket)
        self._say("EHLO honest.test")
        answer = self._say("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())
        if not answer.startswith("235"):
            raise RuntimeError(answer)

    def sends(self, number: int) -> str:
        """Send one message; the reply to it, or the first refusal."""
        for line in ("MAIL FROM:<app2@example.com>", "RCPT TO:<bob@rcpt.example>", "DATA"):
            answer = self._say(line)
            if answer[0] not in "23":
                return answer
        self._socket.sendall(LETTER.format(number=number).encode())
        return self._reply()

    def _say(self, *lines: str) -> str:
        answer = ""
        for line in lines:
            self._socket.sendall(f"{line}\r\n".encode())
            answer = self._reply()
        return answer

    def _reply(self) -> str:
        data = b""
        while not data.endswith(b"\r\n") or data.splitlines()[-1][3:4] == b"-":
            more = self._socket.recv(4096)
            if not more:
                return "CLOSED " + data.decode()
            data += more
        return data.decode().strip()


def greet(address: tuple[str, int]) -> float:
    """Seconds until a new client hears its greeting, or that there are too many."""
    since = time.perf_counter()
    with suppress(OSError), socket.create_connection(address, 30, source_address=(GREETS_FROM, 0)) as client:
        client.recv(256)
        took = time.perf_counter() - since
        client.sendall(b"QUIT\r\n")
        client.recv(256)
        return took
    return time.perf_counter() - since


def watch(address: tuple[str, int], pid: int, user: str, password: str) -> Seen:
    """Look on until standard input ends."""
    seen = Seen(rss_before=rss_mib(pid))
    correspondent = Correspondent(address, user, password)
    tell("watching")
    next_mail = time.perf_counter()
    while not select.select([sys.stdin], [], [], GREETING_EVERY)[0]:
        seen.greetings.append(greet(address))
        seen.rss_peak = max(seen.rss_peak, rss_mib(pid))
        if time.perf_counter() >= next_mail:
            since = time.perf_counter()
            answer = correspondent.sends(len(seen.mails))
            seen.mails.append(time.perf_counter() - since)
            if not answer.startswith("250"):
                seen.refused.append(answer)
            next_mail = time.perf_counter() + MAIL_EVERY
    return seen


def tell(line: str) -> None:
    """Say it now: somebody waits for it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":")
    tell(json.dumps(vars(watch((host, int(port)), int(sys.argv[2]), sys.argv[3], sys.argv[4]))))
