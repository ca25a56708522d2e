"""``/api/delegates``: who may send, how each proves itself, and what became of its mail. Never what proves it."""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from relay.console import door
from relay.console.askers import asker_of
from relay.console.spool_pages import Told, answer


class DelegatesPort(Protocol):
    """The delegates, as the console sees them. No answer holds a password, a hash or where either lies."""

    def listed(self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None) -> Told:
        """
        List delegates by name, those of *delegates* only; None for all.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
        """


class DelegatePages:
    """The page over a port."""

    def __init__(self, port: DelegatesPort) -> None:
        self._port = port

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make it known."""
        router.add_get("/api/delegates", self._list)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return answer(self._port.listed(list(request.query.items()), asker_of(request).delegates))
        except ValueError as problem:
            return door.said(400, str(problem))
