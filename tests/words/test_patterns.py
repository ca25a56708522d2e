"""A pattern that waits is one that does not, but for when it is compiled."""

import re
from typing import Any

import pytest

from relay.words.patterns import on_demand


def found(pattern: Any, text: Any) -> list[Any]:
    seen = [pattern.fullmatch(text).groups(), pattern.search(text[:0]), pattern.sub(text[:1], text)]
    return [*seen, pattern.pattern, pattern.flags, pattern.groups]


@pytest.mark.parametrize(
    ("written", "flags", "text"), [(r"(?P<word>[a-z]+)-\1", re.IGNORECASE, "Ab-aB"), (rb"([0-9])+", 0, b"12")]
)
def test_it_finds_what_the_pattern_finds(written, flags, text):
    waiting, compiled = on_demand(written, flags), re.compile(written, flags)
    assert found(waiting, text) == found(waiting, text) == found(compiled, text)


def test_it_is_compiled_by_who_first_uses_it():
    """What is wrong with it is told then, so each pattern that waits has a test that uses it."""
    waiting = on_demand("(")
    with pytest.raises(re.error):
        waiting.search("")
