"""TOML texts for property tests: what tomllib reads, in the many ways people write it."""

import json
from typing import Any

from hypothesis import strategies as st

from relay.settings.keys import fields_of, table_of, tables
from relay.settings.model import Settings

WORDS = sorted({name for _, model in tables(Settings) for name in fields_of(model)})
bare = st.sampled_from(WORDS) | st.text("abz09_-", min_size=1, max_size=5)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=12)
keys = bare | texts
scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["30s", "10MiB", "20/s", "direct", "directory", "127.0.0.1:25", "10.0.0.0/8", "caller", "a@b.cd"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def inline(value: Any, break_lines: bool = False) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        between = ", # a ] comment, with [ signs\n  " if break_lines else ", "
        return "[" + between.join(inline(inner, break_lines) for inner in value) + ("\n]" if break_lines else "]")
    if isinstance(value, str):
        if break_lines and "'" not in value and value.isprintable():
            return f"'''\n{value}'''"
        return quoted(value)
    return repr(value).replace("e+", "e").replace("inf", "0.0")


def document(table: dict[str, Any], path: tuple[str, ...] = (), break_lines: bool = False) -> str:
    """Write *table*: plain keys first, then tables under headers, arrays of tables under double ones."""
    plain, below = "", ""
    for key, value in table.items():
        here = (*path, key)
        header = ".".join(map(quoted, here))
        if isinstance(value, dict):
            below += f"\n[{header}] # [x]\n{document(value, here, break_lines)}"
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            below += "".join(f"\n[[ {header} ]]\n{document(one, here, break_lines)}" for one in value)
        else:
            plain += f"{quoted(key)} = {inline(value, break_lines)}\n"
    return plain + below


def is_table(name: str) -> bool:
    return table_of(fields_of(Settings)[name]) is not None


sections = st.fixed_dictionaries(
    {},
    optional={
        name: st.dictionaries(keys, values, max_size=4)
        | st.lists(st.dictionaries(keys, values, max_size=4), max_size=2)
        | values
        for name in fields_of(Settings)
        if is_table(name)
    },
)
