"""Wildcards beside a plain definition of them, on all short texts and on those that once fooled a matcher."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.policy.wildcards import compile_glob, has_wildcard, matches_within_segments, wild


def plainly(pattern: str, text: str) -> bool:
    """A star is any characters, a question mark is one."""
    made = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(made, text, re.DOTALL) is not None


def plainly_within_segments(pattern: str, text: str) -> bool:
    """The same inside each segment, but that a star at a segment's end is any characters, colons too."""
    made = []
    for segment in pattern.split(":"):
        inner = "".join({"*": "[^:]*", "?": "[^:]"}.get(c, re.escape(c)) for c in segment)
        made.append(inner.removesuffix("[^:]*") + ".*" if segment.endswith("*") else inner)
    return re.fullmatch(":".join(made), text, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*a*a*", "a", False),
        ("*a*a*", "aa", True),
        ("*ab*ab*", "ab", False),
        ("*ab*b*", "ab", False),
        ("*?*?*", "a", False),
        ("*?a*?a*", "ba", False),
        ("*?a*?a*", "baba", True),
        ("a*b*c", "abc", True),
        ("a*bc*c", "abc", False),
        ("ab*ba", "aba", False),
        ("a?*?a", "aa", False),
        ("a?*?a", "a12a", True),
        ("*", "", True),
        ("?", "", False),
        ("**?**", "x", True),
        ("", "", True),
        ("", "x", False),
        ("[a-z]*", "b", False),
        ("a.c", "abc", False),
        ("a.?", "axc", False),
        ("a?c", "a\nc", True),
    ],
)
def test_a_part_is_never_counted_twice(pattern, text, matches):
    """
    Neither by the next part nor by head and tail; and no letter but the two means more than itself.
    """
    assert plainly(pattern, text) is matches
    assert compile_glob(wild(pattern)).matches(text) is matches


@given(st.lists(st.sampled_from(["*", "*", "a", "aa", "ab", "?"]), max_size=9).map("".join), st.text("ab", max_size=6))
def test_repeated_parts_match_as_defined(pattern, text):
    """
    Of patterns made of few parts, many times.
    """
    assert compile_glob(wild(pattern)).matches(text) is plainly(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a:b", "b", False),
        ("b", "a:b", False),
        ("a", "a:b", False),
        ("x*:b", "a:b", False),
        ("a*:b", "a:b", True),
        ("a*:b", "a:x:b", True),
        ("a*:b", "ax:y:b", True),
        ("a*b:c", "a:b:c", False),
        ("a?b", "a:b", False),
        ("?:?", "a:b", True),
        ("*", "a:b:c", True),
        ("*:c", "a:b:c", True),
        ("a:*", "a", False),
        ("*:*", "a", False),
        ("a:*:c", "a::c", True),
        ("", "", True),
        (":", ":", True),
    ],
)
def test_segments_bound_what_does_not_end_them(pattern, text, matches):
    """
    Each segment of the pattern accounts for one of the text, or, ending with a star, for several.
    """
    assert plainly_within_segments(pattern, text) is matches
    assert matches_within_segments(wild(pattern), text) is matches


@settings(max_examples=3 * settings().max_examples)
@given(st.text("ab:*?", max_size=8), st.text("ab:", max_size=8))
def test_segments_match_as_defined(pattern, text):
    """
    Whatever stands in them.
    """
    assert matches_within_segments(wild(pattern), text) is plainly_within_segments(pattern, text)


def test_all_short_patterns_of_segments_match_as_defined():
    """
    Up to four characters in the pattern, three in the text.
    """
    patterns, texts = (
        ["".join(made) for n in range(longest) for made in product(letters, repeat=n)]
        for letters, longest in (("a:*?", 5), ("ab:", 4))
    )
    for pattern in patterns:
        assert [text for text in texts if matches_within_segments(wild(pattern), text)] == [
            text for text in texts if plainly_within_segments(pattern, text)
        ]


def test_a_wildcard_is_known_from_a_letter():
    """
    Only what was made wild has one.
    """
    assert [has_wildcard(wild("a*")), has_wildcard(wild("?")), has_wildcard(wild("a")), has_wildcard("*?")] == [
        True,
        True,
        False,
        False,
    ]
