"""
What doors of one relay or one fleet tell each other of passwords that were tried: more doors are not more guesses.

Each door judges by itself and at once, by what happened at it and what it heard. No name leaves it: a mistyped one may
be a password. What leaves is a mark of the name under a key that the doors share, too short to tell one name of
thousands from the others, and long enough that one client's names do not meet by chance. Of a password leaves less:
enough to tell a few dozen wrong ones of a name apart.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from relay.words.values import dataclass

_KEY_OCTETS: Final = 32
_MARK_OCTETS: Final = 3
#: What the mark of a miss has of the password, behind the mark of the name.
_MISS_BITS: Final = 12
#: Every mark is below.
MARKS: Final = 1 << 8 * _MARK_OCTETS + _MISS_BITS


class Tried(StrEnum):
    """
    How an attempt ended.

    ``PERHAPS_WRONG`` counts in the minute and not in the day. ``RIGHT`` gives back what its name had used up.
    ``MISSED`` is a wrong password for one that was let in before (:mod:`relay.smtp.regulars`), past the budget: its
    mark is that of :meth:`Gossip.miss`.
    """

    WRONG = "wrong"
    PERHAPS_WRONG = "perhaps-wrong"
    RIGHT = "right"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Guess:
    """One attempt. ``prefix``: of the client, as :func:`relay.smtp.budgets.prefix_of` tells; ``mark``: of the name."""

    prefix: tuple[int, int]
    mark: int
    tried: Tried


class Gossip:
    """
    The key of the marks, and who is told.

    ``tell`` is called in the door's event loop for each guess that counts at it, never for one that it heard. A ``key``
    put in later takes the place of the door's own; what was counted before is then given back to nobody.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self.key = key or secrets.token_bytes(_KEY_OCTETS)
        self.tell: Callable[[Guess], None] = _nobody

    def mark(self, name: str) -> int:
        """Return the mark of a name."""
        return int.from_bytes(self._digest(name)[:_MARK_OCTETS])

    def miss(self, name: str, password: str) -> int:
        """Return the mark of a wrong password for a name; :func:`parted` takes it apart."""
        of_both = int.from_bytes(self._digest(f"{len(name)}:{name}{password}")[:_MARK_OCTETS])
        return self.mark(name) << _MISS_BITS | of_both % (1 << _MISS_BITS)

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)


def parted(miss: int) -> tuple[int, int]:
    """Return the mark of the name, and what tells the passwords of one name apart."""
    return divmod(miss, 1 << _MISS_BITS)


def _nobody(guess: Guess) -> None:
    """Nobody else is there."""
