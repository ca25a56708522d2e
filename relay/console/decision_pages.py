"""``/api/decisions``: what was decided over recent mail, and why, for programs. Where it is kept, a port knows."""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from relay.console import door
from relay.console.askers import asker_of
from relay.console.spool_pages import Told, answer


class DecisionsPort(Protocol):
    """
    The journal, as the console sees it. A record has no body and no secret.

    *delegates*: those whose decisions there are for the one who asks; None for all.
    """

    async def listed(self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None) -> Told:
        """
        List the decisions that the fields of a query choose, the newest first.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
        """

    async def shown(self, name: str, delegates: frozenset[str] | None = None) -> Told:
        """Return the record of the decision *name*."""

    async def explained(self, name: str, delegates: frozenset[str] | None = None) -> Told:
        """Explain the decision *name*: as the judge would be asked again, by the policies of then."""


class DecisionPages:
    """The pages over a port."""

    def __init__(self, port: DecisionsPort) -> None:
        self._port = port

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make them known."""
        router.add_get("/api/decisions", self._list)
        router.add_get("/api/decisions/{id}", self._show)
        router.add_get("/api/decisions/{id}/explanation", self._explain)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return answer(await self._port.listed(list(request.query.items()), asker_of(request).delegates))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _show(self, request: web.Request) -> web.Response:
        return answer(await self._port.shown(request.match_info["id"], asker_of(request).delegates))

    async def _explain(self, request: web.Request) -> web.Response:
        return answer(await self._port.explained(request.match_info["id"], asker_of(request).delegates))
