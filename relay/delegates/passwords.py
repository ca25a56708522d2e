"""
Is this the password? Dear on purpose, bounded, and the same for everyone who asks in vain.

A check costs about 20 ms and 19 MiB, so two threads do it behind a queue of fixed length, and a password that was right
is remembered for a while under a keyed digest. Wrong ones are never remembered.
"""

import asyncio
import hashlib
import hmac
import secrets
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import verify_secret

from relay.delegates.credentials import ADVISED, AnyCost, Cost, cost_of
from relay.delegates.crypts import CannotCheck, decoy_crypt, verify_crypt
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass, replace

T = TypeVar("T")

LONGEST_REMEMBERED: Final = 300.0
_VARIANTS: Final = {"id": Type.ID, "i": Type.I, "d": Type.D}

#: Checks one password against one hash: (hash, password) to whether it is right. Blocks; called in a thread.
Verify: TypeAlias = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    What checking passwords may cost.

    ``waiting``: checks that may wait for a thread before others are told to come again. ``remembered_seconds``: how
    long a right password is remembered, at most five minutes; ``remembered``: how many are.
    """

    threads: int = 2
    waiting: int = 64
    remembered: int = 10_000
    remembered_seconds: float = LONGEST_REMEMBERED

    def __post_init__(self) -> None:
        if not 0 <= self.remembered_seconds <= LONGEST_REMEMBERED:
            raise ValueError("a password is remembered for five minutes at most")


def verify_hash(hashed: str, password: str) -> bool:
    """
    Check a password against a hash of any form that is taken.

    Raises:
        VerificationError, CannotCheck: It could not be checked.
    """
    return verify_argon2(hashed, password) if hashed.startswith("$argon2") else verify_crypt(hashed, password)


def verify_argon2(hashed: str, password: str) -> bool:
    """
    Check a password by argon2. The comparison takes the same time wherever they differ.

    Raises:
        VerificationError: It could not be checked: no memory, or no hash.
    """
    cost = cost_of(hashed)
    if cost is None:
        raise VerificationError("no argon2 hash")
    try:
        return verify_secret(hashed.encode(), password.encode("utf-8", "surrogatepass"), _VARIANTS[cost.variant])
    except VerifyMismatchError:
        return False


def hash_password(password: str, cost: Cost = ADVISED) -> str:
    """Hash a password at the advised cost, salted by chance."""
    hasher = PasswordHasher(
        time_cost=cost.passes, memory_cost=cost.memory, parallelism=cost.lanes, type=_VARIANTS[cost.variant]
    )
    return hasher.hash(password)


def decoy(cost: AnyCost) -> str:
    """Make a hash of this cost that no password has: what is checked for a name that nobody has."""
    if not isinstance(cost, Cost):
        return decoy_crypt(cost)
    salt, tag = _phc_base64(cost.salt_text), _phc_base64(cost.hash_text)
    return f"$argon2{cost.variant}$v=19$m={cost.memory},t={cost.passes},p={cost.lanes}${salt}${tag}"


def _phc_base64(characters: int) -> str:
    return b64encode(secrets.token_bytes(characters * 3 // 4)).decode().rstrip("=")


class Checkpoint:
    """Threads, queue and memory of the password check. Belongs to one event loop."""

    def __init__(self, bounds: Bounds, *, verify: Verify, monotonic: Callable[[], float], key: bytes) -> None:
        self._bounds = bounds
        self._verify = verify
        self._monotonic = monotonic
        self._keyed = hashlib.blake2b(digest_size=32, key=key)  # a third of the price of an HMAC
        self._threads = ThreadPoolExecutor(bounds.threads, thread_name_prefix="passwords")
        self._busy = 0
        self._running: dict[bytes, asyncio.Task[int | Unavailable | None]] = {}
        self._remembered: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    def digest(self, *parts: bytes) -> bytes:
        """Digest *parts* with this process's key: of a secret it tells nothing to who reads our memory later."""
        digest = self._keyed.copy()
        for part in parts:
            digest.update(len(part).to_bytes(4) + part)
        return digest.digest()

    def _asked(self, name: str, password: str) -> bytes:
        return self.digest(name.encode("utf-8", "surrogatepass"), password.encode("utf-8", "surrogatepass"))

    def _generations(self, hashes: Sequence[str]) -> list[bytes]:
        return [self.digest(hashed.encode()) for hashed in hashes]

    def remembers(self, name: str, password: str, hashes: Sequence[str]) -> bool:
        """Whether this password was right a short while ago, by one of *hashes*, those that are right now."""
        return self._remembers(self._asked(name, password), self._generations(hashes))

    async def is_right(
        self, name: str, password: str, hashes: Sequence[str], *, in_vain: bool = False
    ) -> bool | Unavailable:
        """
        Check a password against the hashes that are right for *name*, by memory if it was right a short while ago.

        What is remembered holds for its very hash: a changed one starts anew. *in_vain*: the answer is no, whatever
        the password is; only its price is paid.
        """
        asked, generations = self._asked(name, password), self._generations(hashes)
        if not in_vain and self._remembers(asked, generations):
            return True
        together = self.digest(asked, *generations)
        task = self._running.get(together)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._check(tuple(hashes), password))
            self._running[together] = task
            task.add_done_callback(lambda _: self._running.pop(together, None))
        answer = await asyncio.shield(task)  # one client that leaves must not take the answer from the others
        if isinstance(answer, Unavailable) or in_vain or answer is None:
            return answer if isinstance(answer, Unavailable) else False
        self._remember(asked, generations[answer])
        return True

    async def run(self, work: Callable[[], T]) -> T | Unavailable:
        """Run blocking *work* in one of the threads; Unavailable when too much is waiting already."""
        if self._busy >= self._bounds.threads + self._bounds.waiting:
            return Unavailable("too many password checks at once")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._busy -= 1

    def close(self) -> None:
        """Let the threads go; checks that wait are given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _check(self, hashes: Sequence[str], password: str) -> int | Unavailable | None:
        return await self.run(partial(self._find, hashes, password))

    def _find(self, hashes: Sequence[str], password: str) -> int | Unavailable | None:
        """Find the hash that the password has: one after the other, in one thread. A wrong one pays for all."""
        trouble: Unavailable | None = None
        compared = False
        for index, hashed in enumerate(hashes):
            try:
                if self._verify(hashed, password):
                    return index
                compared = True
            except (VerificationError, CannotCheck) as error:
                why = str(error) if isinstance(error, CannotCheck) else type(error).__name__
                trouble = Unavailable(f"a password could not be checked: {why}")
        return replace(trouble, is_guess=compared) if trouble else None

    def _remembers(self, asked: bytes, generations: Sequence[bytes]) -> bool:
        known = self._remembered.get(asked)
        if known is None:
            return False
        expiry, known_generation = known
        is_current = any(hmac.compare_digest(known_generation, each) for each in generations)
        if self._monotonic() >= expiry or not is_current:
            del self._remembered[asked]
            return False
        return True

    def _remember(self, asked: bytes, generation: bytes) -> None:
        self._remembered[asked] = (self._monotonic() + self._bounds.remembered_seconds, generation)
        self._remembered.move_to_end(asked)
        while len(self._remembered) > self._bounds.remembered:
            self._remembered.popitem(last=False)
