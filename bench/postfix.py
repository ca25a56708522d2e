"""Postfix from Debian: takes mail into its queue, syncs it, and relays it to a sink of its own, in clear."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.machine import MEASURED, REST, on, wait_until
from bench.ses import wait_for_port
from tests.ports import free_port
from tests.system.postfix_folder import postfix_folder

_SERVICES: Final = "127.0.0.1:{port} inet n - n - - smtpd\n"
_SETTINGS: Final = """
myhostname = bench.example.com
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
relayhost = [127.0.0.1]:{sink}
message_size_limit = 67108864
smtp_tls_security_level = none
default_destination_concurrency_limit = 50
"""


@dataclass(frozen=True)
class Postfix:
    """A running Postfix; ``pid`` is of its master, whose children are all others."""

    pid: int
    port: int
    queue: Path

    def wait_until_empty(self) -> None:
        """Wait until all that was taken has left."""
        wait_until(lambda: not any(self._files()), "Postfix to send what it has")

    def _files(self) -> Iterator[Path]:
        for name in ("incoming", "active", "deferred"):
            yield from (file for file in (self.queue / name).rglob("*") if file.is_file())


def is_possible() -> bool:
    """Whether there is one, and we may start it: only root may."""
    return os.geteuid() == 0 and _found("postfix") is not None and _found("smtp-sink") is not None


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def postfix() -> Iterator[Postfix]:
    """Run it in a folder of its own, with its queue on the disk where the spools are."""
    port, sink = free_port(), free_port()
    with _sink(sink), postfix_folder(str(_found("postfix")), "bench") as folder:
        folder.write(_SETTINGS.format(sink=sink), _SERVICES.format(port=port))
        with on(MEASURED):
            folder.start()
        wait_for_port(port, None, folder.log)
        queue = folder.root / "queue"
        yield Postfix(int((queue / "pid" / "master.pid").read_text()), port, queue)


@contextmanager
def _sink(port: int) -> Iterator[None]:
    with on(REST):
        sink = subprocess.Popen([str(_found("smtp-sink")), "-u", "nobody", f"127.0.0.1:{port}", "500"])
    try:
        wait_for_port(port, sink, Path(os.devnull))  # it says what it has to say here
        yield
    finally:
        sink.kill()
        sink.wait()
