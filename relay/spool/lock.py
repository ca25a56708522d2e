"""One process has a spool: an advisory lock beside it, which the kernel takes back however that process ends."""

import fcntl
import os
import socket
from pathlib import Path

from relay.spool.problems import SpoolProblem


class SpoolLock:
    """The lock, held from construction to ``release``."""

    def __init__(self, path: Path) -> None:
        """
        Take the lock in the file *path*, which is made when it is not there and stays.

        Raises:
            SpoolProblem: Another process holds it.
            OSError: The file cannot be opened.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 200, 0).decode("ascii", "replace").strip() or "another process"
            os.close(self._file)
            if not isinstance(error, BlockingIOError):
                raise
            spool = path.name.removesuffix(".lock")
            raise SpoolProblem(
                f"{path.with_name(spool)} is in use by {holder}: one relay has one spool; stop it, or name another path"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode("ascii", "replace"), 0)

    def release(self) -> None:
        """Let the next process have the spool."""
        os.close(self._file)
