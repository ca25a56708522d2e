"""The pages of the documentation, taken apart: prose, links, blocks of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = [
    *(f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
]

_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: the page it is on, its line there, the words after its fence, its text."""

    page: str
    line: int
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        """Where to look: ``docs/quickstart.md:12``."""
        return f"{self.page}:{self.line}"


@cache
def text_of(page: str) -> str:
    """Read a page by its name."""
    return (ROOT / page).read_text("utf-8")


def blocks(*words: str) -> list[Block]:
    """Every block of all pages whose fence has exactly these *words*."""
    return [block for page in NAMES for block in blocks_of(page) if block.words == words]


def blocks_of(page: str) -> Iterator[Block]:
    """Every block of a page, in order."""
    text = text_of(page)
    for match in _FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, match.start()) + 1, tuple(match[1].split()), match[2])


def prose_of(page: str) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", text_of(page))


def spans_of(page: str) -> list[str]:
    """Every piece of code within the prose of a page."""
    return [match[2].strip() for match in _SPAN.finditer(prose_of(page).replace("\n", " "))]


def words_of(page: str) -> str:
    """The prose of a page without its pieces of code."""
    return _SPAN.sub("", prose_of(page).replace("\n", " "))


def anchors_of(page: str) -> set[str]:
    """The anchors that a forge makes of the headings of a page."""
    found: dict[str, int] = {}
    anchors = set()
    for match in _HEADING.finditer(prose_of(page)):
        slug = re.sub(r"[^\w\- ]", "", match[1].lower()).strip().replace(" ", "-")
        count = found[slug] = found.get(slug, -1) + 1
        anchors.add(f"{slug}-{count}" if count else slug)
    return anchors
