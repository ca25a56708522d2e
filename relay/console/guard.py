"""
Who may ask the API: nobody whom a web page sends.

On loopback no token is needed, but a browser on the same machine shows pages of strangers. They cannot read an answer,
yet they can send requests, and by a name of theirs that resolves to 127.0.0.1 they could even read. So the request must
name this machine, a change must say that it is JSON, and a browser must say that it comes from here.
"""

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from relay.console.askers import LOCAL, Asker
from relay.words.patterns import on_demand

if TYPE_CHECKING:
    from relay.console.routes import Route

API: Final = "/api/"
#: Where one signs in and out of the console.
SESSION: Final = "/session"
_READING: Final = frozenset({"GET", "HEAD"})
_JSON: Final = "application/json"
_HOST: Final = on_demand(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z.-]+))(?::[0-9]*)?", re.ASCII)
_OURSELVES: Final = frozenset({"same-origin", "none"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach *host*. A name other than localhost is taken for the world's."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(request: web.Request, *, has_token: bool) -> tuple[int, str] | None:
    """Return the status and the reason for which *request* is turned away at the API or at signing in, or None."""
    if not request.path.startswith(API) and request.path != SESSION:
        return None
    if request.path != SESSION and not has_token and not names_this_machine(request):
        return 403, "without a token the Host field must name this machine: localhost, 127.0.0.1 or [::1]"
    if request.method in _READING:
        return None
    if request.content_type != _JSON:
        return 415, f"a change needs Content-Type: {_JSON}"
    if not _comes_from_here(request):
        return 403, "a change must not come from a page of another site"
    return None


def names_this_machine(request: web.Request) -> bool:
    """Whether *request* says that it is for the machine itself, and not for a name that somebody lets resolve to it."""
    return is_loopback(name_of(request.host))


def may(asker: Asker, path: str, route: "Route | None") -> bool:
    """Whether *asker* may ask for this operation at all; pages beside the API are everybody's who has come so far."""
    if not path.startswith(API) or asker == LOCAL:
        return True
    if route is None:
        return asker.may_change and asker.delegates is None
    return (asker.may_change or not route.changes) and not (route.spans_all and asker.delegates is not None)


def _comes_from_here(request: web.Request) -> bool:
    """What browsers say of the page that asks; other clients say nothing."""
    origin = request.headers.get("Origin")
    if origin is not None and origin not in {f"http://{request.host}", f"https://{request.host}"}:
        return False
    return request.headers.get("Sec-Fetch-Site", "none") in _OURSELVES


def name_of(host: str) -> str:
    """Return a Host field without its port and brackets; nothing for what is none."""
    found = _HOST.fullmatch(host)
    return "" if found is None else found[1] or found[2]
