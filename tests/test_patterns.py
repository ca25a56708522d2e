"""Regular expressions mean the same on every Python from 3.11 on."""

import ast
import re
from pathlib import Path

RELAY = Path(__file__).parents[1] / "relay"
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")


def possessive_groups(source: str) -> list[str]:
    """The strings of a source that repeat a group possessively, and what stands in f-strings between their fields."""
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    texts = (each.decode("latin-1") if isinstance(each, bytes) else each for each in constants)
    return [text for text in texts if isinstance(text, str) and POSSESSIVE_GROUP.search(text)]


def test_no_group_is_repeated_possessively():
    """
    Before 3.11.5, as in Debian 12, ``(ab)*+`` matches otherwise than ``(ab)*`` at places (python/cpython, gh-106052).
    An atomic group, ``(?>(ab)*)``, means the same and is right everywhere.
    """
    assert {path.name: found for path in RELAY.rglob("*.py") if (found := possessive_groups(path.read_text()))} == {}


def test_one_would_be_seen():
    assert possessive_groups('a = rb"(?:x)*+"; b = f"({a}){{2,}}+"; c = r"[x]++(?:y)+"') == ["(?:x)*+", "){2,}+"]
