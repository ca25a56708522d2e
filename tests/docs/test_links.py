"""Who follows a link arrives."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import NAMES, ROOT, anchors_of, prose_of, spans_of

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"(?:tests|relay|docs|config)/[\w./-]+")


def links_of(page: str) -> list[str]:
    return [target for target in LINK.findall(prose_of(page)) if not target.startswith(("https://", "mailto:"))]


@pytest.mark.parametrize("page", NAMES)
def test_every_link_and_anchor_is_there(page):
    for target in links_of(page):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            name = str(file.resolve().relative_to(ROOT))
            assert anchor in anchors_of(name), f"{page}: {target}"


def test_the_table_of_contents_has_every_page():
    listed = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in links_of("docs/index.md")}

    pages = {path.resolve() for path in (ROOT / "docs").rglob("*.md")}
    assert pages - listed == {(ROOT / "docs" / "index.md").resolve()}


def test_nothing_points_out_of_the_repository():
    for page in NAMES:
        for target in links_of(page):
            file = ((ROOT / page).parent / target.partition("#")[0]).resolve()
            assert file.is_relative_to(Path(ROOT).resolve()), f"{page}: {target}"


@pytest.mark.parametrize("page", NAMES)
def test_files_named_in_prose_are_there(page):
    """A piece of code that looks like a path in the repository is one."""
    for span in spans_of(page):
        if PATH.fullmatch(span):
            assert (ROOT / span).exists(), f"{page}: {span}"
