"""The identities and policies that the judge is handed: a value, read at a stated time, never fetched by the judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.policy.document import Policy, UnreadablePolicy
from relay.words.arns import IdentityArn


@dataclass(frozen=True, slots=True)
class Identity:
    """
    One identity of an owner with the policies attached to it.

    ``read_at``: wall-clock seconds since the epoch at which status and policies were read. ``problem``: set when
    they could
    not be read at all; then every question to it is UNDECIDED.
    """

    arn: IdentityArn
    verified: bool
    policies: tuple[Policy | UnreadablePolicy, ...] = ()
    read_at: float = 0.0
    problem: str | None = None


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


@dataclass(frozen=True, slots=True)
class Catalog:
    """
    Every configured (account, region) with its identities.

    Lookups cost the labels of a domain, not the size of this.
    """

    owners: Mapping[tuple[str, str], OwnedIdentities] = field(default_factory=dict)
