"""Every command of the pages is typed at the demo; what cannot be says why, and is at least a command."""

import subprocess
from itertools import groupby

import pytest

from tests.docs.pages import NAMES, ROOT, blocks_of
from tests.docs.reader import reading

#: Why a block is not typed here.
NOT_HERE = {
    "aws": "it asks AWS or the world's DNS, or needs the command line client of AWS",
    "machine": "it changes the machine, or keeps it busy for long",
    "serves": "it runs until it is stopped",
    "yours": "it speaks of what only the reader has",
    "tested": "another test types it, and compares what it prints with what is shown",
}
#: How it ends, and that it prints the block below it.
HOW = {"exits-1", "exits-2", "prints"}
SHELL = [block for name in NAMES for block in blocks_of(name) if block.words[:1] == ("sh",)]
TYPED = [block for block in SHELL if not set(block.words) & set(NOT_HERE)]


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_it_is_shell_and_says_how_it_is_tested(block):
    """Why it is not typed here, or what becomes of it."""
    told = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False, timeout=10)

    assert (told.stderr, told.returncode) == ("", 0)
    assert set(block.words[1:]) <= HOW or (len(block.words) == 2 and block.words[1] in NOT_HERE)


def test_what_another_test_types_has_one():
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "docs").glob("test_*.py"))

    for page in {block.page for block in SHELL if "tested" in block.words}:
        assert page in tests, page


@pytest.mark.system
@pytest.mark.timeout(240)
def test_what_is_typed_at_the_demo_works(tmp_path, tool):
    """Page by page, in order, each page in a folder and a shell of its own; every command ends as the page says."""
    for name in ("curl", "jq", "openssl"):
        tool(name)
    with reading(tmp_path) as reader:
        wrong = [
            reader.types(page, list(blocks), tmp_path / f"{number:02}")
            for number, (page, blocks) in enumerate(groupby(TYPED, key=lambda block: block.page))
        ]

    assert "".join(wrong) == ""
