"""Ports that nobody has, for programs that must be told theirs."""

import os
import socket
from collections.abc import Iterable
from random import SystemRandom

#: Below those that Linux gives to outgoing connections: no stranger takes one between the search and its use. And a
#: member of a Redis cluster listens 10,000 above its port, too.
PORTS = range(12_000, 32_768)
#: This process's own among them: of several that run tests side by side, no two find the same port free.
_MINE = PORTS[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 16 :: 16]
_GIVEN = set[int]()


def free_port(at: Iterable[str] = ("127.0.0.1",)) -> int:
    """Return a port that is free for UDP and TCP at all of these addresses, and that nobody was given before."""
    addresses = tuple(at)
    left = [port for port in _MINE if port not in _GIVEN]
    for port in SystemRandom().sample(left, 100):
        if all(is_free(address, port) for address in addresses):
            _GIVEN.add(port)
            return port
    raise OSError(f"no port of a hundred is free at {addresses}")


def is_free(address: str, port: int) -> bool:
    """Whether nobody has this port at *address*, for UDP nor TCP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family, kind) as tried:
            try:
                tried.bind((address, port))
            except OSError:
                return False
    return True
