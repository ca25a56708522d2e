"""The table of crash points in docs/reliability.md names tests that are there, for every point."""

import ast
import re

import pytest

from tests.docs.pages import ROOT, text_of

ROWS = re.findall(r"^\| (C\d+) \|(.*)\|$", text_of("docs/reliability.md"), re.MULTILINE)
TEST = re.compile(r"`(\w+/\w+\.py)::(\w+)`")


def test_every_crash_point_is_there_once():
    assert [name for name, _ in ROWS] == [f"C{number}" for number in range(1, 1 + len(ROWS))]
    assert len(ROWS) >= 38


@pytest.mark.parametrize(("point", "row"), ROWS, ids=[name for name, _ in ROWS])
def test_its_tests_exist(point, row):
    named = TEST.findall(row)
    assert named
    assert row.count("::") == len(named)
    for file, test in named:
        tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
        functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert test in functions, f"{point}: {file} has no {test}"
