"""What requests are signed with, and the two answers of whoever keeps it. Secrets never show in ``repr``."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An AWS access key; ``token`` is set for temporary ones (IAM User Guide, "Temporary security credentials")."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unusable:
    """There is no access key to sign with. ``why`` is for the operator; it holds no secret."""

    why: str


class KeySource(Protocol):
    """Whoever keeps the relay's own access key."""

    async def get(self) -> AccessKey | Unusable:
        """Return the key to sign with now. Waits only while none is there yet."""

    def reject(self, key: AccessKey) -> None:
        """Take note that AWS no longer accepts *key*: look for another, off the message's path."""


class FixedKey:
    """One access key for good: the demo, and tests."""

    def __init__(self, key: AccessKey) -> None:
        self._key = key

    async def get(self) -> AccessKey | Unusable:
        """Return the key."""
        return self._key

    def reject(self, key: AccessKey) -> None:
        """Do nothing: there is no other."""
