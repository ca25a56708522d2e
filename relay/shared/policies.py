"""
Policies from SES, read once for many relays: a directory of each relay, kept in step through Redis.

For what each account and region tells, :mod:`relay.shared.fellowship`. Without Redis each relay goes on by what it
knows, and asks SES itself with its share of the calls.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from relay.background import going_on
from relay.identities.ports import PlaceState
from relay.identities.ses_answers import Clocks
from relay.identities.ses_directory import FIRST_LISTS, SesDirectory
from relay.identities.ses_place import Place
from relay.judgement.catalog import Catalog
from relay.judgement.verdicts import Decision
from relay.observe.events import Noted, Observer
from relay.shared.engine import Engine
from relay.shared.fellowship import Fellowship
from relay.words.arns import IdentityArn
from relay.words.freshness import Terms

#: Between two looks whether another relay has read the list, in seconds.
_GLANCE: Final = 0.1
_AFTER_FAULT: Final = 5.0


class SharedDirectory:
    """
    A :class:`relay.identities.ports.Directory`: *own*, in step with those of other relays.

    Args:
        own: The directory that asks SES and hands out what is known.
        engine: Where relays meet. It need not be there.
        endpoint: Of the SES that is asked, ``aws`` for AWS's own: what one SES knows is not so at another.

    """

    def __init__(
        self,
        own: SesDirectory,
        engine: Engine,
        *,
        terms: Terms,
        clocks: Clocks,
        observe: Observer,
        endpoint: str = "aws",
    ) -> None:
        self.own = own
        self._observe = observe
        self._clocks = clocks
        self.fellowships = tuple(
            Fellowship(
                engine,
                place,
                tag=_tag(place, endpoint),
                terms=terms,
                clocks=clocks,
                observe=observe,
                changed=self._place_changed,
            )
            for place in own.all_places
        )

    @property
    def catalog(self) -> Catalog:
        """What SES told any relay, and when."""
        return self.own.catalog

    async def begin(self) -> None:
        """
        Learn what other relays know, before :meth:`refresh`.

        Waits a few seconds at most for lists that another relay is just asking for.
        """
        await asyncio.gather(*[self._begin(each) for each in self.fellowships])

    async def _begin(self, fellowship: Fellowship) -> None:
        until = self._clocks.monotonic() + FIRST_LISTS
        await fellowship.turn()
        while not fellowship.is_settled and self._clocks.monotonic() < until:
            await asyncio.sleep(_GLANCE)
            await fellowship.turn()

    def refresh(self) -> None:
        """Remember what the last run knew, where that is more; ask SES for the lists that nobody knows."""
        self.own.refresh()

    def fetch(self, identities: Iterable[IdentityArn]) -> bool:
        """Read *identities* from SES."""
        return self.own.fetch(identities)

    def refresh_soon(self) -> None:
        """Let everything be read again as the budget allows, for all relays."""
        self.own.refresh_soon()

    def invalidate(self, identity: IdentityArn | None = None) -> bool:
        """Let *identity*, or everything, be read again as soon as may be, for all relays."""
        return self.own.invalidate(identity)

    def used(self, delegate: str, decisions: Sequence[Decision]) -> None:
        """Remember that mail was judged; it is told to the relay that asks SES."""
        self.own.used(delegate, decisions)

    async def look(self, delegate: str, identities: Iterable[IdentityArn], patience: float) -> bool:
        """Wait for what is not known of *identities*, whichever relay asks for it."""
        return await self.own.look(delegate, identities, patience)

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """One for each account and region."""
        return self.own.sources

    def places(self) -> tuple[PlaceState, ...]:
        """Tell how each account and region stands."""
        troubles = [each.trouble for each in self.fellowships]
        return tuple(
            replace(state, troubles=(*state.troubles, trouble)) if trouble else state
            for state, trouble in zip(self.own.places(), troubles, strict=True)
        )

    async def run(self) -> None:
        """Keep in step, and ask SES where that is our part, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.own.run())
            for each in self.fellowships:
                group.create_task(going_on(each.run, partial(self._fault_in, each), _AFTER_FAULT))

    def _fault_in(self, fellowship: Fellowship, error: Exception) -> None:
        self._observe(Noted("error", "policies.fault", {"why": f"{type(error).__name__}: {error}"}))
        fellowship.go_alone("a fault of ours")

    def _place_changed(self, place: Place) -> None:
        self.own.publish()
        self.own.state_revocation(place)
        place.tell()


def _tag(place: Place, endpoint: str) -> str:
    """Name what is shared of one account and region of one SES."""
    other = [] if endpoint == "aws" else [hashlib.sha256(endpoint.encode()).hexdigest()[:16]]
    return ":".join(["policies", place.account, place.region, *other])
