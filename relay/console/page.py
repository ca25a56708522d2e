"""The console's files as they are served: one page, its style, its scripts. Nothing is loaded from elsewhere."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

#: Where the files are, beside ``/``, which is the page itself.
STATIC: Final = "/static/"
_INDEX: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: No script but these, which may not make one from a text either; nothing from elsewhere; in nobody's frame.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}


class _File:
    """One file, whole in memory, with its type and its tag."""

    def __init__(self, name: str, octets: bytes) -> None:
        self.octets = octets
        self.type = _TYPES[Path(name).suffix]
        self.tag = hashlib.sha256(octets).hexdigest()[:32]

    async def answer(self, request: web.Request) -> web.Response:
        """Send it, unless the browser has it already: it asks each time, and gets 304."""
        known = request.if_none_match or ()
        response = web.Response(status=304, headers=HEADERS)
        if not any(each.value in (self.tag, "*") for each in known):
            response = web.Response(body=self.octets, headers={**HEADERS, "Content-Type": self.type})
        response.etag = self.tag
        return response


def add_to(router: web.UrlDispatcher) -> frozenset[str]:
    """Make the page known; return the paths of its files, which hold nothing that is secret."""
    served = {}
    for file in Path(__file__).with_name("static").iterdir():
        if file.suffix in _TYPES:
            served["/" if file.name == _INDEX else STATIC + file.name] = _File(file.name, file.read_bytes())
    for path, kept in served.items():
        router.add_get(path, kept.answer)
    return frozenset(served)
