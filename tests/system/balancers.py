"""Real balancers in front of a relay: haproxy with both versions of its protocol, and stunnel, which ends TLS."""

import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port
from tests.system.relays import Running

LISTENERS = """
[[listener]]
address = "127.0.0.1:0"
tls = "off"
allow_plaintext_auth = true
proxy_protocol_from = ["127.0.0.1"]

[[listener]]
address = "127.0.0.1:0"
tls = "starttls"
proxy_protocol_from = ["127.0.0.1"]

[[listener]]
address = "127.0.0.1:0"
tls = "implicit"
proxy_protocol_from = ["127.0.0.1"]

[tls]
"""
KINDS = ("plain", "starttls", "implicit")
#: How haproxy is told to speak. Its health check begins with a header too: UNKNOWN in version 1, LOCAL in version 2.
VERSIONS = {
    "v1": "send-proxy",
    "v2": "send-proxy-v2",
    "v2-more": "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority",
}
_DEFAULTS = """
global
    log stdout format raw local0
defaults
    mode tcp
    timeout connect 5s
    timeout check 30s
    timeout client 60s
    timeout server 60s
"""


@dataclass(frozen=True)
class Balancer:
    """A running haproxy: the address of each way in, by version and kind of listener."""

    running: Running
    addresses: dict[tuple[str, str], tuple[str, int]]


@contextmanager
def haproxy(program: str, folder: Path, listeners: Sequence[str]) -> Iterator[Balancer]:
    """Run haproxy before the *listeners* (plain, STARTTLS, implicit) until the block ends."""
    settings, addresses = [_DEFAULTS], {}
    with ExitStack() as opened:
        for version, options in VERSIONS.items():
            for kind, address in zip(KINDS, listeners, strict=True):
                bound = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
                addresses[version, kind] = bound.getsockname()
                settings.append(_way_in(f"{version}-{kind}", bound.fileno(), address, options, checks=kind == "plain"))
        path = folder / "haproxy.cfg"
        path.write_text("".join(settings))
        fds = [int(fd) for fd in re.findall(r"fd@(\d+)", path.read_text())]
        with _running([program, "-db", "-f", str(path)], folder / "haproxy.log", fds) as running:
            yield Balancer(running, addresses)


def _way_in(name: str, fd: int, address: str, options: str, *, checks: bool) -> str:
    check = " check check-send-proxy inter 100ms fall 1" if checks else ""
    option = "    option smtpchk EHLO balancer.test\n" if checks else ""
    return f"""
listen {name}
    bind fd@{fd}
    unique-id-format %ci-%cp
{option}    server relay {address} {options}{check}
"""


@contextmanager
def stunnel(program: str, folder: Path, listener: str, certificate: tuple[Path, Path]) -> Iterator[tuple[str, int]]:
    """Run stunnel until the block ends: it ends TLS and says in version 1 whom it brings. Yields its address."""
    host, port = "127.0.0.1", free_port()
    path, log = folder / "stunnel.conf", folder / "stunnel.log"
    path.write_text(f"""
foreground = yes
syslog = no
debug = info
pid =
[smtps]
accept = {host}:{port}
connect = {listener}
protocol = proxy
cert = {certificate[0]}
key = {certificate[1]}
""")
    with _running([program, str(path)], log, ()) as running:
        running.wait_until(lambda: "Configuration successful" in running.text, "stunnel")
        yield host, port


@contextmanager
def _running(arguments: list[str], log: Path, fds: Sequence[int]) -> Iterator[Running]:
    with log.open("wb") as sink:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, pass_fds=fds
        )
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait()
