"""The registry of delegates: who there is, and whether the one who calls is who it says."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from relay.background import call_off
from relay.delegates.credentials import PasswordSecret
from relay.delegates.entries import NOWHERE, Elsewhere, Entry
from relay.delegates.htpasswd import HtpasswdFile
from relay.delegates.networks import ClientAddress, Neighbourhoods
from relay.delegates.passwords import Bounds, Checkpoint, Verify, hash_password, verify_hash
from relay.delegates.sources import Sources
from relay.delegates.ways import Ways, ways_of
from relay.observe.events import Event, Observer
from relay.words.certificates import CertificateName
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass, replace

if TYPE_CHECKING:
    from relay.delegates.jwks import FetchJwks, KeyRing
    from relay.delegates.secrets import ReadSecret, SecretKeeper
    from relay.delegates.tokens import Issuer, TokenDesk

_LOOK_SECONDS: Final = 1.0
#: What the start waits for secrets and keys of issuers; what is not read then is unavailable, and nothing else.
PATIENCE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Doors:
    """
    What the registry asks of the world: AWS, issuers of tokens, and the time.

    ``read_secret``: None is AWS's. ``fetch_jwks``: None is by HTTPS.
    """

    read_secret: "ReadSecret | None" = None
    fetch_jwks: "FetchJwks | None" = None
    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class _State:
    """One configuration's delegates; replaced as a whole."""

    entries: Mapping[str, Entry]
    delegates: Mapping[str, Delegate]
    sources: Sources
    certificates: Mapping[CertificateName, tuple[str, ...]]
    neighbourhoods: Neighbourhoods


class Registry:
    """
    All delegates of the relay. What the street door asks of it is ``relay.smtp.ports.Delegates``.

    An unknown name, a name without password, a wrong password and a wrong network cost and say the same. ``start``
    keeps fresh what lies elsewhere, until ``close``.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        elsewhere: Elsewhere = NOWHERE,
        *,
        bounds: Bounds | None = None,
        verify: Verify = verify_hash,
        hash_file: Callable[[str], str] = hash_password,
        doors: Doors | None = None,
        observe: Observer = lambda _: None,
    ) -> None:
        """
        Args:
            entries: Names are unique.
            elsewhere: The htpasswd file, which is read here, and the issuers of tokens.
            bounds: What checking passwords may cost.
            verify: Checks a password against a hash, in a thread.
            hash_file: Hashes a password that a file or a secret holds in clear, in a thread.

        Raises:
            ValueError: Two entries of one name.

        """
        self._doors = doors = doors or Doors()
        self._hash_file = hash_file
        self._observe = observe
        self._checkpoint = Checkpoint(
            bounds or Bounds(), verify=verify, monotonic=doors.monotonic, key=secrets.token_bytes(32)
        )
        self._region = elsewhere.region
        self._keeper: SecretKeeper | None = None  # while no password lies in a secret
        self._desk: TokenDesk | None = None  # while nobody issues tokens
        self._tasks: list[asyncio.Task[None]] = []
        self._htpasswd: HtpasswdFile | None = None
        self._take(entries, elsewhere, self._read_htpasswd(elsewhere))

    def get(self, name: str) -> Delegate | None:
        """Return the delegate of this name; None when there is none (any more)."""
        return self._state.delegates.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Who there is, in the order of the settings."""
        return tuple(self._state.entries)

    def ways_of(self, name: str) -> Ways | None:
        """Tell how the delegate of this name may prove itself; None when there is none."""
        entry, htpasswd = self._state.entries.get(name), self._htpasswd
        if entry is None:
            return None
        elsewhere = htpasswd is not None and bool(htpasswd.of(name))
        return ways_of(entry, has_password_elsewhere=elsewhere, takes_tokens=self.takes_tokens)

    def by_network(self, client: ClientAddress) -> str | None:
        """Name the delegate whose trusted networks hold *client*: the longest prefix, or nobody where two have it."""
        return self._state.neighbourhoods.of(client)

    def by_certificate(self, names: frozenset[CertificateName], client: ClientAddress) -> frozenset[str]:
        """Name the delegates whose certificate has one of these names, and that may come from *client*."""
        state = self._state
        found = {name for each in names for name in state.certificates.get(each, ())}
        return frozenset(name for name in found if state.entries[name].may_come_from(client))

    @property
    def takes_tokens(self) -> bool:
        """Whether anybody's bearer tokens are believed."""
        return bool(self._rings)

    async def by_token(self, token: str, client: ClientAddress) -> str | Unavailable | None:
        """Look at a bearer token. Returns as :meth:`verify`."""
        name = None if self._desk is None else await self._desk.delegate_of(token)
        if name is None or isinstance(name, Unavailable):
            return name
        entry = self._state.entries.get(name)
        return name if entry is not None and entry.may_come_from(client) else None

    def knows(self, name: str, password: str, client: ClientAddress) -> bool:
        """Whether this password was found right a short while ago and still is, and *client* is where it may be."""
        state = self._state
        entry = state.entries.get(name)
        if entry is None or not entry.may_come_from(client):
            return False
        return self._checkpoint.remembers(name, password, state.sources.at_hand(entry))

    async def verify(self, name: str, password: str, client: ClientAddress) -> str | Unavailable | None:
        """
        Check a password. Returns the delegate's name when it is right, None when it is wrong or comes from a network
        that is not allowed, Unavailable when it cannot be told now.
        """
        state = self._state
        entry = state.entries.get(name)
        if entry is None:
            return await self._in_vain(state, name, password)
        right = await state.sources.of(entry)
        if not right.hashes:
            return right.trouble or await self._in_vain(state, name, password)
        in_vain = not entry.may_come_from(client)
        answer = await self._checkpoint.is_right(name, password, right.hashes, in_vain=in_vain)
        if answer is True:
            return name
        state.sources.hint(entry)
        if isinstance(answer, Unavailable):
            return answer
        return replace(right.trouble, is_guess=True) if right.trouble else None

    def replace(self, entries: Sequence[Entry]) -> None:
        """
        Take other delegates from the next question on. A right password of an unchanged credential stays known.

        Raises:
            ValueError: Two entries of one name; nothing was changed.
        """
        self._take(entries, self._elsewhere, self._htpasswd)

    async def reload(self, entries: Sequence[Entry], elsewhere: Elsewhere) -> None:
        """
        Take other delegates and another elsewhere; ``start`` looks there again.

        Raises:
            ValueError: Two entries of one name; nothing was changed.
        """
        self._take(entries, elsewhere, await asyncio.to_thread(self._read_htpasswd, elsewhere))

    async def start(self) -> None:
        """Read what lies elsewhere, wait a little for it, and keep it fresh in the background."""
        await self._let_be()
        fresh: list[SecretKeeper | KeyRing] = [*([] if self._keeper is None else [self._keeper]), *self._rings]
        if looks := [asyncio.create_task(each.look()) for each in fresh]:
            await asyncio.wait(looks, timeout=PATIENCE_SECONDS)
        keeping = [each.keep() for each in fresh]
        if self._htpasswd is not None:
            keeping.append(self._keep_htpasswd(self._htpasswd))
        self._tasks = [asyncio.create_task(each, name="credentials") for each in keeping]

    def close(self) -> None:
        """Look at nothing any more, and let the threads go."""
        for task in self._tasks:
            task.cancel()
        self._checkpoint.close()

    def troubles(self) -> dict[str, str]:
        """Return what cannot be read of what lies elsewhere, each with why; nothing else is touched by it."""
        found: dict[str, str] = {}
        if self._keeper is not None:
            found |= {f"secret {secret}": why for secret, why in self._keeper.troubles().items()}
        if self._desk is not None:
            found |= {f"issuer {issuer}": why for issuer, why in self._desk.troubles().items()}
        if self._htpasswd is not None and self._htpasswd.trouble:
            found["htpasswd"] = self._htpasswd.trouble
        return found

    async def _in_vain(self, state: _State, name: str, password: str) -> Unavailable | None:
        """Pay for the check of a password that is nobody's."""
        answer = await self._checkpoint.is_right(name, password, state.sources.decoys(name), in_vain=True)
        return answer if isinstance(answer, Unavailable) else None

    def _take(self, entries: Sequence[Entry], elsewhere: Elsewhere, htpasswd: HtpasswdFile | None) -> None:
        by_name = {entry.name: entry for entry in entries}
        if len(by_name) != len(entries):
            raise ValueError("two delegates have one name")
        credentials = (credential for entry in entries for credential in entry.credentials)
        wanted = {credential.id for credential in credentials if isinstance(credential, PasswordSecret)}
        self._want(wanted, every=elsewhere.secrets_interval)
        homes = [(network, entry.name) for entry in entries for network in entry.trusted_networks]
        sources = Sources(
            by_name,
            checkpoint=self._checkpoint,
            keeper=self._keeper,
            htpasswd=htpasswd,
            hash_password=self._hash_file,
            monotonic=self._doors.monotonic,
        )
        delegates = {entry.name: entry.delegate for entry in entries}
        self._state = _State(by_name, delegates, sources, _by_certificate(entries), Neighbourhoods(homes))
        self._elsewhere, self._htpasswd = elsewhere, htpasswd
        self._believe(elsewhere.issuers)

    # What lies elsewhere

    def _want(self, wanted: set[str], *, every: float) -> None:
        """Keep these secrets and no others, looked at again *every* so many seconds."""
        if wanted and self._keeper is None:
            from relay.delegates.secrets import AwsSecrets, SecretKeeper  # noqa: PLC0415  the first secret loads it

            doors = self._doors
            self._keeper = SecretKeeper(
                doors.read_secret or AwsSecrets(self._region, doors.now),
                hash_password=self._hash_file,
                digest=self._checkpoint.digest,
                monotonic=doors.monotonic,
                observe=self._changed,
            )
        if self._keeper is not None:
            self._keeper.want(wanted, every=every)

    def _believe(self, issuers: "Sequence[Issuer]") -> None:
        """Take the tokens of these issuers and no others."""
        if issuers and self._desk is None:
            from relay.delegates.jwks import fetch_jwks  # noqa: PLC0415  the first issuer loads it
            from relay.delegates.tokens import TokenDesk  # noqa: PLC0415  the same

            doors = self._doors
            fetch = doors.fetch_jwks or fetch_jwks
            self._desk = TokenDesk(now=doors.now, monotonic=doors.monotonic, observe=self._observe, fetch=fetch)
        if self._desk is not None:
            self._desk.replace(issuers)

    @property
    def _rings(self) -> "Sequence[KeyRing]":
        """The keys of every issuer."""
        return () if self._desk is None else self._desk.rings

    def _read_htpasswd(self, elsewhere: Elsewhere) -> HtpasswdFile | None:
        """Read the file: the known one again, or another. Blocks."""
        if elsewhere.htpasswd is None:
            return None
        known = self._htpasswd
        file = known if known is not None and known.path == elsewhere.htpasswd else HtpasswdFile(elsewhere.htpasswd)
        told = file.look()
        if told is not None:
            self._observe(told)
        return file

    async def _keep_htpasswd(self, file: HtpasswdFile) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            told = await asyncio.to_thread(file.look)
            if told is not None:
                self._changed(told)

    def _changed(self, told: Event) -> None:
        self._state.sources.changed()
        self._observe(told)

    async def _let_be(self) -> None:
        """Stop keeping things fresh."""
        tasks, self._tasks = self._tasks, []
        await call_off(*tasks)


def _by_certificate(entries: Sequence[Entry]) -> Mapping[CertificateName, tuple[str, ...]]:
    found: dict[CertificateName, tuple[str, ...]] = {}
    for entry in entries:
        for name in entry.certificates:
            found[name] = (*found.get(name, ()), entry.name)
    return found
