"""Listening sockets that a supervisor opened for this process, and keeps while it is restarted: sd_listen_fds(3)."""

import socket
from collections.abc import MutableMapping, Sequence
from typing import Final

from relay.smtp.listeners import ListenerProblem

#: The first file descriptor that is handed over.
FIRST: Final = 3
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})


class Held:
    """Sockets that listen already, each to be taken once by the listener of its address."""

    def __init__(self, sockets: Sequence[socket.socket] = ()) -> None:
        """
        Raises:
            ListenerProblem: One is not a socket that listens on TCP.
        """
        self._free = list(sockets)
        for each in self._free:
            if each.family not in _FAMILIES or not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise ListenerProblem("a socket that was handed over (LISTEN_FDS) does not listen on TCP")
            each.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            each.set_inheritable(False)

    def __bool__(self) -> bool:
        return bool(self._free)

    def take(self, family: int, host: str, port: int) -> socket.socket | None:
        """Return the socket of an address; None if it is not there."""
        for each in self._free:
            if each.family == family and each.getsockname()[:2] == (host, port):
                self._free.remove(each)
                return each
        return None

    def left(self) -> list[str]:
        """Name the addresses that nobody took: clients would wait there for good."""
        return ["{}:{}".format(*each.getsockname()[:2]) for each in self._free]


def handed_over(environ: MutableMapping[str, str], pid: int, *, first: int = FIRST) -> Held:
    """
    Take over what is meant for this process, and for no child of it: the variables go.

    Raises:
        ListenerProblem: What is said is no number, or what is there no listening socket.
    """
    named, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if named != str(pid):
        return Held()
    try:
        return Held([socket.socket(fileno=number) for number in range(first, first + int(count))])
    except (ValueError, OSError) as problem:
        if isinstance(problem, ListenerProblem):
            raise
        raise ListenerProblem(f"LISTEN_FDS={count[:20]}: {problem}") from None
