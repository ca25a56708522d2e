"""Postfix as a null client: a queue of its own, everything forwarded to the relay under TLS and AUTH."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.honest.post import SECRET, Office
from tests.system.postfix_folder import PostfixFolder, postfix_folder

SETTINGS = """
myhostname = web01.example.com
relayhost = [{host}]:{port}
smtp_tls_security_level = verify
smtp_tls_verify_cert_match = localhost
smtp_tls_CAfile = {authority}
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{ {{ [{host}]:{port} = billing:{secret} }} }}
smtp_sasl_security_options = noanonymous
smtp_tls_note_starttls_offer = yes
"""


@dataclass(frozen=True)
class NullClient:
    """A running Postfix; ``sendmail`` is its command."""

    folder: PostfixFolder
    sendmail: str

    def submit(self, raw: bytes, mail_from: str, *recipients: str) -> None:
        """Hand a letter to its sendmail command, as cron and PHP do: lines end in LF."""
        words = (self.sendmail, "-C", str(self.folder.etc), "-i", "-f", mail_from, "--", *recipients)
        text = raw.replace(b"\r\n", b"\n")
        done = subprocess.run(words, input=text, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def log(self) -> str:
        path = self.folder.log
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
    host, port = office.relay.smtp
    with postfix_folder(office.tool("postfix"), "null-client", under="/tmp") as folder:  # not in a folder of root's own
        authority = shutil.copyfile(office.authority, folder.root / "authority.pem")
        folder.write(SETTINGS.format(authority=authority, host=host, port=port, secret=SECRET))
        folder.start()
        yield NullClient(folder, office.tool("sendmail"))
