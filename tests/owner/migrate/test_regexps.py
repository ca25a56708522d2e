"""What may be sent is never said wider than the regular expression, what may not be never narrower."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.owner.migrate.regexps import RegexpProblem, Said, covers, say_allowed, say_refused, shortest, within
from relay.owner.statements import Pattern, read_pattern

CASES = json.loads((Path(__file__).parents[2] / "cases" / "migrate_regexps.json").read_text())

LOCALS = st.text("abx.+", min_size=1, max_size=4)
DOMAINS = st.sampled_from(["a.b", "x.ab", "b.a", "a.bx", "aab"])
ADDRESSES = st.builds("{}@{}".format, LOCALS, DOMAINS)
ATOMS = st.sampled_from(["a", "b", "x", "@", r"\.", ".", "[^@]", "[ab]", "[a-x]", r"\w", r"\+", "@a\\.b", "^", "$"])
EXPRESSIONS = st.recursive(
    st.lists(st.builds("{}{}".format, ATOMS, st.sampled_from(["", "", "", "*", "+", "?"])), min_size=1, max_size=5).map(
        "".join
    ),
    lambda inner: (
        st.builds("({}|{}){}".format, inner, inner, st.sampled_from(["", "?"])) | st.builds("{}{}".format, inner, inner)
    ),
    max_leaves=3,
)


def matches(said: Said, address: str) -> bool:
    return any(covers(pattern, address) for pattern in said.patterns)


def pattern(text: str) -> Pattern:
    return Pattern(text, is_wild="*" in text or "?" in text)


@pytest.mark.parametrize("case", CASES, ids=[case["expression"] for case in CASES])
@pytest.mark.parametrize(("say", "key"), [(say_allowed, "allowed"), (say_refused, "refused")])
def test_expressions_are_said_with_wildcards_or_the_piece_is_named(case, say, key):
    expected = case[key]
    if isinstance(expected, str):
        with pytest.raises(RegexpProblem, match=re.escape(expected)):
            say(case["expression"])
    else:
        assert [each.text for each in say(case["expression"]).patterns] == expected


@given(EXPRESSIONS, st.lists(ADDRESSES, min_size=5, max_size=20))
def test_never_wider_for_allows_and_never_narrower_for_denies(expression, addresses):
    """Held against the expression itself; ``\\A``, lookarounds and the like do not occur in what is drawn."""
    try:
        meant = re.compile(expression)
    except re.error:
        return
    for say, is_wide in ((say_allowed, False), (say_refused, True)):
        try:
            said = say(expression)
        except RegexpProblem:
            continue
        for address in addresses:
            if is_wide:
                assert matches(said, address) or not meant.search(address), (said, address)
            else:
                assert meant.search(address) or not matches(said, address), (said, address)


@pytest.mark.parametrize(
    ("patterns", "bounds", "both"),
    [
        (["a@x.y", "b@x.z"], ["*@x.y"], ["a@x.y"]),
        (["*@x.y"], ["a@x.y", "*@x.z"], ["a@x.y"]),
        (["*@x.y"], ["*@x.y"], ["*@x.y"]),
        (["*@x.y"], ["*"], ["*@x.y"]),
        (["*@x.y"], ["*@x.z"], []),
    ],
)
def test_what_is_in_both(patterns, bounds, both):
    assert [each.text for each in within([*map(pattern, patterns)], [*map(pattern, bounds)])] == both


def test_an_overlap_that_no_pattern_says_is_a_problem():
    with pytest.raises(RegexpProblem, match="overlap"):
        within([pattern("a*@x.y")], [pattern("*b@x.y")])


def test_what_others_cover_goes():
    assert [each.text for each in shortest(map(read_pattern, ["a@x.y", "x.y", "a@x.z", "*a@x.y"]))] == [
        "*@x.y",
        "a@x.z",
    ]
