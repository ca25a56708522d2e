"""The fields of a query, texts that a stranger wrote: each known by name, given once, and within its bounds."""

from collections.abc import Collection, Sequence
from typing import Final

#: What is listed in one answer, where nothing is said and at most.
USUAL: Final = 100
MOST: Final = 500


def fields_of(
    asked: Sequence[tuple[str, str]], known: Sequence[str], *, repeated: Collection[str] = ()
) -> dict[str, list[str]]:
    """
    Gather the values of every known field, none for those that are not given.

    Raises:
        ValueError: A field that is not *known*, or one not among *repeated* twice; the text says so.
    """
    given: dict[str, list[str]] = {name: [] for name in known}
    for name, value in asked:
        if name not in given:
            raise ValueError(f"there is no {name[:40]!r}: {', '.join(known)}")
        given[name].append(value)
    if any(len(values) > 1 for name, values in given.items() if name not in repeated):
        but = f" but {', '.join(repeated)}" if repeated else ""
        raise ValueError(f"each field{but} may be given once")
    return given


def once(asked: Sequence[tuple[str, str]], known: Sequence[str]) -> dict[str, str]:
    """Return the fields that are given, each once; raises as :func:`fields_of`."""
    return {name: values[0] for name, values in fields_of(asked, known).items() if values}


def limit_of(value: str | None) -> int:
    """
    Read how many are wanted at most.

    Raises:
        ValueError: It is no number from 1 to ``MOST``.
    """
    if value is None:
        return USUAL
    if not (value.isascii() and value.isdecimal() and len(value) < 10 and 1 <= int(value) <= MOST):
        raise ValueError(f"limit is a number from 1 to {MOST}")
    return int(value)
