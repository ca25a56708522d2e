"""Ports that nobody has, for programs that must be told theirs."""

import socket
from collections.abc import Iterable
from random import SystemRandom

#: Below those that Linux gives to outgoing connections: no stranger takes one between the search and its use. And a
#: member of a Redis cluster listens 10,000 above its port, too.
PORTS = range(12_000, 32_768)


def free_port(at: Iterable[str] = ("127.0.0.1",)) -> int:
    """Return a port that is free for UDP and TCP at all of these addresses."""
    addresses = tuple(at)
    for port in SystemRandom().sample(PORTS, 100):
        if all(is_free(address, port) for address in addresses):
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
