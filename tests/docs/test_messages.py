"""The page for developers of sending applications says what the reader does."""

import ast
import re

import pytest

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.profile import DEFAULT
from relay.mail.reading import read_facts
from tests.docs.pages import ROOT, text_of

PAGE = "docs/reference/messages.md"
ROW = re.compile(r"^\| `(.+?)` \| (?:`(\d{3} \d\.\d\.\d+)`|(taken)) \| (.*?) \|$", re.MULTILINE)
ROWS = [(match[1], match[2] or match[3], match[4]) for match in ROW.finditer(text_of(PAGE))]
RULE = re.compile(r"P\d+")


def answer_to(author: str) -> str:
    reading = read_facts(f"From: {author}\r\n\r\nHello.\r\n".encode())
    if isinstance(reading, MessageProblem):
        return f"{reading.reply.code} {reading.reply.status}"
    assert isinstance(reading, MessageFacts)
    return "taken"


@pytest.mark.parametrize(("author", "answer"), [(author, answer) for author, answer, _ in ROWS])
def test_the_reader_answers_as_the_table_says(author, answer):
    assert answer_to(author) == answer


def test_what_is_to_be_written_instead_is_taken():
    instead = [span for _, answer, cure in ROWS if answer != "taken" for span in re.findall(r"`(.+?)`", cure)]

    assert len(instead) > 3
    assert {author: answer_to(author) for author in instead} == dict.fromkeys(instead, "taken")


def test_every_rule_has_its_heading():
    """P1 to P11 in order, and whatever rule the reader names is among them."""
    headings = re.findall(r"^## (P\d+) ", text_of(PAGE), re.MULTILINE)
    named = {
        node.value
        for path in (ROOT / "relay" / "mail").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and RULE.fullmatch(node.value)
    }

    assert headings == [f"P{number}" for number in range(1, 12)]
    assert named <= set(headings)


@pytest.mark.parametrize(
    ("words", "bound", "value"),
    [
        ("998 octets", "line_octets", 998),
        ("At most 64 KiB, 500 fields, 1,000 folded lines", "header_bytes", 64 * 1024),
        ("500 fields", "fields", 500),
        ("1,000 folded lines", "folds", 1000),
        ("4 KiB for a field that names a mailbox", "one_field", 4096),
        ("At most 50 `Received` fields", "received", 50),
        ("At most 500 parts, 50 levels deep, boundaries of at most 70 octets", "mime_parts", 500),
        ("50 levels deep", "mime_depth", 50),
        ("boundaries of at most 70 octets", "boundary", 70),
    ],
)
def test_the_bounds_are_those_of_the_profile(words, bound, value):
    assert words in text_of(PAGE)
    assert getattr(DEFAULT, bound) == value
