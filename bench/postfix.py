"""Postfix from Debian: takes mail into its queue, syncs it, and relays it to a sink of its own, in clear."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.machine import MEASURED, REST, on, wait_until
from bench.ses import wait_for_port
from tests.ports import free_port

_MASTER: Final = """
127.0.0.1:{port} inet n - n - - smtpd
postlog   unix-dgram n - n - 1 postlogd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
"""
_MAIN: Final = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log/mail.log
maillog_file_prefixes = {root}
multi_instance_name = postfix-bench
myhostname = bench.example.com
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
local_transport = error:local mail is not delivered here
inet_interfaces = loopback-only
inet_protocols = ipv4
relayhost = [127.0.0.1]:{sink}
message_size_limit = 67108864
smtp_tls_security_level = none
default_destination_concurrency_limit = 50
alias_maps =
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
    root = Path(tempfile.mkdtemp(prefix="bench-postfix-"))
    root.chmod(0o755)  # its daemons are not root
    port, sink = free_port(), free_port()
    for name in ("etc", "queue", "data", "log"):
        (root / name).mkdir()
    shutil.chown(root / "data", "postfix")
    (root / "etc" / "main.cf").write_text(_MAIN.format(root=root, sink=sink))
    (root / "etc" / "master.cf").write_text(_MASTER.format(port=port))
    control = [str(_found("postfix")), "-c", str(root / "etc")]
    with on(REST):
        far = subprocess.Popen([str(_found("smtp-sink")), "-u", "nobody", f"127.0.0.1:{sink}", "500"])
    try:
        wait_for_port(sink, far, root / "log" / "mail.log")
        with on(MEASURED):
            subprocess.run([*control, "start"], capture_output=True, check=True, timeout=60)
        wait_for_port(port, None, root / "log" / "mail.log")
        yield Postfix(int((root / "queue" / "pid" / "master.pid").read_text()), port, root / "queue")
    finally:
        subprocess.run([*control, "stop"], capture_output=True, check=False, timeout=60)
        far.kill()
        far.wait()
        shutil.rmtree(root, ignore_errors=True)
