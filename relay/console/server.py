"""The admin HTTP endpoint: probes, metrics, the API, and the console. It shares the loop with the mail."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiohttp import web

from relay.console import door, guard
from relay.console.askers import ADMIN, ASKER, LOCAL, OBJECT, Asker, Token, Tokens
from relay.console.guard import is_loopback
from relay.console.readiness import Readiness, as_text, is_ready
from relay.observe.events import Noted, Observer

if TYPE_CHECKING:
    from relay.console.interior import Interior, Ports
    from relay.console.routes import Route

#: What a probe or a scraper may ask without a token, wherever the endpoint is bound.
OPEN_PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
_HEADERS: Final = {
    "Server": door.SERVER,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminServer:
    """
    Serves ``/livez``, ``/readyz``, ``/metrics``, ``/api/``, and the console: ``/``, ``/static/``, ``/session``.

    Args:
        metrics: Renders the metrics for an ``Accept`` field: octets and content type. Called in a thread.
        ready: The checks as they stand; called on the loop for each probe, so it must not wait for anything.
        tokens: Bearer tokens of operators, of which one is needed for everything but the three probes when bound off
            loopback. Without any, those answer 401 there.
        scoped: Tokens of viewers, of some delegates, of operators by name. Where there are any, the API needs a token
            on loopback too.
        console: Whether there is a console, and whether one can sign in.
        ports: Returns what the API asks; None for nothing of it. Called once, in a thread, when somebody asks for more
            than a probe.
        observe: Hears of every change that somebody asked for.
    """

    def __init__(
        self,
        metrics: Callable[[str], tuple[bytes, str]],
        ready: Callable[[], Readiness],
        *,
        tokens: Sequence[str] = (),
        scoped: Sequence[Token] = (),
        console: bool = True,
        ports: "Callable[[], Ports] | None" = None,
        observe: Observer = lambda _: None,
    ) -> None:
        self._render = metrics
        self._ready = ready
        self._observe = observe
        self.renew(tokens, scoped)
        self._guarded = True
        self._renderer = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        self._console = console
        self._ports = ports
        self._interior: Interior | None = None
        self._furnishing = asyncio.Lock()
        self._runner = web.AppRunner(self._application(), access_log=None)
        self._server: asyncio.Server | None = None

    def renew(self, tokens: Sequence[str], scoped: Sequence[Token]) -> None:
        """Take other tokens from the next request on."""
        everything = [*(Token(secret, ADMIN) for secret in tokens), *scoped]
        self._tokens = Tokens(everything, are_scoped=bool(scoped))

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """
        Listen on *host* and *port*, 0 for any free one.

        Returns:
            The address that is bound.

        Raises:
            OSError: It cannot be bound; the text names it.
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
        except OSError as error:
            await self.stop()
            number = error.errno or 0  # the resolver's are negative, and their words no system call's
            why = os.strerror(number) if number > 0 else error.strerror
            raise OSError(f"admin: cannot listen on {host}:{port}: {why}") from error
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

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._at_the_door], client_max_size=door.MOST_BODY_OCTETS)
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._metrics)
        application.router.register_resource(_AllElse(self._router))
        application.on_response_prepare.append(_dress)
        return application

    async def _router(self) -> web.UrlDispatcher:
        """Return where the pages behind the probes are; the first who asks has them loaded."""
        async with self._furnishing:
            if self._interior is None:
                self._interior = await asyncio.to_thread(self._furnished)
            return self._interior.router

    def _furnished(self) -> "Interior":
        """Load the pages and put them together; blocks."""
        from relay.console.interior import Interior, Ports  # noqa: PLC0415  most are asked for metrics alone
        from relay.console.session_pages import SessionPages  # noqa: PLC0415  the same

        ports = Ports() if self._ports is None else self._ports()
        features = {"inbox": ports.inbox is not None}
        return Interior(ports, SessionPages(lambda: self._tokens, self._observe, features) if self._console else None)

    @web.middleware
    async def _at_the_door(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        owner = self._owner_of(request)
        if owner is None and self._needs_token(request.path):
            return door.said(401, headers={"WWW-Authenticate": "Bearer"})
        if (turned_away := guard.refusal(request, has_token=owner is not None)) is not None:
            return door.said(*turned_away)
        asker = owner or LOCAL
        if owner is not None or (not self._needs_token(guard.API) and guard.names_this_machine(request)):
            request[ASKER] = asker
        route = None if self._interior is None else self._interior.route_of(request)
        if request.match_info.route.resource is not None and not guard.may(asker, request.path, route):
            return door.said(403, "this token does not open that")
        try:
            answer = await handler(request)
        except web.HTTPException as refusal:
            allow = {"Allow": refusal.headers["Allow"]} if "Allow" in refusal.headers else None
            return door.said(refusal.status, headers=allow)
        self._tell(asker, route, request, answer.status)
        return answer

    def _owner_of(self, request: web.Request) -> Asker | None:
        """Find who asks, by the token, or by the cookie of who has signed in with one."""
        owner = self._tokens.owner_of(request.headers.get("Authorization", ""))
        session = None if self._interior is None else self._interior.session
        return session.asker_of(request) if owner is None and session is not None else owner

    def _needs_token(self, path: str) -> bool:
        if self._guarded:
            return path not in OPEN_PATHS and (self._interior is None or path not in self._interior.open_paths)
        return self._tokens.are_scoped and path.startswith(guard.API)

    def _tell(self, asker: Asker, route: "Route | None", request: web.Request, status: int) -> None:
        """Write the audit line of a change that was made."""
        if route is None or not route.changes or status >= 400:
            return
        what = request.get(OBJECT) or request.match_info.get("id") or request.match_info.get("name")
        told = {"token": asker.name, "action": route.name, "object": what, "status": status}
        self._observe(Noted("info", "admin.changed", told))

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


class _AllElse(web.PlainResource):
    """Every path but those of the probes, led to a router that is there when somebody asks for one."""

    def __init__(self, router: Callable[[], Awaitable[web.UrlDispatcher]]) -> None:
        super().__init__("/")  # the last that is tried for any path
        self._router = router

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """Return the page, or the methods by which there is one."""
        found = await (await self._router()).resolve(request)
        if isinstance(found.http_exception, web.HTTPMethodNotAllowed):
            return None, found.http_exception.allowed_methods
        return (found, set()) if found.http_exception is None else (None, set())


async def _dress(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
