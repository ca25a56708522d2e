"""
An owner's own DKIM key: read from PEM, never shown, its public half computed for the DNS record.

PEM is RFC 7468, the private key PKCS #1 or PKCS #8 (RFC 8017 appendix A.1.2, RFC 5958), the public half
SubjectPublicKeyInfo (RFC 8017 appendix A.1.1). SES takes RSA of 1024 to 2048 bits (SES Developer Guide, "Bring your
own DKIM").
"""

import base64
import binascii
import re
from dataclasses import field
from typing import Final

from relay.words.values import dataclass

LEAST_BITS: Final = 1024
MOST_BITS: Final = 2048

_PEM = re.compile(r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<inside>.*?)-----END (?P=label)-----", re.DOTALL)
_HOW: Final = "openssl genrsa -out dkim.pem 2048"
_INTEGER: Final = 0x02
_BITS: Final = 0x03
_OCTETS: Final = 0x04
_SEQUENCE: Final = 0x30
#: AlgorithmIdentifier of rsaEncryption, with its NULL (RFC 8017 appendix A.1).
_RSA: Final = bytes.fromhex("300d06092a864886f70d0101010500")


class KeyProblem(ValueError):
    """A file that holds no key SES takes. ``str()`` says why and what to do; nothing of the key is in it."""


@dataclass(frozen=True, slots=True)
class OwnKey:
    """Both halves in base64 without armour or line ends: ``private`` for SES, ``public`` for ``p=`` of the record."""

    private: str = field(repr=False)
    public: str
    bits: int


def read_own_key(text: str) -> OwnKey:
    """
    Read the first private key of a PEM file.

    Raises:
        KeyProblem: There is none, it is encrypted, no RSA key, or of a length that SES does not take.

    """
    blocks = {found["label"]: found["inside"] for found in _PEM.finditer(text)}
    if "ENCRYPTED PRIVATE KEY" in blocks or any("ENCRYPTED" in inside for inside in blocks.values()):
        raise KeyProblem("the key is encrypted; SES takes it in the clear: openssl rsa -in FILE -out dkim.pem")
    label = next((label for label in ("PRIVATE KEY", "RSA PRIVATE KEY") if label in blocks), None)
    if label is None:
        found = f", but {', '.join(sorted(blocks))}" if blocks else ""
        raise KeyProblem(f"no RSA private key in PEM{found}; make one with: {_HOW}")
    try:
        der = base64.b64decode("".join(blocks[label].split()), validate=True)
        modulus, exponent = _numbers(_inner(der) if label == "PRIVATE KEY" else der)
    except (binascii.Error, IndexError, ValueError):
        raise KeyProblem(f"the PEM holds no RSA private key that can be read; make one with: {_HOW}") from None
    bits = int.from_bytes(modulus).bit_length()
    if not LEAST_BITS <= bits <= MOST_BITS:
        raise KeyProblem(f"an RSA key of {bits} bits; SES takes {LEAST_BITS} to {MOST_BITS}: {_HOW}")
    return OwnKey(base64.b64encode(der).decode(), base64.b64encode(_public(modulus, exponent)).decode(), bits)


class _Reader:
    """Reads DER elements (ITU-T X.690) one after the other; IndexError or ValueError where they are none."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    @property
    def is_empty(self) -> bool:
        """Whether all is taken."""
        return not self._octets

    def take(self, tag: int) -> bytes:
        """Return the contents of the next element, which is a *tag*."""
        if self._octets[0] != tag:
            raise ValueError("another element")
        length, start = self._octets[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(self._octets[2:start])
        if len(self._octets) < start + length:
            raise ValueError("cut short")
        contents, self._octets = self._octets[start : start + length], self._octets[start + length :]
        return contents


def _numbers(der: bytes) -> tuple[bytes, bytes]:
    """Return modulus and public exponent of a PKCS #1 key of two primes: nine integers, the first of them 0."""
    outer = _Reader(der)
    inner = _Reader(outer.take(_SEQUENCE))
    version, modulus, exponent, *_ = [inner.take(_INTEGER) for _ in range(9)]
    if version != b"\0" or not (outer.is_empty and inner.is_empty):
        raise ValueError("something else")
    return modulus, exponent


def _inner(der: bytes) -> bytes:
    """Return the PKCS #1 key in a PKCS #8 key, which is one of RSA."""
    outer = _Reader(_Reader(der).take(_SEQUENCE))
    version, algorithm = outer.take(_INTEGER), outer.take(_SEQUENCE)
    if version not in {b"\0", b"\1"} or _element(_SEQUENCE, algorithm) != _RSA:
        raise ValueError("no RSA key")
    return outer.take(_OCTETS)


def _public(modulus: bytes, exponent: bytes) -> bytes:
    numbers = _element(_SEQUENCE, _element(_INTEGER, modulus) + _element(_INTEGER, exponent))
    return _element(_SEQUENCE, _RSA + _element(_BITS, b"\0" + numbers))


def _element(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    if size < 0x80:
        return bytes((tag, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + contents
