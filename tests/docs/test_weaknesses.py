"""Every weakness of aiosmtpd that the page lists is held by the tests it names, and by all that carry its number."""

import ast
import re
from collections import defaultdict
from functools import cache

import pytest

from tests.docs.pages import ROOT, text_of

PAGE = "docs/explanation/aiosmtpd.md"
ROW = re.compile(r"^\| W(\d+) \|.*\| ((?:`[^`|]+` ?)+)\|$", re.MULTILINE)
NUMBER = re.compile(r"_w(\d+)(?=_)")


@cache
def files_by_number() -> dict[int, set[str]]:
    """The files with a test of each weakness, by the names of their functions."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_w"):
                for number in NUMBER.findall(node.name):
                    found[int(number)].add(str(path.relative_to(ROOT)))
    return found


ROWS = {int(match[1]): set(re.findall(r"`([^`]+)`", match[2])) for match in ROW.finditer(text_of(PAGE))}


def test_all_of_them_are_there():
    assert list(ROWS) == list(range(1, 36))


@pytest.mark.parametrize("number", range(1, 36))
def test_the_tests_of_a_weakness_are_those_with_its_number(number):
    assert ROWS[number] == files_by_number()[number]
