"""Who there is: each delegate with everything that proves it, as the settings say."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from relay.delegates.credentials import Credential, PasswordFile, PasswordHash, PasswordSecret
from relay.delegates.networks import ClientAddress, ClientNetwork, plain
from relay.words.certificates import CertificateName
from relay.words.delegates import Delegate
from relay.words.values import dataclass

if TYPE_CHECKING:
    from relay.delegates.tokens import Issuer


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One delegate and how it proves itself.

    ``credentials``: each is right. ``certificates``: names of client certificates that are this delegate.
    ``allowed_networks``: AUTH is accepted only from there; empty = from everywhere. ``trusted_networks``: clients from
    there are the delegate without AUTH.
    """

    delegate: Delegate
    credentials: tuple[Credential, ...] = ()
    certificates: frozenset[CertificateName] = frozenset()
    allowed_networks: tuple[ClientNetwork, ...] = ()
    trusted_networks: tuple[ClientNetwork, ...] = ()

    @classmethod
    def of(
        cls,
        delegate: Delegate,
        *,
        password_hash: str | None = None,
        password_file: Path | None = None,
        password_secret: str | None = None,
        client_certificates: Iterable[CertificateName] = (),
        allowed_networks: Iterable[ClientNetwork] = (),
        trusted_networks: Iterable[ClientNetwork] = (),
    ) -> "Entry":
        """Make an entry from what the settings hold; ``password_hash`` may be several, one a line."""
        credentials: list[Credential] = [PasswordHash(text) for text in (password_hash or "").splitlines()]
        if password_file is not None:
            credentials.append(PasswordFile(password_file))
        if password_secret is not None:
            credentials.append(PasswordSecret(password_secret))
        names, allowed, trusted = frozenset(client_certificates), tuple(allowed_networks), tuple(trusted_networks)
        return cls(delegate, tuple(credentials), names, allowed, trusted)

    @property
    def name(self) -> str:
        """The delegate's name."""
        return self.delegate.name

    def may_come_from(self, client: ClientAddress) -> bool:
        """Whether AUTH as this delegate is accepted from *client*."""
        return not self.allowed_networks or any(plain(client) in network for network in self.allowed_networks)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """
    What proves delegates beside their own entries.

    ``secrets_interval``: seconds between two looks at a secret. ``region``: where secrets without an ARN lie.
    """

    htpasswd: Path | None = None
    issuers: "tuple[Issuer, ...]" = ()
    secrets_interval: float = 60.0
    region: str | None = None


NOWHERE = Elsewhere()
