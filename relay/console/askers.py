"""Who asks the admin endpoint: a token of the settings, or whoever is on this machine; and what it may see and do."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import field
from typing import Final

from aiohttp import web

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Asker:
    """
    One who asks.

    ``name`` is for the log. ``may_change``: an operator, who acts; a viewer only reads. ``delegates``: those whose
    decisions and messages it may see and change; None for all.
    """

    name: str
    may_change: bool = False
    delegates: frozenset[str] | None = None

    def sees(self, delegate: str) -> bool:
        """Whether what belongs to *delegate* is this asker's to see."""
        return self.delegates is None or delegate in self.delegates


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, and whom it makes of the one that has it."""

    secret: str = field(repr=False)
    asker: Asker


#: Whoever is on this machine, where no token is asked for.
LOCAL: Final = Asker("local", may_change=True)
#: Whoever has the token of ``admin.token_file``.
ADMIN: Final = Asker("admin", may_change=True)

ASKER: Final = web.RequestKey("asker", Asker)
#: What a change is about, for its audit line, where the path does not say it.
OBJECT: Final = web.RequestKey("object", str)


def asker_of(request: web.Request) -> Asker:
    """Return who asks; the door has found out before any page is reached."""
    return request[ASKER]


class Tokens:
    """
    All tokens that open the endpoint. An empty one opens nothing.

    ``are_scoped``: some of them make less than an operator of all of whoever has them; then nobody goes without.
    """

    def __init__(self, tokens: Iterable[Token] = (), *, are_scoped: bool = False) -> None:
        self._tokens = tuple((each.secret.encode("utf-8", "surrogateescape"), each.asker) for each in tokens)
        self._by_fingerprint = {fingerprint_of(secret): asker for secret, asker in reversed(self._tokens) if secret}
        self.are_scoped = are_scoped

    def owner_of(self, authorization: str) -> Asker | None:
        """
        Name the owner of the token in an ``Authorization`` field; None where there is none that opens anything.

        It takes as long for a token that is almost right: each is compared whole (RFC 6750 section 2.1).
        """
        scheme, _, presented = authorization.partition(" ")
        given = presented.strip().encode("utf-8", "surrogateescape")
        owners = [asker for secret, asker in self._tokens if hmac.compare_digest(given, secret) and secret]
        return owners[0] if owners and scheme.lower() == "bearer" else None

    def with_fingerprint(self, fingerprint: bytes) -> Asker | None:
        """Name the owner of the token with *fingerprint*, as long as there is one."""
        return self._by_fingerprint.get(fingerprint)


def fingerprint_of(secret: bytes) -> bytes:
    """Return what stands for a token where the token itself must not be: its SHA-256."""
    return hashlib.sha256(secret).digest()
