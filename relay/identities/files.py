"""Policy files: read whole or not at all, and parsed again only when they changed."""

import errno
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final

from relay.policy.answers import PolicyProblem
from relay.policy.document import Policy, UnreadablePolicy, parse_policy
from relay.words.values import dataclass

LONGEST_FILE: Final = 64 * 1024
#: A file this young may change again without its times telling: their tick is coarse on some file systems.
SETTLED: Final = 2.0

Signature = tuple[int, int, int, int, int]
Read = Policy | UnreadablePolicy


class Changing(Exception):
    """The file was written while it was read."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a file said, and how it looked then."""

    signature: Signature
    is_settled: bool
    digest: bytes
    policy: Read


class PolicyFiles:
    """Reads policy files, and remembers between two rounds what was read: an unchanged file costs one ``stat``."""

    def __init__(self, *, collect: bool = False) -> None:
        """With *collect*, :attr:`texts` gathers by digest every text that was parsed, until somebody empties it."""
        self.texts: dict[str, str] = {}
        self._collect = collect
        self._kept: dict[Path, _Kept] = {}
        self._seen: dict[Path, _Kept] = {}

    def start_round(self) -> None:
        """Begin to read all files; those that are not asked for until :meth:`end_round` are forgotten."""
        self._seen = {}

    def end_round(self) -> frozenset[Path]:
        """Forget files that were not asked for; return those that had been policies in the last round."""
        gone = frozenset(self._kept.keys() - self._seen.keys())
        self._kept = self._seen
        return gone

    def read(self, path: Path, name: str, now: float) -> Read:
        """Read the policy *name* from *path*; whatever is wrong with the file is a problem of the policy."""
        try:
            kept = self._read(path, name, now)
        except OSError as error:
            return unreadable(name, f"the file cannot be read: {error.strerror or type(error).__name__}")
        except Changing:
            return unreadable(name, "the file is being written")
        self._seen[path] = kept
        return kept.policy

    def _read(self, path: Path, name: str, now: float) -> _Kept:
        old = self._kept.get(path)
        if old is not None and old.is_settled and old.signature == _signature(path.stat()):
            return old
        signature, data = _contents(path)
        digest = sha256(data).digest()
        is_settled = now - signature[3] / 1e9 > SETTLED
        if old is not None and old.digest == digest:
            return _Kept(signature, is_settled, digest, old.policy)
        policy = _parse(name, data)
        if self._collect and policy.digest:
            self.texts[policy.digest] = data.decode(errors="replace")
        return _Kept(signature, is_settled, digest, policy)


def unreadable(name: str, why: str, digest: str = "") -> UnreadablePolicy:
    """Return the policy of which nothing but its name is known."""
    return UnreadablePolicy(name, digest, (PolicyProblem(name, "$", why),))


def _parse(name: str, data: bytes) -> Read:
    if len(data) > LONGEST_FILE:
        return unreadable(name, "the file is larger than 64 KiB; a policy has at most 4,096 bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return unreadable(name, f"the file is not UTF-8 at byte {error.start}", sha256(data).hexdigest())
    return parse_policy(name, text)


def _contents(path: Path) -> tuple[Signature, bytes]:
    """
    Read at most one byte more than a file may have.

    Raises:
        OSError: It cannot be read, or is no file: a pipe would make the reader wait for ever.
        Changing: It changed meanwhile.
    """
    door = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(door, "rb") as file:
        before = os.fstat(door)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        data = file.read(LONGEST_FILE + 1)
        if _signature(os.fstat(door)) != _signature(before):
            raise Changing
    return _signature(before), data


def _signature(found: os.stat_result) -> Signature:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
