"""What requests are signed with, and the two answers of whoever keeps it. Secrets never show in ``repr``."""

import re
from dataclasses import field
from typing import Final, Protocol

from relay.words.values import dataclass

_HEADER_SAFE: Final = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An AWS access key; ``token`` is set for temporary ones (IAM User Guide, "Temporary security credentials")."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unusable:
    """
    There is no access key to sign with, or no answer. ``why`` is for the operator; it holds no secret. ``code`` is
    AWS's own where AWS said why.
    """

    why: str
    code: str = ""


def checked(key: AccessKey) -> AccessKey | Unusable:
    """A stray newline of a file or variable would end in a header, or in a signature nobody accepts."""
    if not all(_HEADER_SAFE.fullmatch(part) for part in (key.id, key.secret, key.token or "-")):
        return Unusable("the access key, secret or token is empty or holds blanks or control characters")
    return key


class KeySource(Protocol):
    """Whoever keeps an access key: the relay's own, or that of a role it assumes."""

    async def get(self) -> AccessKey | Unusable:
        """Return the key to sign with now. Waits only while none is there yet."""

    def reject(self, key: AccessKey) -> None:
        """Take note that AWS no longer accepts *key*: look for another, off the message's path."""


class FixedKey:
    """One access key for good: the demo, and tests."""

    def __init__(self, key: AccessKey) -> None:
        self._key = key

    @property
    def state(self) -> AccessKey | Unusable:
        """What is known without waiting: the key."""
        return self._key

    async def get(self) -> AccessKey | Unusable:
        """Return the key."""
        return self._key

    def reject(self, key: AccessKey) -> None:
        """Do nothing: there is no other."""
