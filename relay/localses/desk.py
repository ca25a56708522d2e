"""``/_local``: what arrived, and what shall go wrong. Not part of Amazon's API; nothing here is signed."""

import json
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from relay.localses.faults import FaultProblem, Faults
from relay.localses.house import House
from relay.localses.standing import StandingProblem

_PATHS: Final = ", ".join(f"/_local/{name}" for name in ("messages", "events", "faults", "accounts", "judged"))


class Desk:
    """Serves the accepted messages and what policies were asked; takes the faults, and how accounts stand."""

    def __init__(self, house: House, faults: Faults) -> None:
        self._store = house.store
        self._judged = house.judged
        self._standings = house.quota.standings
        self._faults = faults

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served, everything else under ``/_local`` being a plain 404."""
        return [
            web.get("/_local/messages", self._list_messages, allow_head=False),
            web.delete("/_local/messages", self._clear_messages),
            web.get("/_local/faults", self._list_faults, allow_head=False),
            web.put("/_local/faults", self._set_faults),
            web.delete("/_local/faults", self._clear_faults),
            web.get("/_local/accounts", self._list_standings, allow_head=False),
            web.put("/_local/accounts", self._set_standings),
            web.delete("/_local/accounts", self._clear_standings),
            web.get("/_local/judged", self._list_judged, allow_head=False),
            web.delete("/_local/judged", self._clear_judged),
            web.route("*", "/_local{rest:.*}", self._unknown),
        ]

    async def _list_messages(self, request: web.Request) -> web.StreamResponse:
        """One message at a time: the list may be larger than anybody wants to hold twice."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        separator = b"["
        for message in self._store:
            await response.write(separator + json.dumps(message.told()).encode())
            separator = b",\n"
        await response.write(b"[]" if separator == b"[" else b"]")
        await response.write_eof()
        return response

    async def _clear_messages(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        self._store.clear()
        return web.json_response({})

    async def _list_faults(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        return web.json_response(self._faults.left())

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self._faults.set(await request.read())
        except FaultProblem as problem:
            return web.json_response({"message": str(problem)}, status=400)
        return web.json_response({})

    async def _clear_faults(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        self._faults.clear()
        return web.json_response({})

    async def _list_standings(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        return web.json_response(self._standings.told())

    async def _set_standings(self, request: web.Request) -> web.Response:
        try:
            self._standings.set(await request.read())
        except StandingProblem as problem:
            return web.json_response({"message": str(problem)}, status=400)
        return web.json_response({})

    async def _clear_standings(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        self._standings.clear()
        return web.json_response({})

    async def _list_judged(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        return web.json_response([each.told() for each in self._judged])

    async def _clear_judged(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        self._judged.clear()
        return web.json_response({})

    async def _unknown(self, request: web.Request) -> web.Response:
        message = f"{request.method} {request.path} is not served; there are {_PATHS}."
        return web.json_response({"message": message}, status=404)
