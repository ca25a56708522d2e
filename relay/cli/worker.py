"""
``python -m relay.cli.worker DESCRIPTOR BOOKS``: one worker of a relay, started by its supervisor and by nobody else.

It hears no signals of its own: whoever stops a whole group of processes means the supervisor, which lets its workers
finish; when that dies they end by themselves.
"""

import signal
import socket
import sys

from relay.cli.frugality import run, settle
from relay.cli.private import keep_files_private
from relay.workers.worker import Worker


def main(descriptor: int, books: int) -> None:
    """Work at the ends of the wires that were inherited as these descriptors."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    keep_files_private()
    run(_work(socket.socket(fileno=descriptor), socket.socket(fileno=books)))


async def _work(end: socket.socket, books: socket.socket) -> None:
    await Worker(end, books, when_open=settle).run()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
