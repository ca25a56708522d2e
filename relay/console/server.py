"""The admin HTTP endpoint: probes, metrics, the API, and one page. It shares the loop with the mail: it stays small."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from aiohttp import web

from relay.console import door, guard, page
from relay.console.guard import is_loopback
from relay.console.identity_pages import IdentitiesPort, IdentityPages
from relay.console.readiness import Readiness, as_text, is_ready
from relay.console.spool_pages import SpoolPages, SpoolPort

#: What a probe or a scraper may ask without a token, wherever the endpoint is bound.
OPEN_PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
_HEADERS: Final = {
    "Server": door.SERVER,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminServer:
    """
    Serves ``/livez``, ``/readyz``, ``/metrics``, ``/api/`` and ``/``.

    Args:
        metrics: Renders the metrics for an ``Accept`` field: octets and content type. Called in a thread.
        ready: The checks as they stand; called on the loop for each probe, so it must not wait for anything.
        tokens: Bearer tokens of which one is needed for everything but the three probes when bound off loopback.
            Without any, those answer 401 there.
        console: Whether ``/`` is served.
        spool: What ``/api/spool`` asks; None for no such pages.
        identities: What ``/api/identities`` asks; None for no such pages.
    """

    def __init__(
        self,
        metrics: Callable[[str], tuple[bytes, str]],
        ready: Callable[[], Readiness],
        *,
        tokens: tuple[str, ...] = (),
        console: bool = True,
        spool: SpoolPort | None = None,
        identities: IdentitiesPort | None = None,
    ) -> None:
        self._render = metrics
        self._ready = ready
        self._tokens = tuple(token.encode() for token in tokens if token)
        self._guarded = True
        self._renderer = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        application = self._application(console=console)
        if spool is not None:
            SpoolPages(spool).add_to(application.router)
        if identities is not None:
            IdentityPages(identities).add_to(application.router)
        self._runner = web.AppRunner(application, access_log=None)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """
        Listen on *host* and *port*, 0 for any free one.

        Returns:
            The address that is bound.

        Raises:
            OSError: It cannot be bound.
        """
        self._guarded = not is_loopback(host)
        await self._runner.setup()
        server = self._runner.server
        if server is None:
            raise RuntimeError("an application runner has a server once it is set up")
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: door.Door(
                    server, loop=loop, access_log=None, keepalive_timeout=door.PATIENCE, lingering_time=0.0
                ),
                host,
                port,
            )
        except OSError:
            await self.stop()
            raise
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def stop(self) -> None:
        """Stop listening and close what is open; answers under way have two seconds."""
        if self._server is not None:
            self._server.close()
        if self._runner.server is not None:
            self._runner.server.pre_shutdown()
            with suppress(TimeoutError):
                await self._runner.server.shutdown(2.0)
        await self._runner.cleanup()
        self._renderer.shutdown(wait=False)

    def _application(self, *, console: bool) -> web.Application:
        application = web.Application(middlewares=[self._at_the_door], client_max_size=door.MOST_BODY_OCTETS)
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._metrics)
        if console:
            application.router.add_get("/", self._page)
        application.on_response_prepare.append(_dress)
        return application

    @web.middleware
    async def _at_the_door(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        has_token = self._has_token(request)
        if self._guarded and request.path not in OPEN_PATHS and not has_token:
            return door.said(401, headers={"WWW-Authenticate": "Bearer"})
        if (turned_away := guard.refusal(request, has_token=has_token)) is not None:
            return door.said(*turned_away)
        try:
            return await handler(request)
        except web.HTTPException as refusal:
            allow = {"Allow": refusal.headers["Allow"]} if "Allow" in refusal.headers else None
            return door.said(refusal.status, headers=allow)

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
        given = presented.strip().encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(given, token) for token in self._tokens]
        return scheme.lower() == "bearer" and any(matches)

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        readiness = self._ready()
        ready = is_ready(readiness)
        text = "ready\n" if ready else "not ready\n"
        if "verbose" in request.query:
            text = as_text(readiness) + text
        return web.Response(text=text, status=200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        loop = asyncio.get_running_loop()
        body, content_type = await loop.run_in_executor(self._renderer, self._render, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=page.PAGE, content_type="text/html", headers=page.HEADERS)


async def _dress(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
