"""
Who has been let in before: credentials that were right a short while ago, from one address.

Behind one address there may be fifty applications. When one of them, with an old password, has used up the guesses of
the address, the others go on: what was right before is checked as ever, and only what nobody knows is told to wait.
That leaves a way to guess, past the budget, at the passwords that are known here: each name has as many wrong ones of
it as a day has of guesses, at all doors together, then it waits like the others. The same wrong one again is no new
guess, at whatever door.

Kept are names of delegates and digests under a key of this process, never a password.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import field
from typing import Final

from relay.smtp.budgets import Prefix
from relay.smtp.gossip import Gossip, Guess, Tried, parted
from relay.words.values import dataclass

_DAY: Final = 86400.0
#: Names remembered, each with the address it came from; who has not come for longest is forgotten first.
_REMEMBERED: Final = 10_000
#: Right passwords of one name and address: two while they are rotated, and some.
_PROOFS: Final = 4
_DIGEST: Final = 16


@dataclass(slots=True)
class _Regular:
    """
    ``proofs``: digest of a right credential to when it was last right; ``misses``: of the different wrong ones, to what
    other doors know of each.
    """

    proofs: dict[bytes, float] = field(default_factory=dict)
    misses: dict[bytes, int] = field(default_factory=dict)
    missed_since: float = 0.0


@dataclass(slots=True)
class _Misses:
    """The different wrong passwords for one name, from one address, at other doors."""

    since: float
    marks: set[int] = field(default_factory=set)


class Regulars:
    """The credentials that were right within the last day."""

    def __init__(
        self, monotonic: Callable[[], float], key: bytes | None = None, *, gossip: Gossip | None = None
    ) -> None:
        self._monotonic = monotonic
        self._key = key or secrets.token_bytes(32)
        self._gossip = gossip or Gossip()
        self._known: OrderedDict[tuple[Prefix, str], _Regular] = OrderedDict()
        self._elsewhere: OrderedDict[tuple[Prefix, int], _Misses] = OrderedDict()

    def welcome(self, prefix: Prefix, name: str, password: str) -> None:
        """Remember a credential that was right."""
        whose = (prefix, name)
        regular = self._known.setdefault(whose, _Regular())
        self._known.move_to_end(whose)
        proof = self._digest(name, password)
        regular.proofs.pop(proof, None)
        regular.proofs[proof] = self._monotonic()
        if len(regular.proofs) > _PROOFS:
            del regular.proofs[next(iter(regular.proofs))]
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def knows(self, prefix: Prefix, name: str, password: str, *, most: int) -> bool:
        """
        Whether this very credential was right from this address within the last day.

        A no counts as a guess; after *most* different ones within a day the answer stays no until the day is over.
        """
        regular = self._known.get((prefix, name))
        if regular is None:
            return False
        now, asked = self._monotonic(), self._digest(name, password)
        if now - regular.missed_since >= _DAY:
            regular.misses, regular.missed_since = {}, now
        elsewhere = self._missed_elsewhere(prefix, name, now).difference(regular.misses.values())
        if len(regular.misses) + len(elsewhere) >= most:
            return False
        seen_at = regular.proofs.get(asked)
        if seen_at is not None and now - seen_at < _DAY:
            return True
        if asked not in regular.misses:
            miss = self._gossip.miss(name, password)
            regular.misses[asked] = parted(miss)[1]
            self._gossip.tell(Guess(prefix, miss, Tried.MISSED))
        return False

    def heard(self, guess: Guess, ago: float = 0.0) -> None:
        """Count a miss at another door, *ago* seconds before now."""
        if guess.tried is not Tried.MISSED or ago >= _DAY:
            return
        name, password = parted(guess.mark)
        whose, at = (guess.prefix, name), self._monotonic() - max(0.0, ago)
        misses = self._elsewhere.pop(whose, None)
        if misses is None or at - misses.since >= _DAY:
            misses = _Misses(at)
        misses.marks.add(password)
        self._elsewhere[whose] = misses
        if len(self._elsewhere) > _REMEMBERED:
            self._elsewhere.popitem(last=False)

    def _missed_elsewhere(self, prefix: Prefix, name: str, now: float) -> set[int]:
        misses = self._elsewhere.get((prefix, self._gossip.mark(name))) if self._elsewhere else None
        return set() if misses is None or now - misses.since >= _DAY else misses.marks

    def forget(self, prefix: Prefix, name: str, password: str) -> None:
        """Forget a credential that is right no more."""
        regular = self._known.get((prefix, name))
        if regular is not None:
            regular.proofs.pop(self._digest(name, password), None)

    def _digest(self, name: str, password: str) -> bytes:
        message = f"{len(name)}:{name}{password}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(message, digest_size=_DIGEST, key=self._key).digest()  # a third of the price of an HMAC
