"""What choosing an identity depends on, and what may come of it: one that governs, or why none does."""

import math
from collections.abc import Mapping
from dataclasses import field
from enum import Enum, auto
from typing import TypeAlias

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.judgement.rules import Rules
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.values import dataclass

Owner: TypeAlias = tuple[str, str]
"""An account and a region."""


@dataclass(frozen=True, slots=True)
class Governing:
    """
    ``identity`` permits the address and is named to SES; ``agreeing`` are all that must allow, it among them.
    ``named``: the field or setting that named an identity, and the ARN it named; None where it was inferred.

    ``doubts``: why it is not known that these are all, as sentences; any makes the question UNDECIDED at best.
    ``sealed``: its owner's policies cannot be seen here, nobody is asked, and SES judges alone.
    """

    identity: Identity
    agreeing: tuple[Identity, ...]
    chosen: str
    doubts: tuple[str, ...] = ()
    sealed: bool = False
    named: tuple[str, str] | None = None

    @property
    def others(self) -> tuple[IdentityArn, ...]:
        """The identities that must allow as well."""
        return tuple([other.arn for other in self.agreeing if other is not self.identity])


class Lack(Enum):
    """Why no identity governs."""

    FORM = auto()  # what was named is not one ARN
    EIGHT_BIT = auto()  # the same, with octets over 127
    NAMED = auto()  # what was named cannot serve
    UNVERIFIED = auto()  # nothing verified covers the address
    UNKNOWN = auto()  # it is not known what is verified


@dataclass(frozen=True, slots=True)
class Ungoverned:
    """
    No identity governs: ``why`` is a sentence the client may hear, ``regions`` where it was looked for.

    ``detail``: what SES's own words for an unverified address leave out.
    """

    lack: Lack
    why: str
    advice: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    detail: str = ""


@dataclass(slots=True)
class Grounds:
    """
    What a judgement turned out to rest on, noted while it is made.

    ``oldest`` and ``newest``: when what it read was read, seconds since the epoch. ``are_lasting``: all of it was
    fresh. ``keys``: the condition keys that it may have looked up.
    """

    oldest: float = math.inf
    newest: float = -math.inf
    are_lasting: bool = True
    keys: frozenset[str] = frozenset()

    def note(self, read_at: float, *, fresh: bool) -> None:
        """Take note of a reading."""
        self.oldest = min(self.oldest, read_at)
        self.newest = max(self.newest, read_at)
        self.are_lasting = self.are_lasting and fresh

    def hold(self, rules: Rules, now: float) -> bool:
        """Whether all that was fresh still is: what lies between the oldest and the newest is, if they are."""
        return self.oldest > self.newest or rules.are_fresh(self.oldest, self.newest, now)


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything that choosing an identity depends on, the question aside; ``grounds`` notes what was looked at."""

    delegate: Delegate
    catalog: Catalog
    rules: Rules
    now: float
    grounds: Grounds = field(default_factory=Grounds)

    @property
    def owners(self) -> Mapping[Owner, OwnedIdentities]:
        """The owners whose identities and policies can be seen."""
        if not self.rules.sealed:
            return self.catalog.owners
        return {owner: owned for owner, owned in self.catalog.owners.items() if owner not in self.rules.sealed}

    @property
    def unknown_owners(self) -> str | None:
        """Say why it is not known which owners there are, or None."""
        if self.catalog.problem is not None or not (self.catalog.owners or self.rules.sealed):
            return "the identity owners are not known yet"
        return None

    def is_fresh(self, read_at: float) -> bool:
        """Whether what was read then still decides."""
        fresh = self.rules.is_fresh(read_at, self.now)
        self.grounds.note(read_at, fresh=fresh)
        return fresh

    def unknown_list(self, owner: Owner) -> str | None:
        """Say why the identities of *owner* are not known, or None."""
        account, region = owner
        owned = self.catalog.owners[owner]
        if owned.problem is not None:
            return f"the identities of account {account} in {region} cannot be read"
        if not self.is_fresh(owned.listed_at):
            return f"the identities of account {account} in {region} are not known fresh enough"
        return None
