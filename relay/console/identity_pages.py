"""``/api/identities``: what is known of identities and their policies, for programs. Where from, a port knows."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from relay.console import door
from relay.console.spool_pages import Declined, Told
from relay.words.unavailable import Unavailable


class IdentitiesPort(Protocol):
    """The directory of identities, as the console sees it. No answer holds a policy's text."""

    def listed(self, asked: Sequence[tuple[str, str]]) -> Told:
        """
        List the identities that the fields of a query choose, and how each account and region stands.

        Raises:
            ValueError: A field that there is not, or not with this value; its text says so.
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
        router.add_post("/api/identities/refresh", self._refresh)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            return _answer(self._port.listed(list(request.query.items())))
        except ValueError as problem:
            return door.said(400, str(problem))

    async def _refresh(self, request: web.Request) -> web.Response:
        try:
            told = self._port.refresh(_identity_in(await request.read()))
        except ValueError as problem:
            return door.said(400, str(problem))
        return _answer(told, status=202)


def _identity_in(octets: bytes) -> str | None:
    """Read ``{"identity": "ARN"}``; nothing, or ``{}``, is all."""
    try:
        body: Any = json.loads(octets) if octets.strip() else {}
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None
    identity = body.get("identity") if isinstance(body, dict) else None
    is_good = isinstance(body, dict) and body.keys() <= {"identity"} and (not body or isinstance(identity, str))
    if not is_good:
        raise ValueError('the body is {} or {"identity": "ARN"}')
    return identity


def _answer(told: Told, status: int = 200) -> web.Response:
    match told:
        case Declined(why, is_known):
            return door.said(409 if is_known else 404, why)
        case Unavailable(why):
            return door.said(503, why)
        case _:
            return web.json_response(told, status=status)
