"""
A reading like that of Go's ``net/mail`` (``ReadMessage``, ``ParseAddressList``), with a CharsetReader as web mail has.

Traits: lines end at LF, a CR before it dropped; a bare CR is text; the first line may not begin with a blank; a line
without colon, or with 8-bit octets in the way, is an error and not the body; names are compared with their trailing
blanks; a phrase may hold dots, commas and brackets; quotes are taken off a local part; comments are skipped; a group is
its members; a route is an error.
"""

import codecs
import re
from collections.abc import Iterator

from tests.readings.sight import Field, Sight, Unreadable, sight_of

_SPECIALS = frozenset('()<>[]:;@\\,"')
_SPECIALS_OF_A_PHRASE = frozenset('<>:"')


def net_mail(raw: bytes) -> Sight:
    """Read *raw*; raises Unreadable where Go returns an error."""
    return sight_of(_fields(raw), _addresses)


def _fields(raw: bytes) -> Iterator[Field]:
    if raw[:1] in (b" ", b"\t"):
        raise Unreadable("malformed initial line")
    lines = [line.removesuffix(b"\r") for line in raw.removesuffix(b"\n").split(b"\n")]
    while lines:
        line = lines.pop(0).strip(b" \t")
        if not line:
            return
        if b":" not in line:
            raise Unreadable("malformed header line")
        while lines and lines[0][:1] in (b" ", b"\t"):
            line += b" " + lines.pop(0).strip(b" \t")
        name, _, value = line.partition(b":")
        if name:
            yield name.decode("utf-8", "replace"), value.lstrip(b" \t").decode("utf-8", "surrogateescape")
    raise Unreadable("unexpected EOF")


def _addresses(value: str) -> list[str]:
    return list(_List(value).addresses())


class _List:
    """``addrParser``: what is left to read is ``_rest``."""

    def __init__(self, text: str) -> None:
        self._rest = text

    def addresses(self) -> Iterator[str]:
        while True:
            self._skip_blanks()
            if self._takes(","):
                continue
            yield from self._address(in_group=False)
            self._skip_comments()
            if not self._rest:
                return
            if not self._takes(","):
                raise Unreadable("expected comma")
            while self._takes(","):
                self._skip_blanks()
            if not self._rest.strip(" \t"):
                return

    def _address(self, *, in_group: bool) -> list[str]:
        self._skip_blanks()
        if not self._rest:
            raise Unreadable("no address")
        before = self._rest
        try:
            found = self._addr_spec()
        except Unreadable:
            self._rest = before
        else:
            self._skip_blanks()
            if self._rest.startswith("("):
                self._skip_comments()
            return [found]
        if not self._rest.startswith("<"):
            self._phrase()
        self._skip_blanks()
        if not in_group and self._takes(":"):
            return self._group()
        if not self._takes("<"):
            raise Unreadable("no angle-addr")
        found = self._addr_spec()
        if not self._takes(">"):
            raise Unreadable("unclosed angle-addr")
        return [found]

    def _group(self) -> list[str]:
        found: list[str] = []
        self._skip_blanks()
        if self._takes(";"):
            return found
        while True:
            self._skip_blanks()
            found += self._address(in_group=True)
            self._skip_comments()
            if self._takes(";"):
                self._skip_comments()
                return found
            if not self._takes(","):
                raise Unreadable("expected comma")

    def _addr_spec(self) -> str:
        self._skip_blanks()
        local = self._quoted() if self._rest.startswith('"') else self._atom(strict=True)
        if not local or not self._takes("@"):
            raise Unreadable("no addr-spec")
        self._skip_blanks()
        return f"{local}@{self._atom(strict=True)}"

    def _phrase(self) -> None:
        words = 0
        while True:
            if words:
                self._skip_comments()
            self._skip_blanks()
            try:
                if self._rest.startswith('"'):
                    self._quoted()
                else:
                    self._decodable(self._atom(strict=False))
            except Unreadable:
                if not words:
                    raise
                return
            words += 1

    def _quoted(self) -> str:
        text, at, escaped = "", 1, False
        while at < len(self._rest):
            char = self._rest[at]
            at += 1
            if char == '"' and not escaped:
                self._rest = self._rest[at:]
                return text
            if not (char in " \t" or _is_visible(char)):
                raise Unreadable("bad character in quoted-string")
            escaped = char == "\\" and not escaped
            text += "" if escaped else char
        raise Unreadable("unclosed quoted-string")

    def _atom(self, *, strict: bool) -> str:
        end = 0
        specials = _SPECIALS if strict else _SPECIALS_OF_A_PHRASE
        while end < len(self._rest) and self._rest[end] not in specials and _is_visible(self._rest[end]):
            end += 1
        atom, self._rest = self._rest[:end], self._rest[end:]
        if not atom or (strict and (atom[0] == "." or atom[-1] == "." or ".." in atom)):
            raise Unreadable("invalid string")
        return atom

    @staticmethod
    def _decodable(word: str) -> None:
        """Fail on an encoded-word in a charset that not even the CharsetReader knows."""
        encoded = re.fullmatch(r"=\?([^?]+)\?[BbQq]\?[^?]*\?=", word)
        try:
            codecs.lookup(encoded[1] if encoded else "ascii")
        except LookupError:
            raise Unreadable("unhandled charset") from None

    def _skip_comments(self) -> None:
        self._skip_blanks()
        while self._takes("("):
            depth = 1
            while depth:
                if not self._rest:
                    raise Unreadable("misformatted parenthetical comment")
                char, self._rest = self._rest[0], self._rest[1:]
                if char == "\\" and self._rest:
                    self._rest = self._rest[1:]
                depth += {"(": 1, ")": -1}.get(char, 0)
            self._skip_blanks()

    def _skip_blanks(self) -> None:
        self._rest = self._rest.lstrip(" \t")

    def _takes(self, char: str) -> bool:
        if self._rest[:1] != char:
            return False
        self._rest = self._rest[1:]
        return True


def _is_visible(char: str) -> bool:
    if "\udc80" <= char <= "\udcff":
        raise Unreadable("invalid utf-8")
    return "!" <= char <= "~" or char >= "\x80"
