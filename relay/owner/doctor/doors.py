"""The relay's own doors: what answers at the admin address, and whether the listeners' addresses are to be had."""

import errno
import http.client
import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Final

from relay.console.door import SERVER
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.owner.doctor.setup import Listening
from relay.words.values import dataclass

#: Seconds to wait for a word.
PATIENCE: Final = 3.0
_MOST_OCTETS: Final = 64 * 1024
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - nothing is bound there


@dataclass(frozen=True, slots=True)
class Answer:
    """What the admin address says. ``status`` None: nobody answers; ``is_ours``: a relay does."""

    status: int | None
    is_ours: bool = False
    lines: tuple[str, ...] = ()


def look_at_admin(host: str, port: int) -> Look:
    """Look at what answers at the admin address."""
    return Look(("admin",), lambda: _admin(host, port))


def _admin(host: str, port: int) -> Iterator[Finding]:
    answer = ask(host, port)
    where = f"{host}:{port}"
    if answer.status is None:
        yield not_checked(
            "admin", f"nobody answers at {where}: the relay does not run", fix="ses-relay serve -c relay.toml"
        )
        return
    if not answer.is_ours:
        yield failing("admin", f"another program answers at {where}", "Stop it, or choose another admin.address.")
        return
    wrong = [line.removeprefix("not ok ") for line in answer.lines if line.startswith("not ok ")]
    notes = [line.removeprefix("ok ") for line in answer.lines if re.match(r"ok [\w-]+: ", line)]
    if answer.status == 200 and not wrong:
        yield ok("admin", f"the relay at {where} is ready")
    elif not wrong:
        yield failing("admin", f"the relay at {where} is not ready: it answers {answer.status}", "")
    yield from (failing("admin", f"the relay at {where} is not ready: {line}", "") for line in wrong)
    yield from (warning("admin", f"the relay at {where} says: {line}", "Its log tells more.") for line in notes)


def ask(host: str, port: int) -> Answer:
    """Ask ``/readyz?verbose``."""
    connection = http.client.HTTPConnection(_WILDCARDS.get(host, host), port, timeout=PATIENCE)
    with closing(connection):
        try:
            connection.request("GET", "/readyz?verbose", headers={"Connection": "close"})
            answer = connection.getresponse()
            lines = answer.read(_MOST_OCTETS).decode("utf-8", "replace").splitlines()
        except http.client.HTTPException:
            return Answer(0)
        except OSError as error:
            return Answer(None if isinstance(error, ConnectionRefusedError) else 0)
        return Answer(answer.status, answer.getheader("Server") == SERVER, tuple(lines))


def look_at_listener(listening: Listening, hostname: str, admin: tuple[str, int]) -> Look:
    """Look at whether an address is free, or the running relay's, which greets as *hostname*."""
    return Look(("listener",), lambda: [_listener(listening, hostname, admin)], listening.address)


def _listener(listening: Listening, hostname: str, admin: tuple[str, int]) -> Finding:
    about = listening.address
    problem = _trouble_binding(listening)
    if problem is None:
        return ok("listener", "it is free: the relay does not run", about)
    if problem.errno == errno.EADDRINUSE:
        if ask(*admin).is_ours and _may_be_ours(listening, hostname):
            return ok("listener", "the running relay has it", about)
        return failing("listener", "another program has it", f"ss -ltnp 'sport = :{listening.port}' names it.", about)
    if problem.errno == errno.EACCES:
        fix = "Give the relay CAP_NET_BIND_SERVICE (AmbientCapabilities= of systemd), or a port from 1024 on."
        return failing("listener", f"ports below 1024 are not for user {os.geteuid()}", fix, about)
    fix = "Listen on an address of this machine (`ip address` lists them), or on 0.0.0.0."
    return failing("listener", f"it cannot be had: {problem.strerror}", fix, about)


def _trouble_binding(listening: Listening) -> OSError | None:
    """Bind as the relay would, without listening, and let go."""
    try:
        places = socket.getaddrinfo(
            listening.host or None, listening.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, address in places:
            with socket.socket(family, kind, protocol) as door:
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                door.bind(address)
    except OSError as error:
        return error
    return None


def _may_be_ours(listening: Listening, hostname: str) -> bool:
    """Whether what listens greets as we do, where it greets at all before TLS or a balancer's word."""
    if listening.tls == "implicit" or listening.is_proxied:
        return True
    host = _WILDCARDS.get(listening.host, listening.host)
    with suppress(OSError), socket.create_connection((host, listening.port), timeout=PATIENCE) as client:
        return client.recv(1024).startswith(f"220 {hostname} ".encode())
    return False
