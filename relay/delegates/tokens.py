"""
Bearer tokens: JSON Web Tokens (RFC 7519) that an issuer we trust has signed for us and for a delegate.

What must hold, all of it: the algorithm is one the operator permits (never ``none``, never a shared secret), a key of
that very issuer verifies the signature, ``iss`` and ``aud`` are the configured ones to the letter, ``exp`` lies ahead,
``nbf`` and ``iat`` do not (RFC 8725 section 3).
"""

import binascii
import json
import math
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from relay.delegates.jwks import FetchJwks, Jwk, KeyRing, fetch_jwks
from relay.observe.events import Observer
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

LONGEST_TOKEN: Final = 9216
#: How far an issuer's clock may be ahead of ours. An expired token is expired: its client has a new one by then.
SKEW_SECONDS: Final = 30.0
_LEAST_RSA_BITS: Final = 2048
#: What signs with each algorithm (RFC 7518 section 3.1).
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {f"{family}{bits}": "EC" if family == "ES" else "RSA" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)}
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """
    Who may sign tokens, and how a token names a delegate.

    ``claim``: the claim that names it, by ``names`` where there are any, else by the delegate's own name. ``ca``:
    certificates, PEM, that sign the one of ``jwks_url``; None for the system's.
    """

    issuer: str
    audience: str
    jwks_url: str
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256")
    claim: str = "sub"
    names: Mapping[str, str] = field(default_factory=dict)
    ca: Path | None = None

    def delegate_of(self, claims: Mapping[str, Any]) -> str | None:
        """Name the delegate that a token's claims name."""
        value = claims.get(self.claim)
        if not isinstance(value, str) or not value:
            return None
        return self.names.get(value) if self.names else value


@dataclass(frozen=True, slots=True)
class _Unverified:
    """What a token says of itself before anybody has looked at its signature: only good for choosing a key."""

    algorithm: str
    kid: str | None
    issuer: str


class TokenDesk:
    """Where tokens are looked at. Belongs to one event loop."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        observe: Observer,
        fetch: FetchJwks = fetch_jwks,
    ) -> None:
        """
        Args:
            now: Seconds since the epoch.
        """
        self._now = now
        self._ring = partial(KeyRing, fetch=fetch, monotonic=monotonic, observe=observe)
        self._by_issuer: dict[str, tuple[Issuer, KeyRing]] = {}

    def replace(self, issuers: Sequence[Issuer]) -> None:
        """Believe these issuers and no others; the keys that are known of a JWKS document stay known."""
        known = {(ring.url, ring.ca): ring for ring in self.rings}
        self._by_issuer = {
            each.issuer: (each, known.get((each.jwks_url, each.ca)) or self._ring(each.jwks_url, each.ca))
            for each in issuers
        }

    @property
    def rings(self) -> list[KeyRing]:
        """The keys of every issuer."""
        return [ring for _, ring in self._by_issuer.values()]

    def troubles(self) -> dict[str, str]:
        """Return the issuers whose keys could not be had at the last look, each with why."""
        return {name: ring.why for name, (_, ring) in self._by_issuer.items() if ring.why}

    async def delegate_of(self, token: str) -> str | Unavailable | None:
        """
        Name whom a token is for; None when it is not good for anybody, Unavailable when that cannot be told now.

        The name may be nobody's in the configuration.
        """
        said = _read_unverified(token)
        found = self._by_issuer.get(said.issuer) if said else None
        if said is None or found is None:
            return None
        issuer, ring = found
        if said.algorithm not in issuer.algorithms or said.algorithm not in KINDS:
            return None
        keys = await ring.find(said.kid, KINDS[said.algorithm])
        if isinstance(keys, Unavailable):
            return keys
        claims = next(filter(None, (_verified(token, key, said.algorithm) for key in keys)), None)
        if claims is None or not self._holds(issuer, claims):
            return None
        return issuer.delegate_of(claims)

    def _holds(self, issuer: Issuer, claims: Mapping[str, Any]) -> bool:
        audience, now = claims.get("aud"), self._now()
        is_for_us = issuer.audience in audience if isinstance(audience, list) else issuer.audience == audience
        expires, begins, issued = (claims.get(name) for name in ("exp", "nbf", "iat"))
        is_now = now < _time(expires, absent=-math.inf)
        has_begun = all(_time(each, absent=now) <= now + SKEW_SECONDS for each in (begins, issued))
        return claims.get("iss") == issuer.issuer and is_for_us and is_now and has_begun


def _time(value: Any, *, absent: float) -> float:
    """Read a NumericDate (RFC 7519 section 2). One that is none, or infinite, compares false with every time."""
    if value is None:
        return absent
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value) if math.isfinite(value) else math.nan
    except OverflowError:
        return math.nan


def _read_unverified(token: str) -> _Unverified | None:
    """Read the header and the issuer of a token in compact form (RFC 7515 section 3.1); None when it is none."""
    parts = token.split(".")
    if len(token) > LONGEST_TOKEN or len(parts) != 3 or not token.isascii():
        return None
    header, claims = _json_object(parts[0]), _json_object(parts[1])
    if header is None or claims is None:
        return None
    algorithm, kid, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    if not isinstance(algorithm, str) or not isinstance(issuer, str) or not isinstance(kid, str | None):
        return None
    return _Unverified(algorithm, kid, issuer)


def _json_object(part: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _verified(token: str, key: Jwk, algorithm: str) -> Mapping[str, Any] | None:
    """Return the claims of a token that *key* has signed; None when it has not, or is too weak to say so."""
    import warnings  # noqa: PLC0415 - with the two below

    from joserfc import jwk, jwt  # noqa: PLC0415 - of the extra
    from joserfc.errors import JoseError  # noqa: PLC0415 - the same

    if key.get("alg", algorithm) != algorithm:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of weak keys, which are refused here
            public = jwk.import_key(dict(key))
            if getattr(public.raw_value, "key_size", 0) < (_LEAST_RSA_BITS if KINDS[algorithm] == "RSA" else 256):
                return None
            claims = jwt.decode(token, public, algorithms=[algorithm]).claims
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return claims if isinstance(claims, dict) else None
