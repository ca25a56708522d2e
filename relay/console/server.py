"""The admin HTTP endpoint: probes, metrics, the API, and the console. It shares the loop with the mail."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from aiohttp import web

from relay.console import door, guard, openapi, page
from relay.console.askers import ADMIN, ASKER, LOCAL, OBJECT, Asker, Token, Tokens
from relay.console.decision_pages import DecisionPages, DecisionsPort
from relay.console.delegate_pages import DelegatePages, DelegatesPort
from relay.console.explain_pages import ExplainPages, ExplainPort
from relay.console.guard import is_loopback
from relay.console.identity_pages import IdentitiesPort, IdentityPages
from relay.console.inbox_pages import InboxPages, InboxPort
from relay.console.readiness import Readiness, as_text, is_ready
from relay.console.routes import Route, route_of
from relay.console.session_pages import SessionPages
from relay.console.spool_pages import SpoolPages, SpoolPort
from relay.observe.events import Noted, Observer

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
        spool: What ``/api/spool`` asks; None for no such pages.
        identities: What ``/api/identities`` asks; None for no such pages.
        decisions: What ``/api/decisions`` asks; None for no such pages.
        explain: What ``/api/explain`` asks; None for no such page.
        delegates: What ``/api/delegates`` and ``/api/traffic`` ask; None for no such pages.
        inbox: What ``/api/inbox`` asks; None for no such pages.
        observe: Hears of every change that somebody asked for.
    """

    def __init__(  # noqa: PLR0913  one for each page
        self,
        metrics: Callable[[str], tuple[bytes, str]],
        ready: Callable[[], Readiness],
        *,
        tokens: Sequence[str] = (),
        scoped: Sequence[Token] = (),
        console: bool = True,
        spool: SpoolPort | None = None,
        identities: IdentitiesPort | None = None,
        decisions: DecisionsPort | None = None,
        explain: ExplainPort | None = None,
        delegates: DelegatesPort | None = None,
        inbox: InboxPort | None = None,
        observe: Observer = lambda _: None,
    ) -> None:
        self._render = metrics
        self._ready = ready
        self._observe = observe
        self.renew(tokens, scoped)
        self._guarded = True
        self._renderer = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        application = self._application()
        self._open_paths = OPEN_PATHS
        self._session: SessionPages | None = None
        if console:
            self._session = SessionPages(lambda: self._tokens, observe, {"inbox": inbox is not None})
            self._session.add_to(application.router)
            self._open_paths |= page.add_to(application.router) | {guard.SESSION}
        openapi.add_to(application.router)
        if spool is not None:
            SpoolPages(spool).add_to(application.router)
        if identities is not None:
            IdentityPages(identities).add_to(application.router)
        if decisions is not None:
            DecisionPages(decisions).add_to(application.router)
        if explain is not None:
            ExplainPages(explain).add_to(application.router)
        if delegates is not None:
            DelegatePages(delegates).add_to(application.router)
        if inbox is not None:
            InboxPages(inbox).add_to(application.router)
        self._runner = web.AppRunner(application, access_log=None)
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
        application.on_response_prepare.append(_dress)
        return application

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
        resource = request.match_info.route.resource
        route = route_of(request.method, None if resource is None else resource.canonical)
        if resource is not None and not guard.may(asker, request.path, route):
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
        return self._session.asker_of(request) if owner is None and self._session is not None else owner

    def _needs_token(self, path: str) -> bool:
        if self._guarded:
            return path not in self._open_paths
        return self._tokens.are_scoped and path.startswith(guard.API)

    def _tell(self, asker: Asker, route: Route | None, request: web.Request, status: int) -> None:
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


async def _dress(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
