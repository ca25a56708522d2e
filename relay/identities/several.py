"""Policies from several sources at once: each owner's from where the settings say."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from relay.identities.ports import Directory, PlaceState
from relay.judgement.catalog import Catalog
from relay.judgement.verdicts import Decision
from relay.words.arns import IdentityArn


class SeveralDirectories:
    """
    Directories of different owners, seen as one.

    A catalog is put together when one of theirs has changed, not for each message.
    """

    def __init__(self, parts: Sequence[Directory]) -> None:
        self.parts = tuple(parts)
        self._seen: tuple[Catalog, ...] = ()
        self._catalog = Catalog()

    @property
    def catalog(self) -> Catalog:
        """The owners of all; what is not known of one is not known of the whole."""
        now = tuple(part.catalog for part in self.parts)
        if len(now) != len(self._seen) or any(new is not old for new, old in zip(now, self._seen, strict=True)):
            owners = {place: owned for each in now for place, owned in each.owners.items()}
            self._catalog = Catalog(owners, next((each.problem for each in now if each.problem is not None), None))
            self._seen = now
        return self._catalog

    def refresh(self) -> None:
        """Refresh all, one after the other."""
        for part in self.parts:
            part.refresh()

    def fetch(self, identities: Iterable[IdentityArn]) -> bool:
        """Fetch from whose they are."""
        wanted = list(identities)
        return any(tuple(part.fetch(wanted) for part in self.parts))

    def refresh_soon(self) -> None:
        """Let all read again."""
        for part in self.parts:
            part.refresh_soon()

    def invalidate(self, identity: IdentityArn | None = None) -> bool:
        """Tell all; return whether it is known to one."""
        return any(tuple(part.invalidate(identity) for part in self.parts))

    def used(self, delegate: str, decisions: Sequence[Decision]) -> None:
        """Tell all."""
        for part in self.parts:
            part.used(delegate, decisions)

    async def look(self, delegate: str, identities: Iterable[IdentityArn], patience: float) -> bool:
        """Look wherever they may be."""
        wanted = list(identities)
        return any(await asyncio.gather(*[part.look(delegate, wanted, patience) for part in self.parts]))

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """Those of all."""
        return {name: place for part in self.parts for name, place in part.sources.items()}

    def places(self) -> tuple[PlaceState, ...]:
        """Tell of all places of all."""
        return tuple(place for part in self.parts for place in part.places())

    async def run(self) -> None:
        """Run all until cancelled."""
        async with asyncio.TaskGroup() as group:
            for part in self.parts:
                group.create_task(part.run())


def parts_of(directory: Directory | None) -> tuple[Directory, ...]:
    """Return the directories that one is made of."""
    if directory is None:
        return ()
    return directory.parts if isinstance(directory, SeveralDirectories) else (directory,)
