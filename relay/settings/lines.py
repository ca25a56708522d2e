"""Which line of a TOML text holds which key. The text has been read by tomllib: here it is only walked over."""

import re
from typing import Final

from relay.settings.keys import KeyPath
from relay.words.patterns import on_demand

_BLANK: Final = re.compile(r"[ \t]*")
_BETWEEN: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}#\r\n]+")
_STRINGS: Final = (
    re.compile(r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}'),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}"),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def lines_of(text: str) -> dict[KeyPath, int]:
    """
    Map every key, table and element of an array to the line of *text*, from 1, where it begins.

    *text* is valid TOML; of anything else the map is as far as it could be made.
    """
    walk = _Walk(text)
    walk.document()
    return walk.lines


class _Walk:
    """One pass over the text. ``at`` is the offset of the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted_to = 0
        self._line = 1
        self._arrays: dict[KeyPath, int] = {}
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_BETWEEN)
        while self._at < len(self._text):
            before = self._at
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BETWEEN)
            if self._at == before:  # no TOML after all
                return

    def _header(self) -> KeyPath:
        start = self._at
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        parts = self._dotted_key()
        self._skip(_BLANK)
        self._at += 2 if is_array else 1
        path = self._resolve((), parts[:-1])
        last = self._resolve(path, parts[-1:]) if not is_array else (*path, *parts[-1:])
        if is_array:
            self._note(last, start)
            index = self._arrays[last] = self._arrays.get(last, -1) + 1
            last = (*last, index)
        self._note(last, start)
        return last

    def _resolve(self, table: KeyPath, parts: tuple[str, ...]) -> KeyPath:
        """Follow *parts* from *table*; through an array of tables the way leads into its last element."""
        path = table
        for part in parts:
            path = (*path, part)
            if path in self._arrays:
                path = (*path, self._arrays[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        parts = self._dotted_key()
        path = table
        for part in parts:
            path = (*path, part)
            self._note(path, start)
        self._skip(_BLANK)
        if not self._text.startswith("=", self._at):
            return
        self._at += 1
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        if self._text.startswith("[", self._at):
            self._array(path)
        elif self._text.startswith("{", self._at):
            self._inline_table(path)
        elif not self._string():
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._more("]"):
            self._note((*path, index), self._at)
            before = self._at
            self._value((*path, index))
            self._comma(before)
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._more("}"):
            before = self._at
            self._pair(path)
            self._comma(before)

    def _more(self, end: str) -> bool:
        self._skip(_BETWEEN)
        if self._at >= len(self._text):
            return False
        if self._text[self._at] == end:
            self._at += 1
            return False
        return True

    def _comma(self, before: int) -> None:
        self._skip(_BETWEEN)
        if self._text.startswith(",", self._at):
            self._at += 1
        elif self._at == before:  # no TOML after all
            self._at = len(self._text)

    def _dotted_key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self._skip(_BLANK)
            start = self._at
            if self._string():
                parts.append(_unquoted(self._text[start : self._at]))
            else:
                self._skip(_BARE_KEY)
                parts.append(self._text[start : self._at])
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1

    def _string(self) -> bool:
        for form in _STRINGS:
            match = form.match(self._text, self._at)
            if match:
                self._at = match.end()
                return True
        return False

    def _skip(self, form: re.Pattern[str]) -> None:
        match = form.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _note(self, path: KeyPath, offset: int) -> None:
        if path not in self.lines:
            self._line += self._text.count("\n", self._counted_to, offset)
            self._counted_to = offset
            self.lines[path] = self._line


_ESCAPE: Final = on_demand(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([btnfr"\\]))')
_ESCAPED: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def _unquoted(quoted: str) -> str:
    if quoted.startswith("'"):
        return quoted[1:-1]
    return _ESCAPE.sub(lambda m: _ESCAPED[m[3]] if m[3] else chr(int(m[1] or m[2], 16)), quoted[1:-1])
