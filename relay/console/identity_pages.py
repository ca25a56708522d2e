"""``/api/identities``: what is known of identities and their policies, for programs. Where from, a port knows."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from relay.console import door
from relay.console.askers import OBJECT
from relay.console.bodies import object_of
from relay.console.spool_pages import Told, answer


class IdentitiesPort(Protocol):
    """The directory of identities, as the console sees it."""

    async def listed(self, asked: Sequence[tuple[str, str]]) -> Told:
        """
        List the identities that the fields of a query choose, and how each account and region stands.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
        """

    async def policies(self, asked: Sequence[tuple[str, str]]) -> Told:
        """
        Tell every policy of one identity: what the relay reads in it, and its text.

        Raises:
            ValueError: No identity is named, or it is no ARN of one.
        """

    def refresh(self, identity: str | None) -> Told:
        """
        Let one identity be read again soon, by its ARN, or everything.

        Raises:
            ValueError: It is no ARN of an identity.
        """


class IdentityPages:
    """The pages over a port."""

    def __init__(self, port: IdentitiesPort) -> None:
        self._port = port

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make them known."""
        router.add_get("/api/identities", self._list)
        router.add_get("/api/identities/policies", self._policies)
        router.add_post("/api/identities/refresh", self._refresh)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return answer(await self._port.listed(list(request.query.items())))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _policies(self, request: web.Request) -> web.Response:
        try:
            return answer(await self._port.policies(list(request.query.items())))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _refresh(self, request: web.Request) -> web.Response:
        try:
            identity = _identity_in(await object_of(request))
            request[OBJECT] = identity or "all"
            told = self._port.refresh(identity)
        except ValueError as problem:
            return door.said(400, str(problem))
        return answer(told, status=202)


def _identity_in(body: Mapping[str, Any]) -> str | None:
    """Read ``{"identity": "ARN"}``; ``{}`` is all."""
    identity = body.get("identity")
    if not (body.keys() <= {"identity"} and (not body or isinstance(identity, str))):
        raise ValueError('the body is {} or {"identity": "ARN"}')
    return identity
