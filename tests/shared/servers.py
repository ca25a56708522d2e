"""A real redis-server on a Unix socket (and a free port where asked), which tests may kill, pause and start again."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO

from tests.ports import free_port

START_SECONDS = 20.0


class RedisServer:
    """
    One server in a directory of its own.

    ``options``: of redis.conf, such as ``{"appendonly": "yes", "appendfsync": "always"}``. ``port``: 0 for the socket
    only, None for a free one. ``wrapper``: what its command runs behind.
    """

    def __init__(
        self,
        program: str,
        options: Mapping[str, str] | None = None,
        *,
        port: int | None = 0,
        wrapper: Sequence[str] = (),
    ) -> None:
        self._command = (*wrapper, program)
        # Its own directory: the path of a Unix socket has 107 octets at most, and pytest's are long.
        self.directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.socket = self.directory / "redis.sock"
        self.port = free_port() if port is None else port
        self.options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL on the Unix socket."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> "RedisServer":
        """Start, and come back when it answers."""
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "dir": str(self.directory),
            "save": '""',
            "appendonly": "no",
            "daemonize": "no",
            **self.options,
        }
        options = {key: value.replace("{port}", str(self.port)) for key, value in options.items()}
        lines = (f"{key} {value}\n" for key, value in options.items())
        (self.directory / "redis.conf").write_text("".join(lines))
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, str(self.directory / "redis.conf")], stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + START_SECONDS
        while not self.is_answering():
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.01)
        return self

    def is_answering(self) -> bool:
        """Whether it answers on its socket, and has read what it keeps."""
        try:
            return self.ask("PING") in (b"+PONG", b"-NOAUTH Authentication required.")
        except OSError:
            return False

    def ask(self, *parts: str) -> bytes:
        """Send one command past the code under test; answers the first line, with its sign."""
        with self._asked(parts) as answer:
            return answer.readline().rstrip()

    def tell(self, *parts: str) -> str:
        """Send one command whose answer is a text, and return it whole."""
        with self._asked(parts) as answer:
            return answer.read(int(answer.readline()[1:])).decode()

    @contextmanager
    def _asked(self, parts: Sequence[str]) -> Iterator[BinaryIO]:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(5)
            wire.connect(str(self.socket))
            sent = b"".join(b"$%d\r\n%b\r\n" % (len(part.encode()), part.encode()) for part in parts)
            wire.sendall(b"*%d\r\n%b" % (len(parts), sent))
            with wire.makefile("rb") as answer:
                yield answer

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.socket.unlink(missing_ok=True)

    def pause(self) -> None:
        """Stop it where it is: connections stay, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove its directory."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        rmtree(self.directory, ignore_errors=True)
