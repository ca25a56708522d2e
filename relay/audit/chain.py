"""
Lines that hold each other: JSON Lines in which each names the hash of the one before. Pure.

A line is an object whose first members are ``seq`` and ``prev`` and whose last is ``hash``: in hexadecimal the SHA-256
of all octets of the line before ``,"hash":``, or with a key their HMAC-SHA256 (RFC 2104). There is no canonical form to
disagree about: what is hashed is what stands there. The first line is a header, the last an end that counts them.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from relay.words.values import dataclass

FORMAT: Final = 1
HEADER: Final = "header"
END: Final = "end"
PLAIN: Final = "sha256"
KEYED: Final = "hmac-sha256"
#: What the first line names in place of one before it.
FIRST: Final = "0" * 64
#: Octets of a line. A decision of a thousand long recipients, and a text of SES's longest policy, stay far below.
LONGEST_LINE: Final = 16 << 20

_TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n\Z')
_TAIL_OCTETS: Final = len(b',"hash":""}\n') + 64

_Sum: TypeAlias = Callable[[bytes], str]


def sum_of(key: bytes | None) -> _Sum:
    """Return what hashes the octets of a line."""
    if key is None:
        return lambda octets: hashlib.sha256(octets).hexdigest()
    return lambda octets: hmac.digest(key, octets, hashlib.sha256).hex()


class Chain:
    """Writes lines. ``last``: the hash of the last one; ``count``: how many there are."""

    def __init__(self, key: bytes | None = None) -> None:
        self.algorithm = PLAIN if key is None else KEYED
        self.last = FIRST
        self.count = 0
        self._sum = sum_of(key)

    def line(self, kind: str, what: Mapping[str, Any]) -> bytes:
        """Return the next line, with its line feed."""
        told = {"seq": self.count, "prev": self.last, "kind": kind, **what}
        octets = json.dumps(told, separators=(",", ":"), default=str).encode("ascii")[:-1]
        self.last = self._sum(octets)
        self.count += 1
        return octets + f',"hash":"{self.last}"}}\n'.encode()

    def chain(self, header: Mapping[str, Any], lines: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[bytes]:
        """Yield a header, *lines* by kind, and the end."""
        yield self.line(HEADER, {"format": FORMAT, "algorithm": self.algorithm, **header})
        for kind, what in lines:
            yield self.line(kind, what)
        yield self.line(END, {"lines": self.count + 1})


@dataclass(frozen=True, slots=True)
class Verified:
    """A chain without a break: its header, the number of its lines, and the hash of the last."""

    header: Mapping[str, Any]
    lines: int
    last: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line, counted from 1, that is not what was written; ``why`` is a sentence."""

    line: int
    why: str


class KeyNeeded(ValueError):
    """The hashes were made with a key: without it nobody can tell whether they are right."""


def verify(lines: Iterable[bytes], key: bytes | None = None) -> Verified | Broken:
    """
    Follow the chain through *lines*, each with its line feed.

    Raises:
        KeyNeeded: It was made with a key, and none is given.
    """
    reader = _Reader(key)
    for line in lines:
        if (why := reader.take(line)) is not None:
            return Broken(reader.count + 1, why)
    if reader.count == 0:
        return Broken(1, "there is no line")
    if reader.kind != END:
        return Broken(reader.count + 1, "the file was cut: the line that ends it is missing")
    return Verified(reader.header, reader.count, reader.last)


class _Reader:
    def __init__(self, key: bytes | None) -> None:
        self.header: Mapping[str, Any] = {}
        self.last, self.count, self.kind = FIRST, 0, ""
        self._key = key
        self._sum = sum_of(key)

    def take(self, line: bytes) -> str | None:
        """Return what is wrong with the next line, None if it is as it was written."""
        if self.kind == END:
            return "lines were added after the end"
        tail = _TAIL.search(line[-_TAIL_OCTETS:])
        if tail is None:
            return self._without_tail(line)
        octets, told_sum = line[:-_TAIL_OCTETS], tail[1].decode()
        told = _object(octets + b"}")
        if told is None:
            return "it was changed: it is no JSON object"
        why = self._header(told) if self.count == 0 else None
        why = why or self._hash(octets, told_sum) or self._place(told)
        if why is None:
            self.last, self.kind = told_sum, told["kind"]
            self.count += 1
        return why

    def _hash(self, octets: bytes, told: str) -> str | None:
        if hmac.compare_digest(self._sum(octets), told):
            return None
        return "it was changed" + (
            ": its hash is of something else" if self._key is None else ", or the key is another"
        )

    def _without_tail(self, line: bytes) -> str:
        if not line.endswith(b"\n"):
            return "the file was cut in this line" if len(line) < LONGEST_LINE else "it is too long to be one of ours"
        return "it was changed: it does not end in its hash"

    def _header(self, told: Mapping[str, Any]) -> str | None:
        if told.get("kind") != HEADER:
            return "the lines before it are missing: it is no header"
        if told.get("format") != FORMAT:
            return f"its format is {told.get('format')!r}, and this is {FORMAT}"
        if told.get("algorithm") == KEYED and self._key is None:
            raise KeyNeeded
        if told.get("algorithm") != (PLAIN if self._key is None else KEYED):
            return "its hashes were not made with a key" if self._key is not None else "its algorithm is unknown"
        self.header = told
        return None

    def _place(self, told: Mapping[str, Any]) -> str | None:
        seq, kind = told.get("seq"), told.get("kind")
        if seq != self.count or isinstance(seq, bool) or not isinstance(kind, str):
            return f"lines were removed, added or moved: it is line {seq} of the chain, and {self.count} was due"
        if told.get("prev") != self.last:
            return "lines were removed, added or moved: it follows another line"
        if kind == END and told.get("lines") != self.count + 1:
            return "its count of lines is not right"
        return "a header in the middle" if kind == HEADER and self.count else None


def _object(octets: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
