"""The page of figures: what a run writes, and that nothing but a run wrote it."""

import re

import pytest

from bench.__main__ import PARTS, parsed
from bench.page import PAGE, names_of, replaced, write
from bench.record import Table, figure, head, recording, row

TEXT = "before\n<!-- measured: a -->\nold\n<!-- end: a -->\nafter\n"


def test_what_was_measured_is_put_between_the_marks():
    new = replaced(TEXT, "a", "| x |\n")

    assert new == "before\n<!-- measured: a -->\n\n| x |\n\n<!-- end: a -->\nafter\n"
    assert replaced(new, "a", "| x |") == new


@pytest.mark.parametrize("text", ["", TEXT + TEXT, "<!-- end: a --><!-- measured: a -->", "<!-- measured: a -->"])
def test_a_page_without_a_single_pair_of_marks_is_left_alone(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)

    with pytest.raises(ValueError, match="marks"):
        write({"a": "x"}, page)
    assert page.read_text() == text


def test_the_page_has_a_place_for_each_part():
    assert sorted(names_of(PAGE.read_text())) == sorted([*PARTS, "machine", "goals"])


def test_tables_of_figures_are_between_marks():
    outside = re.sub(r"<!-- measured: (\S+) -->.*?<!-- end: \1 -->", "", PAGE.read_text(), flags=re.DOTALL)

    assert [line for line in outside.splitlines() if line.startswith("|")] == []


def test_each_part_has_figures_with_their_date():
    for name, content in re.findall(r"<!-- measured: (\S+) -->(.*?)<!-- end", PAGE.read_text(), re.DOTALL):
        assert name == "machine" or re.search(r"Measured on \d{4}-\d\d-\d\d, revision .+\n\n\| ", content), name


def test_what_is_told_is_printed_and_kept(capsys):
    with recording() as record:
        head("messages", "CPU", "p50")
        row("naive | plain", "2.0")
        figure("cpu", 2.0)

    assert "naive | plain" in capsys.readouterr().out
    assert record.tables == [Table(("messages", "CPU", "p50"), [("naive | plain", "2.0")])]
    assert record.markdown == "| messages | CPU | p50 |\n| --- | --- | --- |\n| naive \\| plain | 2.0 |  |"
    assert record.figures == {"cpu": 2.0}


@pytest.mark.parametrize("kind", [["--quick"], ["--full"], ["--compare", "main"]])
def test_only_parts_of_the_page_are_written(kind, capsys):
    with pytest.raises(SystemExit):
        parsed([*kind, "--write"])
    assert "parts of the page" in capsys.readouterr().err
