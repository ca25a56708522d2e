"""The page that says what was measured: between its marks only what a run of the bench wrote."""

import re
from pathlib import Path
from typing import Final

from bench.trees import ROOT

PAGE: Final = ROOT / "docs" / "performance.md"


def replaced(text: str, name: str, content: str) -> str:
    """
    Return *text* with *content* between the marks of *name*.

    Raises:
        ValueError: the marks are not there, once each and in order.

    """
    begin, end = f"<!-- measured: {name} -->", f"<!-- end: {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"no single pair of marks for {name!r}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{rest.split(end)[1]}"


def names_of(text: str) -> list[str]:
    """The names that have marks, in order."""
    return re.findall(r"<!-- measured: (\S+) -->", text)


def write(contents: dict[str, str], page: Path = PAGE) -> None:
    """Write what was measured, by name, into the page."""
    text = page.read_text()
    for name, content in contents.items():
        text = replaced(text, name, content)
    page.write_text(text)
