"""
Keys whose feature is not built yet: the one table, which shrinks.

A value that changes nothing, or whose absence harms nobody, is a warning; it is a problem where mail would be allowed,
refused, kept or lost otherwise than the key says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from relay.settings.keys import KeyPath
from relay.settings.problems import Finding


@dataclass(frozen=True, slots=True)
class Later:
    """
    One key of the future.

    ``names``: its path without indexes. ``default``: the value that changes nothing. ``built``: values that are built
    already, and silent. ``instead``: what happens without the feature. ``is_harmful``: whether that changes what mail
    is allowed or kept.
    """

    names: tuple[str, ...]
    feature: str
    instead: str
    is_harmful: bool = True
    default: Any = None
    built: tuple[Any, ...] = ()


def _harmless(names: str, feature: str, instead: str, default: Any = None) -> Later:
    return Later(tuple(names.split(".")), feature, instead, is_harmful=False, default=default)


def _harmful(names: str, feature: str, instead: str, default: Any = None, built: tuple[Any, ...] = ()) -> Later:
    return Later(tuple(names.split(".")), feature, instead, default=default, built=built)


LATER: Final[tuple[Later, ...]] = ()


def not_built(values: dict[str, Any]) -> Iterator[Finding]:
    """Find what *values* ask for that is not built yet."""
    for later in LATER:
        for path, value in _written_at(values, later.names):
            if value in later.built:
                continue
            changes_nothing = value == later.default
            what = "this value changes nothing" if changes_nothing else later.instead
            why = f"not built yet ({later.feature}): {what}"
            yield Finding(path, why, is_warning=changes_nothing or not later.is_harmful)


def _written_at(values: Any, names: tuple[str, ...], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    if not names:
        yield path, values
    elif isinstance(values, dict) and names[0] in values:
        inner, here = values[names[0]], (*path, names[0])
        if isinstance(inner, list) and len(names) > 1:
            for index, one in enumerate(inner):
                yield from _written_at(one, names[1:], (*here, index))
        else:
            yield from _written_at(inner, names[1:], here)


def features_to_come() -> tuple[str, ...]:
    """Name what is not built yet, each once, in the order of the table."""
    return tuple(dict.fromkeys(later.feature for later in LATER))
