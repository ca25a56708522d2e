"""Whatever the text: lint answers, points into it, and knows of everything that the judge cannot read (Hypothesis)."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.policy.document import UnreadablePolicy, parse_policy
from relay.policy.lint import RULES, Severity, identity_told_by
from relay.policy.lint.positions import Positions, Span
from relay.policy.strict_json import step
from tests.policy.asking import IDENTITY
from tests.policy.lint.asking import CASES, lint, statement, text_of, texts_of
from tests.policy.test_properties import JSON

NAMES = ("Version", "Statement", "Effect", "Principal", "NotPrincipal", "Action", "Resource", "Condition", "Sid", "AWS")
OPERATORS = st.sampled_from(("StringLike", "ForAllValues:StringEquals", "DateLessThan", "Null", "IpAddress", "Nothing"))
KEYS = st.sampled_from(("ses:FromAddress", "ses:Recipients", "aws:SourceIp", "aws:PrincipalTag/", "aws:x", ""))
GOOD_TEXTS = [text for case in CASES for text in texts_of(case).values() if len(text) < 2000]


def slices(text: str, span: Span) -> str:
    """What stands at *span* in *text*."""
    lines = text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def hold(*texts: str) -> None:
    """What is true of the findings in any texts."""
    for identity in (None, IDENTITY):
        for finding in lint(*texts, identity=identity):
            text = texts[int(finding.policy[1:])]
            rule = RULES[finding.code]
            start, end = (finding.line, finding.column), (finding.end_line, finding.end_column)
            assert (1, 1) <= start <= end
            assert finding.end_line <= text.count("\n") + 1
            assert slices(text, Span(*start, *end)) in text
            assert finding.severity is rule.severity
            assert finding.path.startswith("$")
            assert finding.message.endswith(".")
            assert finding.fix.endswith((".", "?"))
            assert (finding.message + finding.fix).encode()
    for text in texts:
        if isinstance(parse_policy("p", text), UnreadablePolicy):
            assert Severity.ERROR in {finding.severity for finding in lint(text)}


@given(st.lists(st.text() | st.text('{}[]":,\\ \n0a'), min_size=1, max_size=3))
def test_any_text_is_answered(texts):
    hold(*texts)


@given(JSON, st.sampled_from(NAMES), st.sampled_from((None, 0, 3)))
def test_any_json_in_any_place_is_answered(value, element, indent):
    """
    Whatever stands where, and however it is laid out; what cannot be read is an error.
    """
    for document in (
        value,
        {"Statement": value},
        {"Statement": [statement() | {element: value}, statement(), value]},
        {element: value, "Statement": [statement()]},
        {"Statement": statement(Principal={"AWS": value, "Service": value})},
    ):
        hold(json.dumps(document, indent=indent))


@given(st.dictionaries(OPERATORS, st.dictionaries(KEYS, JSON, max_size=3) | JSON, max_size=3) | JSON, st.booleans())
def test_any_condition_is_answered(condition, denies):
    hold(text_of(statement("Deny" if denies else "Allow", Condition=condition)))


@given(st.sampled_from(GOOD_TEXTS), st.data())
def test_a_text_that_is_broken_anywhere_is_answered(text, data):
    """
    Policies cut off, with a piece taken out, or with a piece of another one put in.
    """
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    other = data.draw(st.sampled_from(GOOD_TEXTS))
    for broken in (text[:start], text[:start] + text[end:], text[:start] + other[start:end] + text[end:]):
        hold(broken, text)
        assert identity_told_by(broken) is None or "arn:aws" in broken


def placed(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Everything in *value* with its JSON path."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from placed(inner, step(path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from placed(inner, f"{path}[{number}]")


NAMED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=15,
)


@given(NAMED, st.sampled_from((None, 0, 4)), st.booleans())
def test_every_path_has_its_place(value, indent, ascii_only):
    """
    What stands there is the value; of an object or list its bracket; of a key, the key.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    positions = Positions(text)
    for path, inner in placed(value, "$"):
        there = slices(text, positions.of(path))
        bracket = "{" if isinstance(inner, dict) else "[" if isinstance(inner, list) else None
        assert there == (bracket or json.dumps(inner, ensure_ascii=ascii_only))
        if isinstance(inner, dict):
            for key in inner:
                at_key = positions.of(step(path, key), on_key=True)
                assert slices(text, at_key) == json.dumps(key, ensure_ascii=ascii_only)
            assert positions.of(step(path, "missing!")) == positions.of(path)
    assert positions.repeated == []


def test_lines_are_those_of_editors():
    """
    Line feeds make lines, with a carriage return before them or not; other separators do not.
    """
    text = '{\r\n "a": "\u2028\U0001f600",\r\n "b": 1}'

    assert Positions(text).of("$.a") == Span(2, 7, 2, 11)
    assert Positions(text).of("$.b") == Span(3, 7, 3, 8)
