"""What the rest of the house asks of a source of identities and policies."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from relay.judgement.catalog import Catalog
from relay.judgement.verdicts import Decision
from relay.words.arns import IdentityArn
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """An identity owner of the configuration: an account, and its regions; none given = all that are found."""

    account: str
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlaceState:
    """
    How one account and region stands.

    ``source``: ses or directory. ``in_use``: the names of identities that mail was allowed by lately; None where nobody
    counts them. ``revocation``: the seconds in which a withdrawn permission ends. ``troubles``: sentences.
    """

    account: str
    region: str
    source: str
    in_use: Collection[str] | None = None
    revocation: float | None = None
    troubles: tuple[str, ...] = ()


class Identities(Protocol):
    """What the walk of a message asks; see :class:`Directory`."""

    @property
    def catalog(self) -> Catalog:
        """The whole as one value; a newer one takes its place, nothing in it ever changes."""
        ...

    def invalidate(self, identity: IdentityArn | None = None) -> bool:
        """
        Learn that *identity* has changed, or anything may have: it is read again as soon as may be.

        Returns whether its account and region are read here.
        """
        ...

    def used(self, delegate: str, decisions: Sequence[Decision]) -> None:
        """Learn that mail of *delegate* was judged. Called for every message: it costs next to nothing."""
        ...

    async def look(self, delegate: str, identities: Iterable[IdentityArn], patience: float) -> bool:
        """
        Wait for those of *identities* that are listed, and not known or too old to decide.

        Returns True once something is known that was not, so that judging again may help; False at once where that
        cannot be, or after *patience* seconds.
        """
        ...


class Directory(Identities, Protocol):
    """
    The identities of all owners, with their policies, as they were read last.

    Asking for the catalog costs nothing and never waits: how old the answer is stands in it. All but :meth:`refresh`
    and :meth:`fetch` is to be called in the event loop of :meth:`run`.
    """

    def refresh(self) -> None:
        """Read the source, or begin to, in the calling thread, before :meth:`run`. Never raises for what is wrong."""
        ...

    def fetch(self, identities: Iterable[IdentityArn]) -> bool:
        """
        Read *identities* in the calling thread, instead of :meth:`run`, whatever it costs.

        Returns whether anything may be known now that was not.
        """
        ...

    def refresh_soon(self) -> None:
        """Let :meth:`run` read the source again as soon as may be."""
        ...

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """What the observer knows of: each source by name, with account and region where it is of one of them."""
        ...

    def places(self) -> tuple[PlaceState, ...]:
        """Tell how each account and region stands."""
        ...

    async def run(self) -> None:
        """Keep the catalog fresh, off the event loop, until cancelled."""
        ...


class Keeper(Protocol):
    """Keeps every policy text that was in force, so that what was judged by it can be judged again."""

    def keep(self, texts: Mapping[str, str], catalog: Catalog, at: float) -> Unavailable | None:
        """
        Keep *texts*, by digest, and that at the time *at* the policies were those of *catalog*.

        Called off the event loop, once a round, by one thread at a time; texts that could not be kept come again.
        """
        ...
