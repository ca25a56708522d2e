"""``/session``: who asks, signing in with a token, and out. Not part of the API, which takes tokens as they are."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from relay import __version__
from relay.console import door
from relay.console.askers import ASKER, Asker, Tokens, fingerprint_of
from relay.console.bodies import object_of
from relay.console.guard import SESSION
from relay.console.sessions import Failures, Sessions, cookie_name, needs_tls
from relay.observe.events import Noted, Observer

LONGEST_TOKEN: Final = 4096
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class SessionPages:
    """
    The pages, and the sessions behind them.

    Args:
        tokens: The tokens of the moment.
        observe: Hears who came and went, and who tried in vain.
        features: What there is to see beside what every relay has, by name.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        tokens: Callable[[], Tokens],
        observe: Observer,
        features: Mapping[str, bool],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._observe = observe
        self._features = features
        self._failures = Failures(clock)
        self._sessions = Sessions(clock)

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make them known."""
        router.add_get(SESSION, self._show)
        router.add_post(SESSION, self._begin)
        router.add_delete(SESSION, self._end)

    def asker_of(self, request: web.Request) -> Asker | None:
        """Return who has signed in, by the cookie of *request*."""
        return self._sessions.asker_of(request, self._tokens())

    async def _show(self, request: web.Request) -> web.Response:
        asker = request.get(ASKER)
        if asker is None:
            return web.json_response({"asker": None})
        told = {
            "name": asker.name,
            "may_change": asker.may_change,
            "delegates": None if asker.delegates is None else sorted(asker.delegates),
        }
        signed_in = self.asker_of(request) is not None
        about = {"version": __version__, "features": sorted(name for name, there in self._features.items() if there)}
        return web.json_response({"asker": told, "signed_in": signed_in, **about})

    async def _begin(self, request: web.Request) -> web.Response:
        """Take a token, and give a cookie that stands for it until it is over."""
        address = request.remote or ""
        if self._failures.must_wait(address):
            return door.said(429, headers={"Retry-After": "60"})
        try:
            token = _token_in(await object_of(request))
        except ValueError as problem:
            return door.said(400, str(problem))
        asker = self._tokens().owner_of(f"Bearer {token}")
        if asker is None:
            self._failures.add(address)
            self._tell("warning", "admin.sign-in-failed", client=address)
            return door.said(403, "this is no token of this relay")
        self._sessions.end(request)
        name = self._sessions.begin(fingerprint_of(token.strip().encode("utf-8", "surrogateescape")))
        self._tell("info", "admin.signed-in", client=address, token=asker.name)
        answer = web.json_response({"name": asker.name})
        secure = needs_tls(request)
        answer.set_cookie(cookie_name(request), name, path="/", httponly=True, samesite="Strict", secure=secure)
        return answer

    async def _end(self, request: web.Request) -> web.Response:
        asker = self.asker_of(request)
        self._sessions.end(request)
        if asker is not None:
            self._tell("info", "admin.signed-out", client=request.remote or "", token=asker.name)
        answer = web.json_response({})
        secure = needs_tls(request)
        answer.del_cookie(cookie_name(request), path="/", httponly=True, samesite="Strict", secure=secure)
        return answer

    def _tell(self, level: str, event: str, **details: str) -> None:
        self._observe(Noted(level, event, details))


def _token_in(body: Mapping[str, Any]) -> str:
    """Read ``{"token": "..."}``."""
    token = body.get("token")
    if body.keys() != {"token"} or not isinstance(token, str) or len(token) > LONGEST_TOKEN or _SURROGATE.search(token):
        raise ValueError('the body is {"token": "..."}')
    return token
