"""
JSON without second meanings: numbers keep their spelling, repeated keys are remembered, NaN is refused (RFC 8259; IAM
User Guide, "Grammar of the IAM JSON policy language": no key twice).
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

from relay.words.patterns import on_demand

_CLOSED: Final = {"}": "object", "]": "array"}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SURROGATE: Final = on_demand("[\ud800-\udfff]")


class JsonProblem(ValueError):
    """Text that is not JSON. ``str()`` says why and where; ``offset`` is where, in characters from 0, if anywhere."""

    def __init__(self, why: str, offset: int | None = None) -> None:
        super().__init__(why)
        self.offset = offset


class Number(str):
    """A JSON number as it is spelt: ``1.10`` stays so, and no digit is lost."""

    __slots__ = ()


class Constant(str):
    """``NaN`` or ``Infinity``, which Python reads and JSON does not know."""

    __slots__ = ()


class Object(dict[str, Any]):
    """A JSON object that knows which keys it was given more than once; the last value of those is held."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated: tuple[str, ...] = ()
        if len(self) < len(pairs):
            times = Counter(key for key, _ in pairs)
            self.repeated = tuple(key for key in self if times[key] > 1)


def decode(text: str) -> Any:
    """
    The value of *text*.

    Raises:
        JsonProblem: Not JSON, or nested beyond all sense.
    """
    try:
        return json.loads(text, object_pairs_hook=Object, parse_int=Number, parse_float=Number, parse_constant=Constant)
    except RecursionError:
        raise JsonProblem("nested too deeply") from None
    except json.JSONDecodeError as error:
        found = _as_newer_pythons_say(error)
        why = f"not JSON: {found.msg}, line {found.lineno} column {found.colno}"
        raise JsonProblem(why, found.pos) from None


def _as_newer_pythons_say(error: json.JSONDecodeError) -> json.JSONDecodeError:
    """Before 3.13 a comma too many is found behind it: at the bracket that closes."""
    close = error.doc[error.pos : error.pos + 1]
    before = error.doc[: error.pos].rstrip(" \t\r\n")
    if close not in _CLOSED or not before.endswith(","):
        return error
    return json.JSONDecodeError(f"Illegal trailing comma before end of {_CLOSED[close]}", error.doc, len(before) - 1)


def step(path: str, key: str) -> str:
    """The path of *key* in the object at *path*: ``$.Statement``; ``$["aws:SourceIp"]`` where it is no name."""
    return f"{path}.{key}" if _NAME.fullmatch(key) else f"{path}[{json.dumps(key)}]"


def flaws(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Path and reason of everything below *value* that JSON lets pass and no policy may hold, in reading order."""
    waiting = [(value, path)]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, Constant):
            yield path, f"{value} is not JSON"
        elif isinstance(value, str):
            if _is_broken(value):
                yield path, "half of a surrogate pair is no text"
        elif isinstance(value, dict):
            yield from ((path, f"the key {key!r} stands here more than once") for key in getattr(value, "repeated", ()))
            yield from ((path, "half of a surrogate pair is no text") for key in value if _is_broken(key))
            waiting.extend((inner, step(path, str(key))) for key, inner in reversed(value.items()))
        elif isinstance(value, list | tuple):
            waiting.extend((inner, f"{path}[{n}]") for n, inner in reversed(tuple(enumerate(value))))


def _is_broken(text: object) -> bool:
    return isinstance(text, str) and not text.isascii() and _SURROGATE.search(text) is not None


def is_text(value: object) -> bool:
    """Whether *value* is a JSON string."""
    return isinstance(value, str) and not isinstance(value, Number)


def texts(value: object, path: str) -> list[tuple[str, Any]] | None:
    """The values of an element that is one value or a list of at least one, each with its path; else None."""
    if isinstance(value, list | tuple):
        return [(f"{path}[{n}]", one) for n, one in enumerate(value)] or None
    return None if value is None or isinstance(value, dict) else [(path, value)]


def scalar(value: object) -> str | None:
    """A JSON string as it is, a number or boolean as JSON spells it; None for anything else."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        try:
            return repr(value)
        except ValueError:  # an integer of thousands of digits, which only our own code can hand in
            return None
    return None
