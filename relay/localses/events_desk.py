"""``/_local/events``: what became of messages, and what shall become of them. Nothing here is signed."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from relay.localses.addresses import one_address
from relay.localses.events import MEMBERS, Event, bounce, complaint, delay, delivery
from relay.localses.house import House
from relay.localses.store import Message


class EventProblem(ValueError):
    """An event that nobody can put. ``str()`` is one sentence for whoever wrote it."""


class EventsDesk:
    """Serves the events that were told, and tells those that are put."""

    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/_local/events", self._list, allow_head=False),
            web.post("/_local/events", self._put),
            web.delete("/_local/events", self._clear),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query.get("message_id")
        told = [each.described() for each in self._house.publisher if wanted in {None, each.message_id}]
        return web.json_response(told)

    async def _put(self, request: web.Request) -> web.Response:
        try:
            happened, message = self._read(await request.read())
        except EventProblem as problem:
            return web.json_response({"message": str(problem)}, status=400)
        return web.json_response(self._house.publisher.tell(happened, message).described())

    async def _clear(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        self._house.publisher.clear()
        return web.json_response({})

    def _read(self, body: bytes) -> tuple[Event, Message]:
        try:
            given = json.loads(body or b"{}")
        except ValueError:
            raise EventProblem("The body is no JSON.") from None
        if not isinstance(given, dict) or given.keys() - {"message_id", "type", "recipients", "detail"}:
            raise EventProblem("Give an object with message_id, type and, if you like, recipients and detail.")
        kind, message = str(given.get("type")), self._house.store.find(str(given.get("message_id")))
        if message is None:
            raise EventProblem(f"{given.get('message_id')} is no message that is kept here.")
        if kind not in MEMBERS:
            raise EventProblem(f"type is one of {', '.join(MEMBERS)}.")
        detail = given.get("detail", {})
        if not isinstance(detail, dict):
            raise EventProblem("detail is an object: members that take the place of the usual ones.")
        return _happened(kind, message, _recipients(given, message), detail, self._house.clock()), message


_Made = Callable[[Sequence[str], Message, float], Event]
_USUAL: Final[Mapping[str, _Made]] = {
    "Bounce": lambda recipients, _message, now: bounce(recipients, now),
    "Complaint": lambda recipients, _message, now: complaint(recipients, now),
    "Delivery": lambda recipients, message, now: delivery(recipients, message.received_at, now),
    "DeliveryDelay": lambda recipients, _message, now: delay(recipients, now),
    "Reject": lambda _recipients, _message, now: Event("Reject", {"reason": "Bad content"}, now),
}


def _happened(kind: str, message: Message, recipients: Sequence[str], detail: Mapping[str, Any], now: float) -> Event:
    usual = _USUAL[kind](recipients, message, now) if kind in _USUAL else Event(kind, {}, now)
    return Event(kind, {**usual.detail, **detail}, now)


def _recipients(given: Mapping[str, Any], message: Message) -> list[str]:
    """Those that are named, all of the message if none are."""
    everybody = [one_address(each) for each in message.destinations]
    named = given.get("recipients", everybody)
    if not isinstance(named, list) or not named or not set(map(str, named)) <= set(everybody):
        raise EventProblem(f"recipients are some of {', '.join(everybody)}.")
    return [str(each) for each in named]
