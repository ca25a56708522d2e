"""Postfix from Debian in a folder of its own: it writes nowhere else."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Daemons that a Postfix may need; none of them listens to the network.
_SERVICES: Final = """
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
_SETTINGS: Final = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log/mail.log
maillog_file_prefixes = {root}
multi_instance_name = postfix-{name}
mydestination =
local_transport = error:local mail is not delivered here
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
"""
_PATIENCE: Final = 60  # seconds


@dataclass(frozen=True)
class PostfixFolder:
    """A folder of ``name`` that Postfix, the command ``program``, runs in once it is started."""

    root: Path
    name: str
    program: str

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def log(self) -> Path:
        return self.root / "log" / "mail.log"

    def write(self, settings: str, services: str = "") -> None:
        """Write its main.cf and master.cf: what every one has, and these lines."""
        (self.etc / "main.cf").write_text(_SETTINGS.format(root=self.root, name=self.name) + settings)
        (self.etc / "master.cf").write_text(_SERVICES + services)

    def start(self) -> None:
        """Start it; only root may."""
        done = self._run("start")
        assert done.returncode == 0, done.stdout + done.stderr

    def stop(self) -> None:
        """Stop it, if it runs."""
        self._run("stop")

    def _run(self, word: str) -> subprocess.CompletedProcess[bytes]:
        words = [self.program, "-c", str(self.etc), word]
        return subprocess.run(words, capture_output=True, check=False, timeout=_PATIENCE)


@contextmanager
def postfix_folder(program: str, name: str, *, under: str | None = None) -> Iterator[PostfixFolder]:
    """Make a folder, *under* where temporary ones are if not told; stop what runs there by the end, and remove it."""
    root = Path(tempfile.mkdtemp(prefix=f"postfix-{name}-", dir=under))
    root.chmod(0o755)  # its daemons are not root
    for each in ("etc", "queue", "data", "log"):
        (root / each).mkdir()
    shutil.chown(root / "data", "postfix")
    folder = PostfixFolder(root, name, program)
    try:
        yield folder
    finally:
        folder.stop()
        shutil.rmtree(root, ignore_errors=True)
