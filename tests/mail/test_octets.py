"""Rule P1 is looked for in windows: where a window ends makes no difference."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.mail import octets
from relay.mail.octets import check_lines, check_octets
from relay.mail.problems import Broken

PIECES = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b"\r\n\r\n"]), max_size=12).map(b"".join)


@pytest.fixture(autouse=True, params=[1, 2, 3, 5])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many octets at once, instead of a million."""
    monkeypatch.setattr(octets, "_WINDOW", request.param)
    return int(request.param)


@given(raw=PIECES)
@settings(max_examples=300, database=None, deadline=None)
def test_what_is_bare_is_found_wherever_windows_end(raw: bytes) -> None:
    """
    Found exactly where taking the pairs away leaves one, and its line is named.
    """
    bare = re.search(rb"\r(?!\n)|(?<!\r)\n", raw)
    try:
        check_octets(raw)
    except Broken as broken:
        assert bare is not None
        lines = {raw.count(b"\n", 0, each.start()) + 1 for each in re.finditer(rb"\r(?!\n)|(?<!\r)\n", raw)}
        named = re.match(r"Line (\d+) ", broken.problem.reply.text)
        assert named is not None
        assert int(named[1]) in lines
    else:
        assert bare is None


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(0, 6), st.integers(3, 5))
@settings(max_examples=200, database=None, deadline=None)
def test_the_first_line_that_is_too_long_is_named(lengths: list[int], tail: int, longest: int):
    raw = b"".join(b"x" * length + b"\r\n" for length in lengths) + b"y" * tail
    too_long = [number for number, length in enumerate([*lengths, tail], 1) if length > longest]

    if too_long:
        with pytest.raises(Broken) as caught:
            check_lines(raw, longest, 0)
        told = caught.value.problem.reply.text
        assert told.startswith(f"Line {too_long[0]} has more than {longest} octets")
    else:
        check_lines(raw, longest, 0)
