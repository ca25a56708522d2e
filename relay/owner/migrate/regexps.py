"""
Regular expressions of addresses, said with the two wildcards that policies have. Pure.

What may be sent is never said wider than the expression, what may not be never narrower; what can be said neither way
is a problem for a person. The grammar is that of RE2, as far as people write it about addresses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from enum import Enum, auto
from itertools import product
from typing import Final, TypeAlias

from relay.owner.statements import Pattern
from relay.words.values import dataclass

_MOST: Final = 64
_LITERAL_CLASSES: Final = {"\\.": ".", "\\-": "-", "\\+": "+", "\\@": "@", "\\_": "_"}


class RegexpProblem(ValueError):
    """An expression that wildcards cannot say. ``str()`` names the piece."""


class Mark(Enum):
    """What a piece of an expression is, when it is no character."""

    ONE = auto()
    RUN = auto()
    START = auto()
    END = auto()
    NO_AT = auto()
    NO_AT_RUN = auto()


_SINGLE: Final = {"^": Mark.START, "$": Mark.END, ".": Mark.ONE}
_SPELT: Final = {Mark.ONE: "?", Mark.NO_AT: "?", Mark.RUN: "*", Mark.NO_AT_RUN: "*"}


Piece: TypeAlias = str | Mark
Way: TypeAlias = tuple[Piece, ...]
Ways: TypeAlias = list[Way]


@dataclass(frozen=True, slots=True)
class Said:
    """The patterns, and what about them differs from the expression."""

    patterns: tuple[Pattern, ...]
    remarks: tuple[str, ...] = ()


def say_allowed(expression: str) -> Said:
    """
    Say what *expression* lets through: the same or less.

    Raises:
        RegexpProblem: Wildcards would say more.
    """
    return _said(expression, is_wide=False)


def say_refused(expression: str) -> Said:
    """
    Say what *expression* keeps back: the same or more.

    Raises:
        RegexpProblem: Wildcards would say less, or nearly everything.
    """
    return _said(expression, is_wide=True)


def _said(expression: str, *, is_wide: bool) -> Said:
    reader = _Reader(expression, is_wide=is_wide)
    ways = reader.whole()
    remarks = dict.fromkeys(reader.remarks)
    patterns = {}
    for way in ways:
        text = _spelt(way, remarks, is_wide=is_wide, has_no_case=reader.has_no_case)
        if text is not None:
            patterns[text] = Pattern(text, is_wild="*" in text or "?" in text)
    if not patterns:
        raise RegexpProblem("it matches no address")
    return Said(tuple(patterns.values()), tuple(remarks))


def _spelt(way: Way, remarks: dict[str, None], *, is_wide: bool, has_no_case: bool) -> str | None:
    """Spell one way with wildcards; None for one that no address can go."""
    inner, at_start = _anchored(way, Mark.START)
    backwards, at_end = _anchored(inner[::-1], Mark.END)
    inner = backwards[::-1]
    if Mark.START in inner or Mark.END in inner or (at_start and at_end and not inner):
        return None
    if {Mark.NO_AT, Mark.NO_AT_RUN} & set(inner) and "@" not in inner and not is_wide:
        raise RegexpProblem("[^@] without an @ beside it")
    text = "".join(piece if isinstance(piece, str) else _SPELT[piece] for piece in inner)
    local, at, domain = text.rpartition("@")
    if has_no_case and is_wide and any(map(str.isalpha, local if at else text)):
        raise RegexpProblem("(?i): conditions compare local parts with their case")
    text = f"{local}@{domain.lower()}" if at else text
    if not at_end:
        is_whole = bool(at) and "." in domain and not set("*?") & set(domain) and domain[-1:].isalnum()
        if is_whole and not is_wide:
            remarks[f"{text} ends where the expression went on: what might follow is not let through"] = None
        else:
            text += "*"
    text = text if at_start else f"*{text}"
    while "**" in text:
        text = text.replace("**", "*")
    return text.removeprefix("?") if text.startswith("?*@") else text  # no local part is empty


def _anchored(way: Way, anchor: Mark) -> tuple[Way, bool]:
    """Take the anchor off, with what before it can be nothing; a way that has none, or has it inside, stays."""
    last = max((at for at, piece in enumerate(way) if piece is anchor), default=-1)
    if last < 0 or not set(way[:last]) <= {anchor, Mark.RUN, Mark.NO_AT_RUN}:
        return way, False
    return way[last + 1 :], True


@dataclass(slots=True)
class _Reader:
    """A descent over one expression; every method returns the ways that its part can go."""

    text: str
    is_wide: bool
    at: int = 0
    has_no_case: bool = False
    remarks: list[str] = field(default_factory=list)
    _past_at: bool = False

    def whole(self) -> Ways:
        if self.text.startswith("(?i)"):
            self.has_no_case, self.at = True, 4
            if not self.is_wide:
                self.remarks.append("(?i): conditions compare with the case that is written here")
        ways = self._either()
        if self.at < len(self.text):
            raise RegexpProblem(f"an unmatched ) at {self.at + 1}")
        return ways

    def _either(self) -> Ways:
        before, ways = self._past_at, self._row()
        while self._peek() == "|":
            self.at += 1
            after, self._past_at = self._past_at, before
            ways = self._bounded([*ways, *self._row()])
            self._past_at = self._past_at or after
        return ways

    def _row(self) -> Ways:
        ways: Ways = [()]
        while self._peek() not in ("", "|", ")"):
            piece = self._times(self._atom())
            ways = self._bounded([one + other for one, other in product(ways, piece)])
            self._past_at = self._past_at or any("@" in way for way in piece)
        return ways

    def _atom(self) -> Ways:
        start, character = self.at, self._next()
        match character:
            case "^" | "$" | ".":
                return [(_SINGLE[character],)]
            case "(":
                return self._group(start)
            case "[":
                return self._class(start)
            case "\\":
                return self._escaped(start)
            case "*" | "+" | "?":
                raise RegexpProblem(f"a {character} with nothing before it at {start + 1}")
            case _:
                return [(character,)]

    def _group(self, start: int) -> Ways:
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self.text.startswith("?P<", self.at) and ">" in self.text[self.at :]:
            self.at = self.text.index(">", self.at) + 1
        elif self._peek() == "?":
            raise RegexpProblem(f"{self.text[start : start + 4]} at {start + 1}")
        ways = self._either()
        if self._peek() != ")":
            raise RegexpProblem(f"the ( at {start + 1} is not closed")
        self.at += 1
        return ways

    def _class(self, start: int) -> Ways:
        end = self.text.find("]", self.at + 1 + (self._peek() == "^"))
        if end < 0:
            raise RegexpProblem(f"the [ at {start + 1} is not closed")
        inside, self.at = self.text[self.at : end], end + 1
        if inside in ("^@", "^@\\s", "^\\s@"):
            return [(Mark.NO_AT,)]
        for spelt, plain in _LITERAL_CLASSES.items():
            inside = inside.replace(spelt, plain)
        if inside[0] != "^" and "\\" not in inside and "-" not in inside[1:-1] and len(inside) <= 4:
            return [(self._literal(each),) for each in inside]
        return self._some(f"[{inside}]", start)

    def _escaped(self, start: int) -> Ways:
        character = self._next()
        if character in ("A", "z"):
            return [(Mark.START if character == "A" else Mark.END,)]
        if character == "S":
            return [(Mark.ONE,)]
        if character == "b" and self.is_wide:
            return [()]
        if character.isalnum() and character.isascii():
            return self._some(f"\\{character}", start)
        return [(self._literal(character),)]

    def _some(self, spelt: str, start: int) -> Ways:
        if not self.is_wide:
            raise RegexpProblem(f"{spelt} at {start + 1}: some characters and not others")
        return [(Mark.ONE,)]

    def _literal(self, character: str) -> str:
        if character in "*?" or not character:
            raise RegexpProblem(f"{character or 'a backslash at the end'}: no address holds it")
        return character

    def _times(self, ways: Ways) -> Ways:
        least, most = self._quantity()
        if (least, most) == (1, 1):
            return self._as_a_dot(ways)
        is_any = ways in ([(Mark.ONE,)], [(Mark.NO_AT,)])
        if most is None:
            if not is_any and not self.is_wide:
                raise RegexpProblem(f"a repetition before {self.at + 1}")
            tail = (Mark.NO_AT_RUN,) if ways == [(Mark.NO_AT,)] else (Mark.RUN,)
            return [one + tail for one in self._repeated(ways, least)]
        return self._bounded([one for count in range(least, most + 1) for one in self._repeated(ways, count)])

    def _repeated(self, ways: Ways, count: int) -> Ways:
        repeated: Ways = [()]
        for _ in range(count):
            repeated = self._bounded([one + other for one, other in product(repeated, ways)])
        return repeated

    def _as_a_dot(self, ways: Ways) -> Ways:
        """A bare dot in a domain was meant as one: so it is read where that says less."""
        if ways == [(Mark.ONE,)] and self._past_at and not self.is_wide and self.text[self.at - 1] == ".":
            self.remarks.append("a . in a domain is a dot, no longer any character")
            return [(".",)]
        return ways

    def _quantity(self) -> tuple[int, int | None]:
        least: int
        most: int | None
        match self._peek():
            case "*":
                least, most = 0, None
            case "+":
                least, most = 1, None
            case "?":
                least, most = 0, 1
            case "{":
                return self._counted()
            case _:
                return 1, 1
        self.at += 1
        self.at += self._peek() == "?"  # lazy: the same addresses
        return least, most

    def _counted(self) -> tuple[int, int | None]:
        end = self.text.find("}", self.at)
        least, comma, most = self.text[self.at + 1 : max(end, self.at)].partition(",")
        if end < 0 or not least.isdecimal() or not (most.isdecimal() or not most) or int(least) > _MOST:
            raise RegexpProblem(f"the {{ at {self.at + 1}")
        self.at = end + 1
        if not comma:
            return int(least), int(least)
        return int(least), min(int(most), _MOST) if most else None

    def _bounded(self, ways: Ways) -> Ways:
        if len(ways) > _MOST:
            raise RegexpProblem(f"it stands for more than {_MOST} patterns")
        return ways

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _next(self) -> str:
        character = self._peek()
        self.at += 1
        return character


def covers(pattern: Pattern, text: str) -> bool:
    """Whether *text*, an address or a pattern, is wholly within *pattern*; False where it cannot be told."""
    if pattern.text in ("*", text):
        return True
    if not pattern.is_wild:
        return False
    return _runs(pattern.text, text)


def _runs(pattern: str, text: str) -> bool:
    """Match by wildcards. A wildcard in *text* is matched by ``*`` alone, which takes whatever it stands for."""
    rows = [[False] * (len(text) + 1) for _ in range(len(pattern) + 1)]
    rows[0][0] = True
    for i, wanted in enumerate(pattern, start=1):
        rows[i][0] = wanted == "*" and rows[i - 1][0]
        for j, got in enumerate(text, start=1):
            if wanted == "*":
                rows[i][j] = rows[i - 1][j] or rows[i][j - 1]
            else:
                fits = got == wanted if got != "?" else wanted == "?"
                rows[i][j] = (fits or (wanted == "?" and got != "*")) and got != "*" and rows[i - 1][j - 1]
    return rows[-1][-1]


def within(patterns: Sequence[Pattern], bounds: Sequence[Pattern]) -> tuple[Pattern, ...]:
    """
    Return what is in *patterns* and in *bounds* alike.

    Raises:
        RegexpProblem: Two of them overlap in a way that no pattern says.
    """
    kept: dict[Pattern, None] = {}
    for one, other in product(patterns, bounds):
        if covers(other, one.text):
            kept[one] = None
        elif covers(one, other.text):
            kept[other] = None
        elif one.is_wild and other.is_wild and _may_overlap(one.text, other.text):
            raise RegexpProblem(f"{one.text} and {other.text} overlap")
    return tuple(kept)


def _may_overlap(one: str, other: str) -> bool:
    """Whether both may match one address; domains without wildcards that differ keep them apart."""
    domains = [text.rpartition("@")[2] for text in (one, other)]
    both_plain = all("@" in text for text in (one, other)) and not any(set("*?") & set(domain) for domain in domains)
    return not both_plain or domains[0] == domains[1]


def shortest(patterns: Iterable[Pattern]) -> tuple[Pattern, ...]:
    """Return the patterns without those that others of them cover."""
    all_of_them = dict.fromkeys(patterns)
    return tuple(
        one for one in all_of_them if not any(other != one and covers(other, one.text) for other in all_of_them)
    )


def lowered(pattern: Pattern) -> Pattern:
    """Return the pattern with its domain in lower case, as envelopes have it."""
    local, at, domain = pattern.text.rpartition("@")
    return replace(pattern, text=f"{local}@{domain.lower()}" if at else pattern.text)
