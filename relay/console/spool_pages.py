"""``/api/spool``: the messages that wait, for programs. What a spool is the console does not know: it asks a port."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from aiohttp import web

from relay.console import door
from relay.words.unavailable import Unavailable

ACTIONS: Final = ("retry", "hold", "release", "delete")


@dataclass(frozen=True, slots=True)
class Declined:
    """It cannot be done to this message now; ``why`` for people. ``is_known``: whether there is such a message."""

    why: str
    is_known: bool = True


#: JSON, or why there is none.
Told: TypeAlias = Mapping[str, Any] | Declined | Unavailable


class SpoolPort(Protocol):
    """The spool, as the console sees it. No answer holds a message."""

    async def listed(self, asked: Sequence[tuple[str, str]]) -> Told:
        """
        List the messages that the fields of a query choose, and count all by state.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
        """

    async def shown(self, name: str) -> Told:
        """Tell all of the message that is called *name*."""

    async def act(self, name: str, action: str, *, notify: bool) -> Told:
        """Do one of ``ACTIONS`` to it, and tell what it is now. *notify*: with a deletion its author is notified."""


class SpoolPages:
    """The pages over a port."""

    def __init__(self, port: SpoolPort) -> None:
        self._port = port

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make them known."""
        router.add_get("/api/spool", self._list)
        router.add_get("/api/spool/{id}", self._show)
        router.add_post("/api/spool/{id}/{action:" + "|".join(ACTIONS) + "}", self._act)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return _answer(await self._port.listed(list(request.query.items())))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _show(self, request: web.Request) -> web.Response:
        return _answer(await self._port.shown(request.match_info["id"]))

    async def _act(self, request: web.Request) -> web.Response:
        action = request.match_info["action"]
        try:
            notify = _notify_of(await _body_of(request), action)
        except ValueError as problem:
            return door.said(400, str(problem))
        return _answer(await self._port.act(request.match_info["id"], action, notify=notify))


async def _body_of(request: web.Request) -> Any:
    octets = await request.read()
    try:
        return json.loads(octets) if octets.strip() else {}
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None


def _notify_of(body: Any, action: str) -> bool:
    """Read ``{"notify": true}``, which only a deletion knows; nothing is ``{}``."""
    known = {"notify"} if action == "delete" else set()
    is_good = isinstance(body, dict) and body.keys() <= known and all(type(value) is bool for value in body.values())
    if not is_good:
        raise ValueError("the body is {}" + (' or {"notify": true}' if known else ""))
    return bool(body.get("notify", False))


def _answer(told: Told) -> web.Response:
    match told:
        case Declined(why, is_known):
            return door.said(409 if is_known else 404, why)
        case Unavailable(why):
            return door.said(503, why)
        case _:
            return web.json_response(told)
