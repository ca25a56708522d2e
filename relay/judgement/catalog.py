"""The identities and policies that the judge is handed: a value, read at a stated time, never fetched by the judge."""

from collections.abc import Iterable, Mapping
from dataclasses import field

from relay.policy.document import Policy, UnreadablePolicy
from relay.words.addresses import Address
from relay.words.arns import IdentityArn
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """
    One identity of an owner with the policies attached to it.

    ``read_at``: wall-clock seconds since the epoch at which status and policies were read. ``problem``: set when
    they could not be read at all; then every question to it is UNDECIDED.
    """

    arn: IdentityArn
    verified: bool
    policies: tuple[Policy | UnreadablePolicy, ...] = ()
    read_at: float = 0.0
    problem: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it can govern: verified, or possibly so because it could not be read."""
        return self.verified or self.problem is not None


@dataclass(frozen=True, slots=True)
class Bearing:
    """
    The identities of one account and region that have a say over one address.

    ``exact``: the address itself, verified in this very spelling. ``spellings``: verified addresses that are this one
    in another case or without its ``+label``. ``domains``: its domain and parent domains, the deepest first. All of
    them :attr:`Identity.counts`.
    """

    exact: Identity | None
    spellings: tuple[Identity, ...]
    domains: tuple[Identity, ...]

    @property
    def covers(self) -> bool:
        """Whether some identity here lets mail be sent from the address at all."""
        return self.exact is not None or bool(self.domains)

    def named(self, arn: IdentityArn) -> Identity | None:
        """Return the identity that *arn* names, if it covers the address."""
        candidates = self.domains if self.exact is None else (self.exact, *self.domains)
        return next((identity for identity in candidates if identity.arn == arn), None)


@dataclass(frozen=True, slots=True)
class OwnedIdentities:
    """
    All identities of one account in one region, by name as verified.

    ``by_folded_name`` groups them by lower-cased name: two address identities may differ in case only.
    ``listed_at`` is the age of the list itself; ``problem`` is set when it could not be read.
    """

    by_folded_name: Mapping[str, tuple[Identity, ...]] = field(default_factory=dict)
    listed_at: float = 0.0
    problem: str | None = None

    @classmethod
    def of(cls, identities: Iterable[Identity], listed_at: float, problem: str | None = None) -> "OwnedIdentities":
        """Group *identities* by folded name."""
        groups: dict[str, tuple[Identity, ...]] = {}
        for identity in identities:
            folded = identity.arn.name.lower()
            groups[folded] = (*groups.get(folded, ()), identity)
        return cls(groups, listed_at, problem)

    def bearing_on(self, address: Address) -> Bearing:
        """Look up who has a say over *address*; costs the labels of its domain and the ``+`` in its local part."""
        domain = address.domain.lower()
        local = address.local.lower()
        exact, spellings = None, []
        written = str(address)
        for stem in _stems(local):
            for identity in self._counting(f"{stem}@{domain}"):
                if identity.arn.name == written:
                    exact = identity
                else:
                    spellings.append(identity)
        return Bearing(exact, tuple(spellings), self._domains(domain))

    def _domains(self, domain: str) -> tuple[Identity, ...]:
        found: list[Identity] = []
        while domain:
            found += self._counting(domain)
            domain = domain.partition(".")[2]
        return tuple(found)

    def _counting(self, folded: str) -> list[Identity]:
        return [identity for identity in self.by_folded_name.get(folded, ()) if identity.counts]


def _stems(local: str) -> list[str]:
    """Return *local* and what remains of it without each of its ``+label`` endings."""
    stems = [local]
    while (plus := local.rfind("+")) > 0:
        local = local[:plus]
        stems.append(local)
    return stems


@dataclass(frozen=True, slots=True)
class Catalog:
    """
    Every configured (account, region) with its identities.

    Lookups cost the labels of a domain, not the size of this. ``problem`` is set while it is not known which owners
    there are; then an owner that is missing here may exist.
    """

    owners: Mapping[tuple[str, str], OwnedIdentities] = field(default_factory=dict)
    problem: str | None = None

    def find(self, arn: IdentityArn) -> Identity | None:
        """Return the identity of this ARN, if it is known."""
        owned = self.owners.get((arn.account, arn.region))
        group = () if owned is None else owned.by_folded_name.get(arn.name.lower(), ())
        return next((identity for identity in group if identity.arn == arn), None)
