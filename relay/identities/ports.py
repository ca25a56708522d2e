"""What the rest of the house asks of a source of identities and policies."""

from dataclasses import dataclass
from typing import Protocol

from relay.judgement.catalog import Catalog


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
