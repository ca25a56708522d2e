"""The site is built of the pages that the repository has, and of nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import NAMES, ROOT

FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"(https?:[^\"]*)\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make site`` does. Strict: a link or an anchor that leads nowhere ends it."""
    folder = tmp_path_factory.mktemp("site")
    told = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (told.stdout + told.stderr, told.returncode) == ("", 0)
    return folder


def test_every_page_is_on_it_and_in_its_navigation(site):
    home = (site / "index.html").read_text()
    for name in NAMES:
        if name != "README.md":
            page = name.removeprefix("docs/").removesuffix(".md") + ".html"
            assert (site / page).is_file(), page
            assert f'href="{page}"' in home, page


def test_it_fetches_nothing_from_elsewhere(site):
    """It can be read without a network, and nobody is told who reads it."""
    assert [found for page in site.rglob("*.html") for found in FETCHED.findall(page.read_text())] == []


def test_the_words_after_a_fence_do_not_spoil_it(site):
    """They are for our tests; a block that was not understood would show its fence."""
    for page in site.rglob("*.html"):
        assert "```" not in page.read_text(), page
