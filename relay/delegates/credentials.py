"""What a delegate proves itself with: an argon2 hash, or a file that holds a password or its hash."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

LONGEST_SECRET: Final = 4096
_PHC: Final = re.compile(
    r"\$argon2(id|i|d)\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one check costs, and so how long it takes: argon2's variant, memory in KiB, passes, lanes and lengths."""

    variant: str = "id"
    memory: int = 19456
    passes: int = 2
    lanes: int = 1
    salt_text: int = 22
    hash_text: int = 43


#: OWASP Password Storage Cheat Sheet, Argon2id: m=19 MiB, t=2, p=1; about 20 ms.
ADVISED: Final = Cost()


@dataclass(frozen=True, slots=True, repr=False)
class PasswordHash:
    """An argon2 hash in PHC form. It has no repr: a hash is a secret."""

    text: str


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """A file whose first line is the password, or its argon2 hash."""

    path: Path


Credential: TypeAlias = PasswordHash | PasswordFile


def cost_of(hashed: str) -> Cost | None:
    """Read the cost off a hash; None when it is none."""
    match = _PHC.fullmatch(hashed)
    if match is None:
        return None
    return Cost(match[1], int(match[2]), int(match[3]), int(match[4]), len(match[5]), len(match[6]))


@dataclass(frozen=True, slots=True, repr=False)
class Held:
    """What a credential file held when it was last looked at: always a hash."""

    signature: tuple[int, int, int, int]
    text: str
    cost: Cost


class FileCredential:
    """
    A credential file, read again when it changes. Its methods block and belong into a thread.

    A password in clear is hashed at once: the check of a delegate with a file costs what any other check costs, and
    tells nobody which kind it is.
    """

    def __init__(self, path: Path, hash_password: Callable[[str], str]) -> None:
        self._path = path
        self._hash_password = hash_password
        self._held: Held | None = None

    def look(self) -> Held:
        """
        Return what the file holds now.

        Raises:
            OSError: It cannot be read.
            ValueError: It holds no password.
        """
        stat = self._path.stat()
        signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns)
        held = self._held
        if held is not None and held.signature == signature:
            return held
        with self._path.open("rb") as file:
            secret = file.read(LONGEST_SECRET).rstrip(b"\r\n")
        text = secret.decode()
        if not text:
            raise ValueError("the password file is empty")
        hashed = text if text.startswith("$argon2") else self._hash_password(text)
        cost = cost_of(hashed)
        if cost is None:
            raise ValueError("the password file begins like an argon2 hash and holds none")
        self._held = Held(signature, hashed, cost)
        return self._held
