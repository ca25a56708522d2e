"""
Wildcards: ``*`` is any run of characters, ``?`` any one (IAM User Guide, "Condition operators", "Resource").

Patterns are spelt in an alphabet of their own, in which a wildcard is a lone surrogate. No readable policy holds one,
so a literal star (from ``${*}``, or from a tag's value) can never be taken for a wildcard.
"""

import re
from functools import lru_cache
from typing import Final, TypeAlias

from relay.words.values import dataclass

ANY_RUN: Final = "\ud800"
ANY_ONE: Final = "\ud801"


def wild(text: str) -> str:
    """*text* as a pattern: its stars and question marks become wildcards."""
    return text.replace("*", ANY_RUN).replace("?", ANY_ONE)


def has_wildcard(pattern: str) -> bool:
    """Whether *pattern* can match more than itself."""
    return ANY_RUN in pattern or ANY_ONE in pattern


@dataclass(frozen=True, slots=True)
class Text:
    """A pattern without wildcards."""

    text: str

    def matches(self, text: str) -> bool:
        """Whether *text* is this very text."""
        return text == self.text


@dataclass(frozen=True, slots=True)
class Runs:
    """
    A pattern with ``*`` only: a head, a tail, and what must stand between them in this order.

    Each middle part is sought from where the one before it ended. The leftmost place is always good enough, so nothing
    is ever tried twice: linear in the text, whatever the pattern.
    """

    head: str
    middle: tuple[str, ...]
    tail: str

    def matches(self, text: str) -> bool:
        """Whether the whole of *text* matches."""
        if not (text.endswith(self.tail) and text.startswith(self.head)):
            return False
        at, end = len(self.head), len(text) - len(self.tail)
        for part in self.middle:
            at = text.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return at <= end


@dataclass(frozen=True, slots=True)
class Shapes:
    """
    A pattern with ``?``, and perhaps ``*``: as :class:`Runs`, its parts of fixed length sought as expressions without
    any repetition, which cannot backtrack. ``parts`` are (expression, length); one part = no star at all.
    """

    parts: tuple[tuple[re.Pattern[str], int], ...]

    def matches(self, text: str) -> bool:
        """Whether the whole of *text* matches."""
        head, at = self.parts[0]
        tail, tail_length = self.parts[-1]
        if len(self.parts) == 1:
            return len(text) == at and head.match(text) is not None
        end = len(text) - tail_length
        if at > end or not head.match(text) or not tail.match(text, end):
            return False
        for part, length in self.parts[1:-1]:
            found = part.search(text, at)
            if found is None:
                return False
            at = found.start() + length
        return at <= end


Glob: TypeAlias = Text | Runs | Shapes


@lru_cache(maxsize=1024)
def compile_glob(pattern: str) -> Glob:
    """Make *pattern*, spelt in the alphabet of :func:`wild`, ready to match."""
    if ANY_ONE in pattern:
        return Shapes(tuple((_shape(part), len(part)) for part in re.split(f"{ANY_RUN}+", pattern)))
    if ANY_RUN not in pattern:
        return Text(pattern)
    head, *middle, tail = pattern.split(ANY_RUN)
    return Runs(head, tuple(filter(None, middle)), tail)


def _shape(part: str) -> re.Pattern[str]:
    return re.compile("".join("." if c == ANY_ONE else re.escape(c) for c in part), re.DOTALL)


def matches_within_segments(pattern: str, text: str) -> bool:
    """
    Whether *text* matches with the colons respected: a wildcard stays inside its segment, except that a ``*`` that ends
    a segment may run on over colons (IAM User Guide, "Resource", "Using wildcards in resource ARNs").
    """
    found = text.split(":")
    reached = [True] + [False] * len(found)  # reached[n]: the segments so far can account for the first n of the text
    for segment in pattern.split(":"):
        glob, runs_on, before = compile_glob(segment), segment.endswith(ANY_RUN), reached
        reached = [False] * len(before)
        hit_before = False
        for n, piece in enumerate(found):
            hit = before[n] and glob.matches(piece)
            hit_before = hit_before or hit
            reached[n + 1] = hit or (runs_on and hit_before)
    return reached[-1]
