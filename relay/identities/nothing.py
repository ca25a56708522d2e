"""No source of policies: every owner is sealed, and SES judges alone."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from relay.identities.ports import PlaceState
from relay.judgement.catalog import Catalog
from relay.judgement.verdicts import Decision
from relay.words.arns import IdentityArn

#: Always the same, for what is remembered of judgements holds for one catalog.
_NOTHING: Final = Catalog()


class NoDirectory:
    """The directory of a relay that sees nobody's policies: empty, never old, and never told of."""

    @property
    def catalog(self) -> Catalog:
        """Nothing, and it is known that there is nothing."""
        return _NOTHING

    def refresh(self) -> None:
        """There is nothing to read."""

    def fetch(self, _identities: Iterable[IdentityArn]) -> bool:
        """There is nothing to read."""
        return False

    def refresh_soon(self) -> None:
        """There is nothing to read."""

    def invalidate(self, identity: IdentityArn | None = None) -> bool:
        """There is nothing to read."""
        return identity is None

    def used(self, delegate: str, decisions: Sequence[Decision]) -> None:
        """Nothing comes of it."""

    async def look(self, _delegate: str, _identities: Iterable[IdentityArn], _patience: float) -> bool:
        """There is nothing to wait for."""
        return False

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """There are none."""
        return {}

    def places(self) -> tuple[PlaceState, ...]:
        """There are none."""
        return ()

    async def run(self) -> None:
        """Wait until cancelled."""
        await asyncio.Event().wait()
