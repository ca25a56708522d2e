"""The walk over a TOML text finds every key that tomllib finds, on the line where it is written."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.settings.keys import KeyPath
from relay.settings.lines import lines_of
from tests.settings.toml_texts import document, keys, values

TEXT = '''\
# a comment = [x]
top = 1
a.b."c d" = """
[not] = "a table"
x = 3"""

[ policies ]
source = "directory" # = ]
[[policies.owner]]
account = '8'
regions = [
  "us-east-1", # one
  "eu-west-1",
]
[[policies.owner]]
account = "9"
  [policies.owner.more]
  inside = true

[[admin.token]]
file = 'x'

[delegate-like]
inline = { a = 1, b = { c = [1, { d = 2 }] } }
"quo\\"ted" = 1979-05-27T07:32:00Z
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("a",), 3),
        (("a", "b", "c d"), 3),
        (("policies",), 7),
        (("policies", "source"), 8),
        (("policies", "owner"), 9),
        (("policies", "owner", 0, "account"), 10),
        (("policies", "owner", 0, "regions", 1), 13),
        (("policies", "owner", 1), 15),
        (("policies", "owner", 1, "account"), 16),
        (("policies", "owner", 1, "more", "inside"), 18),
        (("admin", "token", 0, "file"), 21),
        (("delegate-like", "inline", "b", "c", 1, "d"), 24),
        (("delegate-like", 'quo"ted'), 25),
    ],
    ids=str,
)
def test_line_of_a_key(path, line):
    """Tables, arrays of tables, dotted and quoted keys, inline tables, arrays and strings over several lines."""
    assert line == lines_of(TEXT)[path]


def paths_of(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from paths_of(inner, (*path, key))


@given(st.dictionaries(keys, values, max_size=4), st.booleans())
def test_every_key_has_a_line(table, break_lines):
    """The walk and tomllib agree on what there is."""
    text = document(table, break_lines=break_lines)
    assert set(paths_of(tomllib.loads(text))) <= set(lines_of(text))


@given(st.text("[]{}=\"'#.,\n\\a1 ", max_size=40))
def test_no_toml_is_walked_over_too(text):
    """The walk ends, whatever it walks over."""
    assert all(line >= 1 for line in lines_of(text).values())
