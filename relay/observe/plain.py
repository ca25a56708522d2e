"""Whatever a room or a library wants logged, made small and harmless: JSON-ready, bounded, without locals."""

import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from relay.observe.remembered import Remembered

LONGEST_TEXT: Final = 2000
LONGEST_TRACE: Final = 12_000
MOST_FRAMES: Final = 24
MOST_CAUSES: Final = 4
MOST_ITEMS: Final = 100
DEEPEST: Final = 5
#: Other readers of JSON hold 64 bits.
LARGEST_NUMBER: Final = 2**63

#: Their texts name operations, attributes and files, and nothing that went through our hands.
_WORDED_BY_PYTHON: Final = (TypeError, AttributeError, NameError, ImportError, OSError, RecursionError, MemoryError)

_Item = TypeVar("_Item")


class Reported(Exception):
    """An exception of another process of ours: its name, and ``trace``, what :func:`trace_of` said of it there."""

    trace: str

    @classmethod
    def of(cls, error: BaseException) -> "Reported":
        """Report *error*."""
        return cls.named(type(error).__name__, trace_of(error))

    @classmethod
    def named(cls, name: str, trace: str) -> "Reported":
        """Make an exception of this name."""
        reported: Reported = type(name, (cls,), {})()
        reported.trace = trace
        return reported


def bounded(value: Any, depth: int = DEEPEST) -> Any:
    """
    Return *value* as JSON can hold it: texts of 2,000 characters, 100 items, five levels deep at most.

    Of an object of any other type only the type is told: its repr() may hold a secret.
    """
    is_harmless = _HARMLESS.get(type(value))
    if is_harmless is not None and is_harmless(value):
        return value
    match value:
        case str():
            return cut(_readable(value), LONGEST_TEXT)
        case list() | tuple() | set() | frozenset() if depth:
            return [bounded(item, depth - 1) for item in _first(value)]
        case dict() | Mapping() if depth:
            return {_NAMES[str(name)]: bounded(item, depth - 1) for name, item in _first(value.items())}
        case int() | float() if _is_small(value):
            return value
        case _:
            return f"<{type(value).__name__}>"


def _first(items: Iterable[_Item]) -> Iterable[_Item]:
    return islice(items, MOST_ITEMS)


def _is_small(value: float) -> bool:
    """Whether every reader of JSON takes the number."""
    return math.isfinite(value) if isinstance(value, float) else abs(value) < LARGEST_NUMBER


#: Of the types that are met most, what is told as it is.
_HARMLESS: Final[Mapping[type, Callable[[Any], bool]]] = {
    str: lambda text: len(text) <= LONGEST_TEXT and text.isascii(),
    int: lambda number: abs(number) < LARGEST_NUMBER,
    float: math.isfinite,
    bool: lambda _: True,
    type(None): lambda _: True,
}


def _readable(text: str) -> str:
    """Without halves of surrogate pairs, which bytes that are no UTF-8 leave behind and most JSON readers refuse."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def cut(text: str, longest: int) -> str:
    """Return *text*, its end replaced by dots when it has more than *longest* characters."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


#: Of fields, which are few.
_NAMES: Final = Remembered[str](lambda name: cut(_readable(name), 100))


def trace_of(error: BaseException) -> str:
    """
    Return the stack of *error* and of its causes: innermost frames, files and lines, never the values of locals.

    What an exception says of itself is told only where Python or the system words it: others may quote what they
    stumbled over, a letter or a password.
    """
    if isinstance(error, Reported):
        return error.trace
    text = _readable("\n".join(f"{_frames(each)}{_named(each)}" for each in reversed(_chain(error))))
    return text if len(text) <= LONGEST_TRACE else "..." + text[3 - LONGEST_TRACE :]


def _chain(error: BaseException) -> list[BaseException]:
    """Return *error*, its cause, the cause of that, and so on; at most MOST_CAUSES."""
    chain = [error]
    while len(chain) < MOST_CAUSES:
        last = chain[-1]
        below = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if below is None or below in chain:
            break
        chain.append(below)
    return chain


def _frames(error: BaseException) -> str:
    return "".join(traceback.format_list(traceback.extract_tb(error.__traceback__, limit=-MOST_FRAMES)))


def _named(error: BaseException) -> str:
    kind = type(error).__qualname__
    return f"{kind}: {cut(str(error), 300)}" if isinstance(error, _WORDED_BY_PYTHON) else kind


def printable(value: object) -> Any:
    """Return *value* with everything in its texts escaped that could steer a terminal."""
    match value:
        case str():
            return value if value.isprintable() else "".join(map(_escaped, value))
        case dict():
            return {printable(name): printable(item) for name, item in value.items()}
        case list():
            return [printable(item) for item in value]
        case _:
            return value


def _escaped(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return character.encode("unicode_escape").decode("ascii")
