"""
When the certificate that our listeners show comes to its end: told as a metric, in the log once a day, and to whoever
asks whether we are ready. The standard library reads that from a peer's certificate only.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from relay.observe.events import CertificateShown, Noted, Observer

#: Renewal by ACME begins 30 days before the end; after nine days without it somebody should look.
NEAR: Final = timedelta(days=21)
_DAY: Final = timedelta(days=1)

_FIRST: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_TIME: Final = re.compile(r"[0-9]{14}Z", re.ASCII)
_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0


class CertificateProblem(ValueError):
    """A certificate whose end cannot be read. ``str()`` says why."""


def expiry_of(chain: Path) -> datetime:
    """
    Read the end of the first certificate in a PEM file (RFC 5280 section 4.1.2.5).

    Raises:
        CertificateProblem: There is none, or it is none of X.509.
        OSError: The file cannot be read.
    """
    found = _FIRST.search(chain.read_text("ascii", "replace"))
    if found is None:
        raise CertificateProblem("no certificate in PEM")
    try:
        der = ssl.PEM_cert_to_DER_cert(found[0])
        return _not_after(der)
    except (ValueError, IndexError) as error:
        raise CertificateProblem(f"no certificate of X.509: {error}") from None


class _Element(NamedTuple):
    """One element of DER: its tag, and where its content begins and ends."""

    tag: int
    start: int
    end: int


def _element(der: bytes, at: int) -> _Element:
    """Read the head of the element at *at* (X.690 section 8.1)."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length >= 0x80:
        octets = length - 0x80
        length, start = int.from_bytes(der[start : start + octets], "big"), start + octets
    if start + length > len(der):
        raise ValueError("cut short")
    return _Element(tag, start, start + length)


def _not_after(der: bytes) -> datetime:
    """Step over what stands before the validity: version (if any), serial number, algorithm, issuer."""
    at = _element(der, _element(der, 0).start).start
    if der[at] == _VERSION:
        at = _element(der, at).end
    for _ in range(3):
        at = _element(der, at).end
    not_before = _element(der, _element(der, at).start)
    tag, start, end = _element(der, not_before.end)
    text = der[start:end].decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("its end is no time")
    if not _TIME.fullmatch(text):
        raise ValueError("its end is no time")
    return datetime.fromisoformat(f"{text[:8]}T{text[8:]}")  # strptime would be loaded for this alone


class CertificateWatch:
    """Keeps in mind when the certificate ends that the *listeners* with TLS show."""

    def __init__(self, listeners: Sequence[str], observe: Observer, clock: Callable[[], datetime]) -> None:
        self._listeners = tuple(listeners)
        self._observe = observe
        self._clock = clock
        self._expires_at: datetime | None = None

    def look_at(self, chain: Path | None) -> None:
        """Tell of the certificate that is shown from now on; None when there is none."""
        self._expires_at = None
        if chain is None or not self._listeners:
            return
        try:
            self._expires_at = expiry_of(chain)
        except (OSError, CertificateProblem) as problem:
            self._observe(Noted("warning", "tls.certificate-unread", {"file": str(chain), "why": str(problem)}))
            return
        self._observe(CertificateShown(self._listeners, self._expires_at.timestamp()))
        self._warn()

    @property
    def why(self) -> str:
        """What is to be said of its end; empty while that is far."""
        if self._expires_at is None:
            return ""
        left = self._expires_at - self._clock()
        if left > NEAR:
            return ""
        return f"expired on {self._expires_at:%Y-%m-%d}" if left <= timedelta(0) else f"expires in {_days(left)}"

    async def run(self) -> None:
        """Warn once a day. Runs until cancelled."""
        while True:
            await asyncio.sleep(_DAY.total_seconds())
            self._warn()

    def _warn(self) -> None:
        if self.why and self._expires_at is not None:
            level = "error" if self._expires_at <= self._clock() else "warning"
            told = {"why": self.why, "expires_at": self._expires_at.isoformat()}
            self._observe(Noted(level, "tls.certificate-expires", told))


def _days(left: timedelta) -> str:
    return "1 day" if left.days == 1 else f"{left.days} days" if left.days else "less than a day"
