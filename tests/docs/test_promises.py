"""Every promise of SECURITY.md names the tests that hold it, and they exist."""

import ast
import re

import pytest

from tests.docs.pages import ROOT, text_of

ROW = re.compile(r"^\| (?P<promise>[^|]+) \|[^|]+\| (?P<held>[^|]+) \|$", re.MULTILINE)
ROWS = {row["promise"]: row["held"].split() for row in ROW.finditer(text_of("SECURITY.md")) if "`" in row["held"]}
CASES = ("attacks.jsonl", "more_attacks.jsonl")
PLACES = sorted({place for held in ROWS.values() for place in held})


def test_there_are_promises_enough():
    assert len(ROWS) > 15


@pytest.mark.parametrize("place", PLACES)
def test_what_holds_a_promise_exists(place):
    path, _, name = place.strip("`").partition("::")
    found = ROOT / path
    assert found.exists()
    if name:
        tree = ast.parse(found.read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_cases_are_as_many_as_it_says():
    number = sum(len((ROOT / "tests" / "cases" / name).read_text().splitlines()) for name in CASES)

    assert f"{number} attack and control cases" in text_of("SECURITY.md")
