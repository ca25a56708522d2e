"""What a delegate proves itself with: hashes, a file that holds passwords or their hashes, a secret kept elsewhere."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from relay.words.hashes import MOST_PASSWORDS, CryptForm, crypt_form, is_argon2
from relay.words.values import dataclass

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


#: What checking one password against one hash costs.
AnyCost: TypeAlias = Cost | CryptForm

#: OWASP Password Storage Cheat Sheet, Argon2id: m=19 MiB, t=2, p=1; about 20 ms.
ADVISED: Final = Cost()


@dataclass(frozen=True, slots=True, repr=False)
class PasswordHash:
    """An argon2 hash in PHC form. It has no repr: a hash is a secret."""

    text: str


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """A file whose lines are passwords, or their argon2 hashes."""

    path: Path


@dataclass(frozen=True, slots=True)
class PasswordSecret:
    """A secret in AWS Secrets Manager, by its name or ARN."""

    id: str


Credential: TypeAlias = PasswordHash | PasswordFile | PasswordSecret


def cost_of(hashed: str) -> Cost | None:
    """Read the cost off an argon2 hash; None when it is none."""
    match = _PHC.fullmatch(hashed)
    if match is None:
        return None
    return Cost(match[1], int(match[2]), int(match[3]), int(match[4]), len(match[5]), len(match[6]))


def price_of(hashed: str) -> AnyCost | None:
    """Read the cost off a hash of any form that is taken; None when it is none."""
    return cost_of(hashed) or crypt_form(hashed)


@dataclass(frozen=True, slots=True, repr=False)
class Held:
    """What a credential file held when it was last looked at: always hashes."""

    signature: tuple[int, int, int, int]
    hashes: tuple[str, ...]


class FileCredential:
    """
    A credential file, read again when it changes. Its methods block and belong into a thread.

    A password in clear is hashed at once: the check of a delegate with a file costs what any other check costs, and
    tells nobody which kind it is. Several lines are several passwords, right at the same time.
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
            ValueError: It holds no password, or too many.
        """
        signature = signature_of(self._path)
        held = self._held
        if held is not None and held.signature == signature:
            return held
        with self._path.open("rb") as file:
            text = file.read(LONGEST_SECRET).decode()
        lines = [line.rstrip("\r") for line in text.split("\n") if line.rstrip("\r")]
        if not 1 <= len(lines) <= MOST_PASSWORDS:
            raise ValueError(f"the password file has {len(lines)} lines; 1 to {MOST_PASSWORDS} are taken")
        self._held = Held(signature, tuple(self._hashed(line) for line in lines))
        return self._held

    def _hashed(self, line: str) -> str:
        if not line.startswith("$argon2"):
            return self._hash_password(line)
        if not is_argon2(line):
            raise ValueError("the password file has a line that begins like an argon2 hash and is none")
        return line


def signature_of(path: Path) -> tuple[int, int, int, int]:
    """
    Return what changes when a file changes.

    Raises:
        OSError: It is not there.
    """
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns
