"""Which passwords are right for a delegate now, wherever they lie; and what a wrong one costs."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from relay.delegates.credentials import (
    ADVISED,
    AnyCost,
    Credential,
    FileCredential,
    Held,
    PasswordFile,
    PasswordHash,
    PasswordSecret,
    price_of,
)
from relay.delegates.entries import Entry
from relay.delegates.htpasswd import HtpasswdFile
from relay.delegates.passwords import Checkpoint, decoy
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

if TYPE_CHECKING:
    from relay.delegates.secrets import SecretKeeper

_LOOK_SECONDS: Final = 1.0

#: What a wrong password of some delegate costs: one check after the other.
Profile: TypeAlias = tuple[AnyCost, ...]


@dataclass(slots=True)
class _File:
    """A credential file and when it was last looked at."""

    credential: FileCredential
    looked_at: float | None = None
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class Right:
    """The hashes that are right, and what could not be read if something could not."""

    hashes: tuple[str, ...]
    trouble: Unavailable | None = None


class Sources:
    """
    The passwords of one configuration's delegates. Belongs to one event loop.

    ``keeper``: of secrets; None while no delegate has one.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        *,
        checkpoint: Checkpoint,
        keeper: "SecretKeeper | None",
        htpasswd: HtpasswdFile | None,
        hash_password: Callable[[str], str],
        monotonic: Callable[[], float],
    ) -> None:
        self._entries = entries
        self._checkpoint = checkpoint
        self._keeper = keeper
        self._htpasswd = htpasswd
        self._monotonic = monotonic
        self._files = {
            credential: _File(FileCredential(credential.path, hash_password))
            for entry in entries.values()
            for credential in entry.credentials
            if isinstance(credential, PasswordFile)
        }
        self._profiles: list[Profile] | None = None
        self._decoys: dict[tuple[AnyCost, int], str] = {}

    async def of(self, entry: Entry) -> Right:
        """Return every hash that is right for a delegate."""
        return self._right(entry, [await self._look(entry.name, credential) for credential in entry.credentials])

    def at_hand(self, entry: Entry) -> tuple[str, ...]:
        """Return the hashes that are known to be right for a delegate without a look into a file: maybe not all."""
        return self._right(entry, [self._at_hand(credential) for credential in entry.credentials]).hashes

    def _right(self, entry: Entry, found: list[tuple[str, ...] | Unavailable]) -> Right:
        """Put together what was found in a delegate's credentials, and what is listed elsewhere."""
        if self._htpasswd is not None:
            found.append(self._htpasswd.of(entry.name))
        trouble = next((each for each in found if isinstance(each, Unavailable)), None)
        return Right(tuple(_hashes(found)), trouble)

    def hint(self, entry: Entry) -> None:
        """Look soon at a delegate's secrets: a password was wrong that may be newer than what is known."""
        for credential in entry.credentials:
            if isinstance(credential, PasswordSecret) and self._keeper is not None:
                self._keeper.hint(credential.id)

    def decoys(self, name: str) -> tuple[str, ...]:
        """Choose what is checked for a name without password: always the same, and as dear as some delegate's."""
        if self._profiles is None:
            profiles = {self._profile(entry) for entry in self._entries.values()} - {()}
            self._profiles = sorted(profiles or {(ADVISED,)}, key=repr)
        choice = int.from_bytes(self._checkpoint.digest(name.encode("utf-8", "surrogatepass"))[:8])
        profile = self._profiles[choice % len(self._profiles)]
        return tuple(self._decoy(cost, place) for place, cost in enumerate(profile))

    def changed(self) -> None:
        """Note that a file or secret holds other passwords, which may cost something else."""
        self._profiles = None

    async def _look(self, name: str, credential: Credential) -> tuple[str, ...] | Unavailable:
        if isinstance(credential, PasswordFile) and not self._is_fresh(self._files[credential]):
            return await self._look_into(name, self._files[credential])
        return self._at_hand(credential)

    def _at_hand(self, credential: Credential) -> tuple[str, ...] | Unavailable:
        match credential:
            case PasswordHash(text):
                return (text,)
            case PasswordSecret(secret):
                return self._kept(secret)
            case PasswordFile():
                file = self._files[credential]
                return file.held.hashes if file.held is not None and self._is_fresh(file) else ()

    def _is_fresh(self, file: _File) -> bool:
        looked_at = file.looked_at
        return file.held is not None and looked_at is not None and self._monotonic() - looked_at < _LOOK_SECONDS

    def _kept(self, secret: str) -> tuple[str, ...] | Unavailable:
        return Unavailable("its secret is not kept") if self._keeper is None else self._keeper.of(secret)

    async def _look_into(self, name: str, file: _File) -> tuple[str, ...] | Unavailable:
        now = self._monotonic()
        try:
            held = await self._checkpoint.run(file.credential.look)
        except (OSError, ValueError) as error:
            file.looked_at = None
            return Unavailable(f"the password file of {name} cannot be used: {type(error).__name__}")
        if isinstance(held, Unavailable):
            return held
        if held is not file.held:
            self.changed()
        file.looked_at, file.held = now, held
        return held.hashes

    def _profile(self, entry: Entry) -> Profile:
        """Return what a wrong password of this delegate costs, as far as is known without looking."""
        costs = [cost for credential in entry.credentials for cost in self._costs(credential)]
        listed = self._htpasswd.of(entry.name) if self._htpasswd else ()
        return (*costs, *(() if isinstance(listed, Unavailable) else _prices(listed)))

    def _costs(self, credential: Credential) -> Profile:
        match credential:
            case PasswordHash(text):
                return _prices((text,))
            case PasswordFile():
                held = self._files[credential].held
                return _prices(held.hashes) if held else (ADVISED,)
            case PasswordSecret(secret):
                known = self._kept(secret)
                return (ADVISED,) if isinstance(known, Unavailable) else _prices(known)

    def _decoy(self, cost: AnyCost, place: int) -> str:
        if (cost, place) not in self._decoys:
            self._decoys[cost, place] = decoy(cost)
        return self._decoys[cost, place]


def _hashes(found: Iterable[tuple[str, ...] | Unavailable]) -> Iterable[str]:
    for each in found:
        if not isinstance(each, Unavailable):
            yield from each


def _prices(hashes: Iterable[str]) -> Profile:
    return tuple(price for price in map(price_of, hashes) if price is not None)
