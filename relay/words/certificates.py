"""
What a client certificate is called: names of its subject and its alternative names, and its fingerprint.

A delegate lists the names by which it comes; a certificate belongs to it when they have one in common. Names are
compared whole: a wildcard in a certificate names nobody.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from relay.words.patterns import on_demand

Kind: TypeAlias = Literal["sha256", "dns", "email", "uri", "cn"]

_FINGERPRINT: Final = on_demand(r"[0-9a-f]{64}", re.ASCII)
_HOST: Final = on_demand(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*", re.ASCII
)
_FORMS: Final = "sha256:FINGERPRINT, dns:HOST, email:ADDRESS, uri:URI or cn:COMMON NAME"


@dataclass(frozen=True, slots=True, order=True)
class CertificateName:
    """
    One name of a certificate. ``value`` is as it is compared: a fingerprint is 64 hexadecimal digits in lower case, a
    host and the domain of an address are in lower case.
    """

    kind: Kind
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


def read_certificate_name(text: str) -> CertificateName:
    """
    Read a name as the settings write it: ``dns:app.example.com``, ``sha256:AB:CD:...`` and their like.

    Raises:
        ValueError: It is none; the text says how to write one.
    """
    kind, colon, value = text.partition(":")
    kind = kind.lower()
    if not colon or kind not in ("sha256", "dns", "email", "uri", "cn") or not value or not value.isprintable():
        raise ValueError(f"write {_FORMS}")
    name = _name(cast("Kind", kind), value.replace(":", "") if kind == "sha256" else value)
    if name.kind == "sha256" and not _FINGERPRINT.fullmatch(name.value):
        raise ValueError("a SHA-256 fingerprint has 64 hexadecimal digits")
    if name.kind == "dns" and not _HOST.fullmatch(name.value):
        raise ValueError("dns: wants one host name; wildcards are not taken")
    if name.kind == "email" and ("@" not in value or "*" in value):
        raise ValueError("email: wants one address")
    return name


def names_of(der: bytes, decoded: Mapping[str, Any]) -> frozenset[CertificateName]:
    """
    Collect every name of a certificate that TLS has verified.

    Args:
        der: The certificate itself.
        decoded: The same as :meth:`ssl.SSLSocket.getpeercert` tells it.

    A subject with two common names has none: nobody could say which is meant.
    """
    fingerprint = CertificateName("sha256", hashlib.sha256(der).hexdigest())
    return frozenset((fingerprint, *_alternative(decoded), *_common(decoded)))


def _alternative(decoded: Mapping[str, Any]) -> Iterator[CertificateName]:
    kinds: Mapping[str, Kind] = {"DNS": "dns", "email": "email", "URI": "uri"}
    for label, value in decoded.get("subjectAltName", ()):
        if label in kinds and value:
            yield _name(kinds[label], value)


def _common(decoded: Mapping[str, Any]) -> Iterator[CertificateName]:
    found = [value for part in decoded.get("subject", ()) for key, value in part if key == "commonName"]
    if len(found) == 1 and found[0]:
        yield _name("cn", found[0])


def _name(kind: Kind, value: str) -> CertificateName:
    if kind in ("sha256", "dns"):
        return CertificateName(kind, _lower(value))
    if kind == "email":
        local, _, domain = value.rpartition("@")
        return CertificateName(kind, f"{local}@{_lower(domain)}")
    return CertificateName(kind, value)


def _lower(value: str) -> str:
    """Lower ASCII alone: to Unicode the sign of Kelvin is a capital K, and one host would have the name of another."""
    return value.lower() if value.isascii() else value
