"""The registry of delegates: who there is, and whether the one who calls is who it says."""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from relay.delegates.credentials import (
    ADVISED,
    Cost,
    Credential,
    FileCredential,
    Held,
    PasswordFile,
    PasswordHash,
    cost_of,
)
from relay.delegates.networks import ClientAddress, ClientNetwork, Neighbourhoods, plain
from relay.delegates.passwords import Bounds, Checkpoint, Verify, decoy, hash_password, verify_argon2
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable

_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One delegate and how it proves itself.

    ``allowed_networks``: AUTH is accepted only from there; empty = from everywhere. ``trusted_networks``: clients from
    there are the delegate without AUTH.
    """

    delegate: Delegate
    credential: Credential | None = None
    allowed_networks: tuple[ClientNetwork, ...] = ()
    trusted_networks: tuple[ClientNetwork, ...] = ()

    @classmethod
    def of(
        cls,
        delegate: Delegate,
        *,
        password_hash: str | None = None,
        password_file: Path | None = None,
        allowed_networks: Iterable[ClientNetwork] = (),
        trusted_networks: Iterable[ClientNetwork] = (),
    ) -> "Entry":
        """Make an entry from what the settings hold."""
        credential: Credential | None = None
        if password_hash is not None:
            credential = PasswordHash(password_hash)
        elif password_file is not None:
            credential = PasswordFile(password_file)
        return cls(delegate, credential, tuple(allowed_networks), tuple(trusted_networks))

    def may_come_from(self, client: ClientAddress) -> bool:
        """Whether AUTH as this delegate is accepted from *client*."""
        return not self.allowed_networks or any(plain(client) in network for network in self.allowed_networks)


@dataclass(slots=True)
class _File:
    """A credential file and when it was last looked at."""

    credential: FileCredential
    looked_at: float | None = None
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class _State:
    """One configuration's delegates; replaced as a whole."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    files: Mapping[str, _File] = field(default_factory=dict)
    costs: frozenset[Cost] = frozenset()
    neighbourhoods: Neighbourhoods = field(default_factory=lambda: Neighbourhoods(()))


class Registry:
    """
    All delegates of the relay. What the street door asks of it is ``relay.smtp.ports.Delegates``.

    An unknown name, a name without password, a wrong password and a wrong network cost and say the same.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        bounds: Bounds | None = None,
        verify: Verify = verify_argon2,
        hash_file: Callable[[str], str] = hash_password,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            entries: Names are unique.
            bounds: What checking passwords may cost.
            verify: Checks a password against a hash, in a thread.
            hash_file: Hashes a password that a file holds in clear, in a thread.
            monotonic: Seconds.

        Raises:
            ValueError: Two entries of one name.

        """
        self._hash_file = hash_file
        self._monotonic = monotonic
        self._checkpoint = Checkpoint(
            bounds or Bounds(), verify=verify, monotonic=monotonic, key=secrets.token_bytes(32)
        )
        self._decoys: dict[Cost, str] = {}
        self._state = self._state_of(entries)

    def get(self, name: str) -> Delegate | None:
        """Return the delegate of this name; None when there is none (any more)."""
        entry = self._state.entries.get(name)
        return entry.delegate if entry else None

    def by_network(self, client: ClientAddress) -> str | None:
        """Name the delegate whose trusted networks hold *client*: the longest prefix, or nobody where two have it."""
        return self._state.neighbourhoods.of(client)

    def replace(self, entries: Sequence[Entry]) -> None:
        """
        Take other delegates from the next question on. A right password of an unchanged credential stays known.

        Raises:
            ValueError: Two entries of one name; nothing was changed.
        """
        self._state = self._state_of(entries)

    async def verify(self, name: str, password: str, client: ClientAddress) -> str | Unavailable | None:
        """
        Check a password. Returns the delegate's name when it is right, None when it is wrong or comes from a network
        that is not allowed, Unavailable when it cannot be told now.
        """
        state = self._state
        entry = state.entries.get(name)
        if entry is None or entry.credential is None:
            hashed: str | Unavailable = self._decoy(state, name)
            in_vain = True
        else:
            hashed = await self._hash_of(state, name, entry.credential)
            in_vain = not entry.may_come_from(client)
        if isinstance(hashed, Unavailable):
            return hashed
        answer = await self._checkpoint.is_right(name, password, hashed, in_vain=in_vain)
        if isinstance(answer, Unavailable):
            return answer
        return name if answer else None

    def close(self) -> None:
        """Let the threads go."""
        self._checkpoint.close()

    def _decoy(self, state: _State, name: str) -> str:
        """Choose what is checked for a name that nobody has: always the same, and as dear as some delegate's."""
        costs = state.costs | {file.held.cost if file.held else ADVISED for file in state.files.values()}
        choices = sorted(costs or {ADVISED}, key=repr)
        choice = int.from_bytes(self._checkpoint.digest(name.encode("utf-8", "surrogatepass"))[:8])
        cost = choices[choice % len(choices)]
        return self._decoys.setdefault(cost, decoy(cost))

    async def _hash_of(self, state: _State, name: str, credential: Credential) -> str | Unavailable:
        if isinstance(credential, PasswordHash):
            return credential.text
        file = state.files[name]
        now = self._monotonic()
        if file.held is not None and file.looked_at is not None and now - file.looked_at < _LOOK_SECONDS:
            return file.held.text
        try:
            held = await self._checkpoint.run(file.credential.look)
        except (OSError, ValueError) as error:
            file.looked_at = None
            return Unavailable(f"the password file of {name} cannot be used: {type(error).__name__}")
        if isinstance(held, Unavailable):
            return held
        file.looked_at, file.held = now, held
        return held.text

    def _state_of(self, entries: Sequence[Entry]) -> _State:
        by_name = {entry.delegate.name: entry for entry in entries}
        if len(by_name) != len(entries):
            raise ValueError("two delegates have one name")
        files = {
            name: _File(FileCredential(entry.credential.path, self._hash_file))
            for name, entry in by_name.items()
            if isinstance(entry.credential, PasswordFile)
        }
        costs = {cost_of(entry.credential.text) for entry in entries if isinstance(entry.credential, PasswordHash)}
        homes = [(network, name) for name, entry in by_name.items() for network in entry.trusted_networks]
        return _State(by_name, files, frozenset(filter(None, costs)), Neighbourhoods(homes))
