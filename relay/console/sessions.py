"""Who has signed in at the console: a cookie with a random name in the place of a token, kept in memory alone."""

import hashlib
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from aiohttp import web

from relay.console.askers import Asker, Tokens
from relay.console.guard import names_this_machine

#: Seconds after which one signs in again, and the most sessions of one token; of more the oldest ends. Nobody's end
#: because somebody else signs in often.
LIFETIME: Final = 12 * 3600.0
MOST_OF_ONE: Final = 64
#: Wrong tokens that one address may try in so many seconds, and of how many addresses that is known.
MOST_FAILURES: Final = 10
FAILURE_SECONDS: Final = 60.0
MOST_ADDRESSES: Final = 1024


class Sessions:
    """
    The sessions of one endpoint. A session ends when its token does.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[bytes, tuple[bytes, float]] = {}

    def begin(self, fingerprint: bytes) -> str:
        """Open a session for the token with *fingerprint*; return its name, which nobody guesses."""
        now, name = self._clock(), secrets.token_urlsafe(32)
        self._open = {each: (whose, until) for each, (whose, until) in self._open.items() if until >= now}
        theirs = [each for each, (whose, _) in self._open.items() if whose == fingerprint]
        for each in theirs[: max(0, len(theirs) + 1 - MOST_OF_ONE)]:
            del self._open[each]
        self._open[_digest(name)] = fingerprint, now + LIFETIME
        return name

    def asker_of(self, request: web.Request, tokens: Tokens) -> Asker | None:
        """Return whose session the cookie of *request* names; None for none, one that is over, or without its token."""
        name = request.cookies.get(cookie_name(request))
        found = None if name is None else self._open.get(_digest(name))
        if found is None or found[1] < self._clock():
            return None
        return tokens.with_fingerprint(found[0])

    def end(self, request: web.Request) -> None:
        """End the session that the cookie of *request* names, if any."""
        self._open.pop(_digest(request.cookies.get(cookie_name(request), "")), None)


class Failures:
    """
    Wrong tokens by the address that tried them: after ``MOST_FAILURES`` in a minute it waits.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def must_wait(self, address: str) -> bool:
        """Whether *address* has tried too often."""
        times = self._times.get(address, ())
        recent = [each for each in times if self._clock() - each < FAILURE_SECONDS]
        return len(recent) >= MOST_FAILURES

    def add(self, address: str) -> None:
        """Remember one more."""
        self._times.setdefault(address, deque(maxlen=MOST_FAILURES)).append(self._clock())
        self._times.move_to_end(address)
        while len(self._times) > MOST_ADDRESSES:
            self._times.popitem(last=False)


def needs_tls(request: web.Request) -> bool:
    """Whether the cookie must not travel in the clear: anywhere but from a browser to its own machine."""
    return not names_this_machine(request)


def cookie_name(request: web.Request) -> str:
    """
    Name the cookie. Cookies know no ports: relays behind several tunnels of one machine must not end each other's.

    ``__Host-``: browsers take it from here alone, over TLS (RFC 6265bis section 4.1.3.2).
    """
    if needs_tls(request):
        return "__Host-ses-relay"
    port = request.host.rpartition(":")[2]
    return f"ses-relay-{port if port.isascii() and port.isdecimal() else 80}"


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
