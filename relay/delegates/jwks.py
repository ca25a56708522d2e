"""
The public keys of an issuer of tokens: fetched from its JWKS document (RFC 7517), kept fresh, and asked for by name.

Who shows a token with a key that nobody knows makes us look again, but not more often than a few times a minute: a
stranger must not make the relay a flood at somebody's identity provider.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from relay.observe.events import Noted, Observer
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

#: How old the keys may be before they are looked at again, and before they are believed no more.
FRESH_SECONDS: Final = 300.0
STALE_SECONDS: Final = 3600.0
#: Looks for an unknown key that may be made at once, and how often there is another.
LOOKS: Final = 3
LOOK_SECONDS: Final = 20.0
_AGAIN_SECONDS: Final = 10.0
_LARGEST: Final = 256 * 1024
_MOST_KEYS: Final = 100
_TIMEOUT_SECONDS: Final = 5.0
_KINDS: Final = frozenset({"RSA", "EC"})

JwksDocument: TypeAlias = Mapping[str, Any]
#: One public key as RFC 7517 writes it.
Jwk: TypeAlias = Mapping[str, Any]


class JwksProblem(Exception):
    """A JWKS document that could not be had, or is none. The text is for our log."""


class FetchJwks(Protocol):
    """Fetches one document."""

    def __call__(self, url: str, ca: Path | None) -> Awaitable[JwksDocument]:
        """
        Raises:
            JwksProblem: It could not be had.
        """


async def fetch_jwks(url: str, ca: Path | None) -> JwksDocument:
    """
    Fetch a JWKS document: no redirects, five seconds, 256 KiB.

    Raises:
        JwksProblem: Anything else.
    """
    import aiohttp  # noqa: PLC0415 - for those who have issuers

    try:
        trust = ssl.create_default_context(cafile=ca) if url.startswith("https:") else False
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, ssl=trust, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status != 200:
                raise JwksProblem(f"HTTP status {answer.status}")
            body = b""
            async for chunk in answer.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > _LARGEST:
                    raise JwksProblem(f"larger than {_LARGEST} octets")
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:  # the last: a host that can be none
        raise JwksProblem(type(error).__name__) from None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise JwksProblem("no JSON") from None
    if not isinstance(document, dict):
        raise JwksProblem("no JSON object")
    return document


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of one look, and when and as which it was begun."""

    asked_at: float
    look: int
    all: tuple[Jwk, ...]

    def of(self, kid: str | None, kind: str) -> list[Jwk]:
        """Return the keys of this kind that a token may mean: those of its name, or all when it names none."""
        return [key for key in self.all if key["kty"] == kind and (kid is None or key.get("kid") == kid)]


class KeyRing:
    """The keys of one issuer. Belongs to one event loop."""

    def __init__(
        self, url: str, ca: Path | None, *, fetch: FetchJwks, monotonic: Callable[[], float], observe: Observer
    ) -> None:
        self.url = url
        self.ca = ca
        self._fetch = fetch
        self._monotonic = monotonic
        self._observe = observe
        self._keys: _Keys | None = None
        self._looking: asyncio.Task[None] | None = None
        self._begun = 0
        self._looks = float(LOOKS)
        self._counted_at = monotonic()
        self._failed_at = float("-inf")
        self.why = "not looked at yet"

    async def find(self, kid: str | None, kind: str) -> list[Jwk] | Unavailable:
        """
        Find the public keys that a token may be signed with.

        Returns:
            None of them when the issuer, asked after the token came, has no such key; Unavailable when it cannot be
            asked, or may not be asked so often.
        """
        looks, keys = self._begun, self._believed()
        if keys is None or self._monotonic() - keys.asked_at > FRESH_SECONDS:
            await self._look_if_due()
            keys = self._believed()
        if keys is None:
            return Unavailable(f"the keys of a token's issuer cannot be had: {self.why}")
        if (found := keys.of(kid, kind)) or keys.look > looks:
            return found
        if not self._may_look():
            return Unavailable("a token names a key that is not known, and its issuer was asked often enough")
        await self.look()
        keys = self._believed()
        if keys is None or keys.look <= looks:
            return Unavailable(f"a token names a key that is not known, and its issuer cannot be asked: {self.why}")
        return keys.of(kid, kind)

    async def look(self) -> None:
        """Fetch the keys now; all who wait share one look, which nobody who leaves cancels."""
        if self._looking is None or self._looking.done():
            self._begun += 1
            self._looking = asyncio.get_running_loop().create_task(self._look(self._begun), name="jwks")
        await asyncio.shield(self._looking)

    async def keep(self) -> None:
        """Keep the keys fresh, until cancelled."""
        while True:
            await asyncio.sleep(_AGAIN_SECONDS if self.why else FRESH_SECONDS / 2)
            await self.look()

    def _believed(self) -> _Keys | None:
        keys = self._keys
        return keys if keys is not None and self._monotonic() - keys.asked_at <= STALE_SECONDS else None

    async def _look_if_due(self) -> None:
        """After a look that failed, wait a little: each client would wait for the next to fail."""
        if self._monotonic() - self._failed_at >= _AGAIN_SECONDS:
            await self.look()

    def _may_look(self) -> bool:
        now = self._monotonic()
        self._looks = min(float(LOOKS), self._looks + (now - self._counted_at) / LOOK_SECONDS)
        self._counted_at = now
        if self._looks < 1 or now - self._failed_at < _AGAIN_SECONDS:
            return False
        self._looks -= 1
        return True

    async def _look(self, number: int) -> None:
        before, asked_at = self.why, self._monotonic()
        try:
            document = await self._fetch(self.url, self.ca)
            self._keys = _Keys(asked_at, number, keys_in(document))
            self.why = ""
        except JwksProblem as problem:
            self._failed_at, self.why = self._monotonic(), str(problem)
        if self.why != before:
            level, event = ("error", "jwks.unreadable") if self.why else ("info", "jwks.read")
            self._observe(Noted(level, event, {"url": self.url, **({"why": self.why} if self.why else {})}))


def keys_in(document: JwksDocument) -> tuple[Jwk, ...]:
    """
    Take the public keys that can check signatures out of a JWKS document; others are passed over (RFC 7517 section 5).

    Raises:
        JwksProblem: There is no list of keys.
    """
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise JwksProblem("no list of keys")
    return tuple(key for key in keys[:_MOST_KEYS] if isinstance(key, dict) and _can_verify(key))


def _can_verify(key: Jwk) -> bool:
    operations = key.get("key_ops")
    may_verify = operations is None or (isinstance(operations, list) and "verify" in operations)
    kind = key.get("kty")
    return isinstance(kind, str) and kind in _KINDS and key.get("use", "sig") == "sig" and may_verify
