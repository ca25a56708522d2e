"""
Who hears of an event: the queue that was named at the start, the topics and buses that configuration sets and
identities name, and ``/_local/events``.

Nothing of it is waited for by whoever sends: events go out one after the other, beside.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from relay.localses.configuration_sets import ConfigurationSet
from relay.localses.events import Event, notified, published
from relay.localses.identities import Identities
from relay.localses.naming import identity_of_arn
from relay.localses.outlet import Nowhere, Outlet, Place, place_of
from relay.localses.owners import Owner
from relay.localses.store import Message

MOST_EVENTS: Final = 10_000
"""Of those that are remembered, and of those that wait."""

LAST_WORDS: Final = 2.0
"""Seconds that what waits has left when the embedded SES stops."""

_log = logging.getLogger(__name__)
_MATCHING: Final = {"Rendering Failure": "RENDERING_FAILURE", "DeliveryDelay": "DELIVERY_DELAY"}


@dataclass(slots=True)
class Told:
    """An event that was told: its record, and what became of it at each place it goes to."""

    message_id: str
    record: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"message_id": self.message_id, "event": self.record, "places": dict(self.places)}


class Publisher:
    """
    Tells of events.

    Args:
        identities: Whose notifications and configuration sets are asked where events go.
        outlet: How records reach queues, topics and buses; None: none of them.
    """

    def __init__(self, identities: Identities, outlet: Outlet | None = None) -> None:
        self._identities = identities
        self._outlet = outlet
        self._told: deque[Told] = deque(maxlen=MOST_EVENTS)
        self._waiting: deque[tuple[Told, Place, dict[str, Any]]] = deque(maxlen=MOST_EVENTS)
        self._worker: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[Told]:
        return iter(tuple(self._told))

    def clear(self) -> None:
        """Forget the events that were told; what waits still goes out."""
        self._told.clear()

    def tell(self, happened: Event, message: Message) -> Told:
        """Tell of an event, from inside the running loop. Never waits, never fails."""
        told = Told(message.id, published(happened, message))
        self._told.append(told)
        try:
            self._put_off(told, list(self._places(happened, message, told.record)))
        except Exception:  # noqa: BLE001  the message is accepted already: nobody can be told of this but the log
            _log.exception("nobody hears of an event of %s", message.id)
        return told

    async def stop(self) -> None:
        """Give what waits a moment, then close the ways out."""
        if self._worker is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._worker, LAST_WORDS)
        if self._outlet is not None:
            await self._outlet.close()

    def _put_off(self, told: Told, places: Sequence[tuple[Place, dict[str, Any]]]) -> None:
        for place, record in places:
            told.places[place.name] = "waits" if self._outlet and self._outlet.reaches(place) else "no way there"
            if told.places[place.name] == "waits":
                self._waiting.append((told, place, record))
        if self._waiting and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._deliver())

    def _places(
        self, happened: Event, message: Message, record: dict[str, Any]
    ) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Where the event goes, each place with the record in the shape of who named it."""
        owner = Owner(message.principal.split(":", 5)[4], message.region)
        if self._outlet is not None and self._outlet.queue is not None:
            yield self._outlet.queue, record
        for destination in self._destinations(owner, message.configuration_set):
            if destination.get("Enabled") and _matching(happened) in destination.get("MatchingEventTypes", ()):
                with suppress(Nowhere):
                    yield place_of(destination, owner), record
        identity = identity_of_arn(self._identities, message.identity_arn, message.region)
        if identity is not None and happened.kind in identity.traits.topics:
            with_headers = happened.kind in identity.traits.with_headers
            topic = Place("sns", identity.traits.topics[happened.kind], identity.owner)
            yield topic, notified(happened, message, with_headers=with_headers)

    def _destinations(self, owner: Owner, name: str | None) -> Iterator[Mapping[str, Any]]:
        found: ConfigurationSet | None = None
        if name is not None:
            found = self._identities.configuration_sets.find(owner, name)
        yield from found.destinations.values() if found is not None else ()

    async def _deliver(self) -> None:
        while self._waiting and self._outlet is not None:
            told, place, record = self._waiting.popleft()
            try:
                await self._outlet.put(place, record)
            except Nowhere as trouble:
                told.places[place.name] = str(trouble)
                _log.warning("an event did not reach %s: %s", place.name, trouble)
            except Exception:  # noqa: BLE001  the next event may fare better
                told.places[place.name] = "lost by a mistake of ours"
                _log.exception("an event did not reach %s", place.name)
            else:
                told.places[place.name] = "told"


def _matching(happened: Event) -> str:
    return _MATCHING.get(happened.kind, happened.kind.upper())
