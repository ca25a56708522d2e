"""
A reading like that of Jakarta Mail (JavaMail): ``InternetHeaders`` and ``InternetAddress.parseHeader``, strict as it is
by default and lenient as most programs set it (``mail.mime.address.strict=false``).

Traits: CR, LF, CRLF and CR CR LF end a line; a name is trimmed of blanks and controls on both sides; a blank before
the very first line is dropped; a line without colon is a field without value and does not end the section; several
From fields are joined with a comma. Lenient: ``;`` is a comma, ``mailto:`` and ``From:`` before an address are
dropped, brackets and quotes that do not close are text, name and address are swapped when only the name has an ``@``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.readings.sight import Field, Sight, Unreadable, sight_of

_LINE_END = re.compile(rb"\r\r\n|\r\n|\r|\n")
_FOLD = re.compile(rb"(\\?)([\r\n]+)(?=[ \t])")
_CONTROLS = bytes(range(33))
_TRIMMED = _CONTROLS.decode()
_LOCAL_CHAR = r"[^\x00-\x20\x7f()<>,;:\\\"\[\]@.]|\\.?|\"(?:[^\\\"]|\\.)*\""
_LOCAL_THEN_DOMAIN = re.compile(
    rf"(?:{_LOCAL_CHAR})+(?:\.(?:{_LOCAL_CHAR})+)*\.?"
    rf"|(?:{_LOCAL_CHAR})+(?:\.(?:{_LOCAL_CHAR})+)*@(?:\[[^\x00-\x20\x7f\]]*\]|(?:[^\W_]|-)+(?:\.(?:[^\W_]|-)+)*\]?)"
)
_BOGUS_GROUPS = frozenset({"mailto", "from", "to", "cc", "subject", "re"})
_AFTER_COLON = ")>[]:@\\,."


def strict(raw: bytes) -> Sight:
    """Read *raw* as Jakarta Mail does by default; raises Unreadable for an AddressException."""
    return sight_of(_fields(raw), lambda value: list(_Parser(value, lenient=False).addresses()))


def lenient(raw: bytes) -> Sight:
    """Read *raw* as Jakarta Mail does with ``mail.mime.address.strict=false``."""
    return sight_of(_fields(raw), lambda value: list(_Parser(value, lenient=True).addresses()))


def _fields(raw: bytes) -> Iterator[Field]:
    field: bytes | None = None
    first = True
    for line in _LINE_END.split(raw):
        if line[:1] in (b" ", b"\t"):
            field = line.strip(_CONTROLS) if first else (field or b"") + (b"\r\n" if field else b"") + line
        else:
            if field:
                yield _field(field)
            field = line
        first = False
        if not line:
            return
    if field:
        yield _field(field)


def _field(line: bytes) -> Field:
    name, colon, value = line.partition(b":")
    unfolded = _FOLD.sub(lambda fold: fold[2] if fold[1] else b"", value.lstrip(b" \t\r\n") if colon else line)
    return name.strip(_CONTROLS).decode("latin-1"), unfolded.decode("latin-1")


@dataclass(slots=True)
class _Token:
    """Where the address and the name that are being read begin and end; -1 is nowhere."""

    start: int = -1
    end: int = -1
    name_start: int = -1
    name_end: int = -1
    is_route: bool = False
    is_group: bool = False


class _Parser:
    """``InternetAddress.parse``: one walk from special to special."""

    def __init__(self, text: str, *, lenient: bool) -> None:
        self._text = text
        self._lenient = lenient
        self._at = 0
        self._token = _Token()
        self._found: list[str] = []

    def addresses(self) -> list[str]:
        specials = {
            "(": self._comment,
            ")": self._stray,
            "<": self._route,
            ">": self._stray,
            '"': self._quoted,
            "[": self._literal,
            ";": self._semicolon,
            ",": self._comma,
            ":": self._colon,
        }
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in specials:
                specials[char]()
            elif char not in " \t\r\n":
                self._begin(self._at)
            self._at += 1
        if self._token.start >= 0:
            self._add(len(self._text))
        return self._found

    def _begin(self, at: int) -> None:
        if self._token.start == -1:
            self._token.start = at

    def _wrong(self, why: str) -> None:
        if not self._lenient:
            raise Unreadable(why)

    def _stray(self) -> None:
        self._wrong("missing opening bracket")
        self._begin(self._at)

    def _comment(self) -> None:
        token, opened = self._token, self._at
        if token.start >= 0 and token.end == -1:
            token.end = opened
        depth, at = 1, opened + 1
        while at < len(self._text) and depth:
            char = self._text[at]
            at += 1 + (char == "\\")
            depth += {"(": 1, ")": -1}.get(char, 0)
        if depth:
            self._wrong("missing )")
            self._at = opened + 1
            return
        self._at = at - 1
        if token.name_start == -1:
            token.name_start, token.name_end = opened + 1, self._at

    def _route(self) -> None:
        token = self._token
        if token.is_route:
            self._wrong("extra route-addr")
            if token.start == -1:
                self._token = _Token(is_group=token.is_group)
                return
            if not token.is_group:
                self._add(self._at if token.end == -1 else token.end, swaps=False)
                token = self._token
        opened = self._at
        closed = self._closing(opened)
        if closed < 0:
            self._wrong("missing >")
            self._at = opened + 1
            self._begin(opened)
            return
        if not token.is_group:
            if token.start >= 0:
                token.name_start, token.name_end = token.start, opened
            token.start = opened + 1
        token.is_route = True
        token.end = self._at = closed

    def _closing(self, opened: int) -> int:
        """Where the bracket opened at *opened* closes, quotes heeded if they close too; -1 for nowhere."""
        quoted, at = False, opened + 1
        while at < len(self._text):
            char = self._text[at]
            if char == "\\":
                at += 1
            elif char == '"':
                quoted = not quoted
            elif char == ">" and not quoted:
                return at
            at += 1
        if quoted:
            self._wrong('missing "')
            at = opened + 1
            while at < len(self._text):
                if self._text[at] == ">":
                    return at
                at += 1 + (self._text[at] == "\\")
        return -1

    def _quoted(self) -> None:
        self._until('"')

    def _literal(self) -> None:
        self._until("]")

    def _until(self, end: str) -> None:
        opened, at = self._at, self._at + 1
        self._begin(opened)
        while at < len(self._text) and self._text[at] != end:
            at += 1 + (self._text[at] == "\\")
        if at >= len(self._text):
            self._wrong(f"missing {end}")
            at = opened + 1
        self._at = at

    def _semicolon(self) -> None:
        token = self._token
        if token.start == -1:
            self._token = _Token(is_group=token.is_group)
        elif token.is_group:
            token.is_group = False
            if self._lenient and self._text[self._at + 1 : self._at + 2] == "@":
                return
            self._found.append(self._text[token.start : self._at + 1].strip(_TRIMMED))
            self._token = _Token()
        else:
            self._wrong("semicolon outside a group")
            self._comma()

    def _comma(self) -> None:
        token = self._token
        if token.start == -1:
            self._token = _Token(is_group=token.is_group)
        elif token.is_group:
            token.is_route = False
        else:
            self._add(self._at)

    def _colon(self) -> None:
        token = self._token
        if token.is_group:
            self._wrong("nested group")
        self._begin(self._at)
        if self._lenient:
            if self._is_no_group():
                return
            if self._text[token.start : self._at].lower() in _BOGUS_GROUPS:
                token.start = -1
                return
        token.is_group = True

    def _is_no_group(self) -> bool:
        after = self._text[self._at + 1 : self._at + 2]
        if not after or after not in _AFTER_COLON:
            return False
        if after != "@":
            return True
        following = (char for char in self._text[self._at + 2 :] if char == ";" or char in _AFTER_COLON)
        return next(following, "") == ";"

    def _add(self, end: int, *, swaps: bool = True) -> None:
        """End the address at *end*, unless it has ended before."""
        token, self._token = self._token, _Token()
        address = self._text[token.start : end if token.end == -1 else token.end].strip(_TRIMMED)
        name = self._text[token.name_start : token.name_end].strip(_TRIMMED) if token.name_start >= 0 else ""
        if not self._lenient:
            _check(address, is_route=token.is_route)
        elif swaps and "@" in name and "@" not in address and "!" not in address:
            address = _unquoted(name)
        self._found.append(address)


def _unquoted(name: str) -> str:
    if len(name) > 1 and name.startswith('"') and name.endswith('"'):
        return re.sub(r"\\(.)", r"\1", name[1:-1])
    return name


def _check(address: str, *, is_route: bool) -> None:
    """Refuse what is no address, as ``checkAddress`` does: an address without domain is one, and so is a route."""
    if is_route and address.startswith("@"):
        address = address.partition(":")[2] if ":" in address else address
    if not _LOCAL_THEN_DOMAIN.fullmatch(address):
        raise Unreadable("no address")
