"""``/api/spool``: the messages that wait, for programs. What a spool is the console does not know: it asks a port."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NewType, Protocol, TypeAlias

from aiohttp import web

from relay.console import door
from relay.console.askers import asker_of
from relay.console.bodies import object_of
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

ACTIONS: Final = ("retry", "hold", "release", "delete")


@dataclass(frozen=True, slots=True)
class Declined:
    """It cannot be done to this message now; ``why`` for people. ``is_known``: whether there is such a message."""

    why: str
    is_known: bool = True


#: An answer that is JSON already, written in a thread: a long one would cost the loop milliseconds.
Json = NewType("Json", str)
#: JSON, or why there is none.
Told: TypeAlias = Mapping[str, Any] | Json | Declined | Unavailable


class SpoolPort(Protocol):
    """
    The spool, as the console sees it. No answer holds a message.

    *delegates*: those whose messages there are for the one who asks; None for all. Messages of others there are not.
    """

    async def listed(self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None) -> Told:
        """
        List the messages that the fields of a query choose; and count all by state, for who sees all.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
        """

    async def shown(self, name: str, delegates: frozenset[str] | None = None) -> Told:
        """Tell all of the message that is called *name*."""

    async def act(self, name: str, action: str, delegates: frozenset[str] | None = None, *, notify: bool) -> Told:
        """Do one of ``ACTIONS`` to it, and tell what it is now. *notify*: with a deletion its author is notified."""


class SpoolPages:
    """The pages over a port."""

    def __init__(self, port: SpoolPort) -> None:
        self._port = port

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make them known."""
        router.add_get("/api/spool", self._list)
        router.add_get("/api/spool/{id}", self._show)
        for action in ACTIONS:
            router.add_post(f"/api/spool/{{id}}/{action}", partial(self._act, action))

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return answer(await self._port.listed(list(request.query.items()), asker_of(request).delegates))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _show(self, request: web.Request) -> web.Response:
        return answer(await self._port.shown(request.match_info["id"], asker_of(request).delegates))

    async def _act(self, action: str, request: web.Request) -> web.Response:
        try:
            notify = _notify_of(await object_of(request), action)
        except ValueError as problem:
            return door.said(400, str(problem))
        name, delegates = request.match_info["id"], asker_of(request).delegates
        return answer(await self._port.act(name, action, delegates, notify=notify))


def _notify_of(body: Mapping[str, Any], action: str) -> bool:
    """Read ``{"notify": true}``, which only a deletion knows."""
    known = {"notify"} if action == "delete" else set()
    if not (body.keys() <= known and all(type(value) is bool for value in body.values())):
        raise ValueError("the body is {}" + (' or {"notify": true}' if known else ""))
    return bool(body.get("notify", False))


def answer(told: Told, status: int = 200) -> web.Response:
    """Tell it, or why there is nothing to tell."""
    match told:
        case Declined(why, is_known):
            return door.said(409 if is_known else 404, why)
        case Unavailable(why):
            return door.said(503, why)
        case str(text):
            return web.Response(text=text, status=status, content_type="application/json")
        case _:
            return web.json_response(told, status=status)
