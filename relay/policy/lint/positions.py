"""Where in a text a JSON path is: line and column, for people and for editors."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import field
from typing import Final, TypeAlias

from relay.policy.strict_json import step
from relay.words.values import dataclass

_TOKEN: Final = re.compile(r'"(?>(?:[^"\\]|\\.)*)"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_STEP: Final = re.compile(
    r'\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\[(?P<index>[0-9]+)\]|\[(?P<key>"(?>(?:[^"\\]|\\.)*)")\]', re.DOTALL
)

#: From and to which character of the text, counted from 0; the end is behind the last one.
_Reach: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """Lines and columns count characters from 1; the end is behind the last one."""

    line: int
    column: int
    end_line: int
    end_column: int


class Lines:
    """The lines of a text, as editors count them."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def at(self, offset: int) -> Span:
        """The place of one character; of the end, for an *offset* beyond it."""
        start = min(offset, self._length)
        return self.span((start, min(start + 1, self._length)))

    def span(self, reach: _Reach) -> Span:
        """The place of some characters."""
        return Span(*self._line_and_column(reach[0]), *self._line_and_column(reach[1]))

    def _line_and_column(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


@dataclass(slots=True)
class _Node:
    """A value of the text; ``at`` is its place, an object or list standing where its bracket opens."""

    at: _Reach = (0, 0)
    key_at: _Reach | None = None
    children: dict[str | int, "_Node"] = field(default_factory=dict)


@dataclass(slots=True)
class _Container:
    """An object or list that is being read. ``next``: the key or index of what comes; None = the key comes first."""

    node: _Node
    path: str
    next: str | int | None


class Positions:
    """
    The place of every key and value of *text*, which is JSON.

    ``repeated``: path of the object and name of every key that stands again in it, with the place of that.
    """

    def __init__(self, text: str) -> None:
        self._lines = Lines(text)
        self._root = _Node()
        self._open: list[_Container] = []
        self.repeated: list[tuple[str, str, Span]] = []
        for token in _TOKEN.finditer(text):
            self._read(token[0], token.span())

    def of(self, path: str, *, on_key: bool = False) -> Span:
        """
        The place of the value at *path*, or of its key; where there is no such value, of what would hold it.

        An element that is missing is so told at the object that misses it.
        """
        node = self._root
        for key in _steps(path):
            child = node.children.get(key)
            if child is None:
                return self._lines.span(node.at)
            node = child
        return self._lines.span(node.key_at if on_key and node.key_at else node.at)

    def _read(self, spelled: str, at: _Reach) -> None:
        within = self._open[-1] if self._open else None
        if spelled in {"}", "]"}:
            del self._open[-1:]
        elif spelled == ",":
            if within is not None:
                within.next = None if not isinstance(within.next, int) else within.next + 1
        elif spelled != ":":
            if within is not None and within.next is None:
                self._read_key(within, spelled, at)
            else:
                self._read_value(within, spelled, at)

    def _read_key(self, within: _Container, spelled: str, at: _Reach) -> None:
        within.next = key = str(json.loads(spelled))
        if key in within.node.children:
            self.repeated.append((within.path, key, self._lines.span(at)))
        within.node.children[key] = _Node(key_at=at)

    def _read_value(self, within: _Container | None, spelled: str, at: _Reach) -> None:
        node = self._place(within)
        node.at = at
        if spelled in {"{", "["}:
            path = "$" if within is None else _below(within)
            self._open.append(_Container(node, path, None if spelled == "{" else 0))

    def _place(self, within: _Container | None) -> _Node:
        if within is None or within.next is None:
            return self._root
        return within.node.children.setdefault(within.next, _Node())


def _below(within: _Container) -> str:
    """The path of what comes next."""
    return step(within.path, within.next) if isinstance(within.next, str) else f"{within.path}[{within.next}]"


def _steps(path: str) -> Iterator[str | int]:
    for found in _STEP.finditer(path):
        if found["index"] is not None:
            yield int(found["index"])
        else:
            yield found["name"] if found["name"] is not None else str(json.loads(found["key"]))
