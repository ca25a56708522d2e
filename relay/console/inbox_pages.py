"""``/api/inbox``: what the embedded SES of the demo took. A relay before Amazon SES has no such pages."""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from relay.console import door
from relay.console.spool_pages import Told, answer


class InboxPort(Protocol):
    """The messages of an embedded SES, as the console sees them."""

    async def listed(self, asked: Sequence[tuple[str, str]]) -> Told:
        """
        List messages, the newest first.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
        """

    async def shown(self, name: str) -> Told:
        """Tell all of the message that SES calls *name*: its header fields and its texts."""


class InboxPages:
    """The pages over a port."""

    def __init__(self, port: InboxPort) -> None:
        self._port = port

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make them known."""
        router.add_get("/api/inbox", self._list)
        router.add_get("/api/inbox/{id}", self._show)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return answer(await self._port.listed(list(request.query.items())))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _show(self, request: web.Request) -> web.Response:
        return answer(await self._port.shown(request.match_info["id"]))
