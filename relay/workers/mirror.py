"""What the supervisor knows and all workers need, told to them as it changes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from relay.judgement.catalog import Catalog
from relay.sending.gates import Key
from relay.sending.keys import AccessKey, Unusable
from relay.sending.ports import NotNow
from relay.spool.ports import Full
from relay.words.endings import Reason
from relay.words.roles import AssumedRole
from relay.words.values import dataclass
from relay.workers.catalogs import Piece, differences
from relay.workers.wire import pickled

#: Seconds between two looks.
EVERY: Final = 0.1
#: Identities from which a catalog is compared in a thread.
MANY: Final = 5_000

State: TypeAlias = AccessKey | Unusable
Say: TypeAlias = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Sights:
    """
    Where the supervisor looks; each costs next to nothing. ``keys``: None stands for
    the relay's own. ``refused``: from which size on messages find no room in the spool, and why. ``marks``: the key of
    what doors tell each other of wrong passwords.
    """

    catalog: Callable[[], Catalog]
    shut: Callable[[], Mapping[Key, Reason]]
    barred: Callable[[], Mapping[str, NotNow]]
    keys: Callable[[], Mapping[AssumedRole | None, State]]
    refused: Callable[[], tuple[int, Full] | None]
    marks: Callable[[], bytes]


class Mirror:
    """Tells of changes. ``tell`` reaches every worker that serves, ``say`` in :meth:`begin` one that begins."""

    def __init__(self, sights: Sights, tell: Say) -> None:
        self._sights = sights
        self._tell = tell
        self._catalog = Catalog()
        self._told: dict[str, Any] = {}
        self._turn = asyncio.Lock()

    async def begin(self, say: Say, joined: Callable[[], None]) -> None:
        """Tell all of it to one worker; from *joined* on it hears of changes as the others do."""
        async with self._turn:
            await self._tell_catalog(Catalog(), self._catalog, say)
            for what, value in self._told.items():
                say(what, pickled(value))
            joined()

    async def look(self) -> None:
        """Look around, and tell what has changed. What was to be seen before is told when this returns."""
        async with self._turn:
            catalog = self._sights.catalog()
            if catalog is not self._catalog:
                before, self._catalog = self._catalog, catalog
                await self._tell_catalog(before, catalog, self._tell)
            for what in ("shut", "barred", "keys", "refused", "marks"):
                value = getattr(self._sights, what)()
                if value != self._told.get(what):
                    self._told[what] = value
                    self._tell(what, pickled(value))

    async def _tell_catalog(self, old: Catalog, new: Catalog, say: Say) -> None:
        pieces = differences(old, new)
        if sum(len(owned.by_folded_name) for owned in new.owners.values()) >= MANY:
            pieces = iter(await asyncio.to_thread(list[Piece], pieces))
        for piece in pieces:
            say("catalog", pickled(piece))
            await asyncio.sleep(0)
