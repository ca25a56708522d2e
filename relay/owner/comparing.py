"""Whether two policy texts say the same, and where they differ. Pure."""

import json
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import Any

from relay.policy.strict_json import Constant, JsonProblem, Number, Object, decode


def is_same(one: str | None, other: str | None) -> bool:
    """
    Whether two texts are the same policy: equal as JSON, whatever the blanks and the order of keys; None is no policy.

    A text that is no JSON, or repeats a key, is the same as itself only: readers disagree about it.
    """
    if one is None or other is None or one == other:
        return one == other
    try:
        return _is_equal(decode(one), decode(other))
    except (JsonProblem, RecursionError):
        return False


def _is_equal(one: Any, other: Any) -> bool:
    """Types are compared, too: the number 1 is neither the text "1" nor true."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Object):
        is_clear = not one.repeated and not other.repeated and one.keys() == other.keys()
        return is_clear and all(_is_equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_is_equal, one, other))
    return bool(one == other)


def differences(old: str | None, new: str | None, *, old_name: str, new_name: str) -> list[str]:
    """
    Return the lines of a unified diff; None is no policy.

    Both are laid out alike first, so that a text in one line can be compared with a text in many. Where nothing
    would differ then, the texts are compared as they are.
    """
    before, after = _laid_out(old), _laid_out(new)
    if before == after:
        before, after = (old or "").splitlines(), (new or "").splitlines()
    return list(unified_diff(before, after, old_name, new_name, lineterm=""))


def _laid_out(text: str | None) -> Sequence[str]:
    """As :mod:`json` indents, but with every number as it is spelt; a text that cannot be is left as it is."""
    if text is None:
        return ()
    try:
        return "".join(_written(decode(text), "\n")).split("\n")
    except (JsonProblem, RecursionError, _Unclear):
        return text.splitlines()


class _Unclear(ValueError):
    """A key is repeated: laid out, one of its values would be lost."""


def _written(value: Any, newline: str) -> Iterator[str]:
    inner = f"{newline}  "
    if isinstance(value, Object):
        if value.repeated:
            raise _Unclear
        members = ((f"{_text(key)}: ", member) for key, member in value.items())
        yield from _enclosed("{}", members, (inner, newline))
    elif isinstance(value, list):
        yield from _enclosed("[]", (("", member) for member in value), (inner, newline))
    elif isinstance(value, Number | Constant):
        yield str(value)
    else:
        yield _text(value)


def _enclosed(brackets: str, members: Iterator[tuple[str, Any]], newlines: tuple[str, str]) -> Iterator[str]:
    inner, outer = newlines
    yield brackets[0]
    is_first = True
    for label, member in members:
        yield f"{'' if is_first else ','}{inner}{label}"
        yield from _written(member, inner)
        is_first = False
    yield brackets[1] if is_first else f"{outer}{brackets[1]}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
