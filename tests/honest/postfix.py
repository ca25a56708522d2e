"""Postfix as a null client: a queue of its own, everything forwarded to the relay under TLS and AUTH."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.honest.post import SECRET, Office

MASTER = """
postlog   unix-dgram n - n - 1 postlogd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
"""
MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log/mail.log
maillog_file_prefixes = {root}
multi_instance_name = postfix-null-client
myhostname = web01.example.com
mydestination =
local_transport = error:local mail is not delivered here
inet_interfaces = loopback-only
inet_protocols = ipv4
relayhost = [{host}]:{port}
smtp_tls_security_level = verify
smtp_tls_verify_cert_match = localhost
smtp_tls_CAfile = {root}/authority.pem
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{ {{ [{host}]:{port} = billing:{secret} }} }}
smtp_sasl_security_options = noanonymous
smtp_tls_note_starttls_offer = yes
alias_maps =
"""


@dataclass(frozen=True)
class NullClient:
    """A running Postfix."""

    root: Path
    run: Callable[..., bytes]

    def submit(self, raw: bytes, mail_from: str, *recipients: str) -> None:
        """Hand a letter to its sendmail command, as cron and PHP do: lines end in LF."""
        words = ("sendmail", "-C", str(self.root / "etc"), "-i", "-f", mail_from, "--", *recipients)
        self.run(*words, stdin=raw.replace(b"\r\n", b"\n"))

    @property
    def log(self) -> str:
        path = self.root / "log" / "mail.log"
        return path.read_text() if path.exists() else ""

    def wait_for(self, words: str) -> str:
        """Return the log once *words* are in it."""
        deadline = time.monotonic() + 20
        while words not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
        return self.log


@contextmanager
def null_client(office: Office) -> Iterator[NullClient]:
    """Start Postfix in a folder of its own, for the time of the block. It wants to be root."""
    if os.geteuid() != 0:
        pytest.skip("Postfix starts as root only")
    postfix = office.tool("postfix")
    root = Path(tempfile.mkdtemp(prefix="null-client-", dir="/tmp"))  # its daemons are others: no folder of root's own
    root.chmod(0o755)

    def run(*words: str, stdin: bytes = b"") -> bytes:
        words = (office.tool(words[0]), *words[1:])
        done = subprocess.run(words, input=stdin, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for name in ("etc", "queue", "data", "log"):
        (root / name).mkdir()
    shutil.chown(root / "data", "postfix")
    shutil.copyfile(office.authority, root / "authority.pem")
    host, port = office.relay.smtp
    (root / "etc" / "main.cf").write_text(MAIN.format(root=root, host=host, port=port, secret=SECRET))
    (root / "etc" / "master.cf").write_text(MASTER)
    try:
        run(postfix, "-c", str(root / "etc"), "start")
        yield NullClient(root, run)
    finally:
        subprocess.run([postfix, "-c", str(root / "etc"), "stop"], capture_output=True, timeout=30, check=False)
        shutil.rmtree(root, ignore_errors=True)
