"""
``/api/delegates`` and ``/api/traffic``: who may send, how each proves itself, and what becomes of its mail. Never what
proves it.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from aiohttp import web

from relay.console import door
from relay.console.askers import asker_of
from relay.console.bodies import object_of
from relay.console.spool_pages import Declined, Told, answer


class DelegatesPort(Protocol):
    """The delegates, as the console sees them. No answer holds a password, a hash or where either lies."""

    def listed(self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None) -> Told:
        """
        List delegates by name, those of *delegates* only; None for all.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
        """

    def traffic(self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None) -> Told:
        """
        Tell what became of messages in the last hour.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
        """

    async def resume(self, name: str) -> Told:
        """Let a delegate send as ever, which its bounces or complaints had slowed or suspended."""


class DelegatePages:
    """The pages over a port."""

    def __init__(self, port: DelegatesPort) -> None:
        self._port = port

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make them known."""
        router.add_get("/api/delegates", self._list)
        router.add_post("/api/delegates/{name}/resume", self._resume)
        router.add_get("/api/traffic", self._traffic)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return answer(self._port.listed(list(request.query.items()), asker_of(request).delegates))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _traffic(self, request: web.Request) -> web.Response:
        try:
            return answer(self._port.traffic(list(request.query.items()), asker_of(request).delegates))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _resume(self, request: web.Request) -> web.Response:
        try:
            if await object_of(request):
                return door.said(400, "the body is {}")
        except ValueError as problem:
            return door.said(400, str(problem))
        name = request.match_info["name"]
        if not asker_of(request).sees(name):
            return answer(_UNKNOWN)
        return answer(await self._port.resume(name))


_UNKNOWN: Final = Declined("there is no such delegate", is_known=False)
