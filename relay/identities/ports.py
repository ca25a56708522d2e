"""What the rest of the house asks of a source of identities and policies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from relay.judgement.catalog import Catalog
from relay.words.unavailable import Unavailable


@dataclass(frozen=True, slots=True)
class Owner:
    """An identity owner of the configuration: an account, and its regions; none given = all that are found."""

    account: str
    regions: tuple[str, ...] = ()


class Directory(Protocol):
    """
    The identities of all owners, with their policies, as they were read last.

    Asking costs nothing and never waits: how old the answer is stands in it.
    """

    @property
    def catalog(self) -> Catalog:
        """The whole as one value; a newer one takes its place, nothing in it ever changes."""
        ...

    def refresh(self) -> None:
        """Read the source now, in the calling thread. Never raises for what is wrong with the source."""
        ...

    def refresh_soon(self) -> None:
        """Let :meth:`run` read the source at once. To be called in its event loop."""
        ...

    async def run(self, interval: float) -> None:
        """Read the source, off the event loop, now and every *interval* seconds, until cancelled."""
        ...


class Keeper(Protocol):
    """Keeps every policy text that was in force, so that what was judged by it can be judged again."""

    def keep(self, texts: Mapping[str, str], catalog: Catalog, at: float) -> Unavailable | None:
        """
        Keep *texts*, by digest, and that at the time *at* the policies were those of *catalog*.

        Called off the event loop, once a round, by one thread at a time; texts that could not be kept come again.
        """
        ...
