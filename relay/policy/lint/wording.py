"""How findings are worded: values in quotes, a guess at what was meant."""

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from relay.policy.strict_json import scalar

_LONGEST: Final = 80
_CLOSE: Final = 0.75


def quoted(text: str) -> str:
    """*text* in quotes, as JSON spells it; a long one cut."""
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return json.dumps(shown.encode("utf-8", "replace").decode(), ensure_ascii=False)


def spelled(value: object) -> str:
    """A JSON value in a sentence."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "null" if value is None else quoted(scalar(value) or "")


def listed(texts: Iterable[str]) -> str:
    """``a, b and c``."""
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last


def nearest(text: str, known: Sequence[str]) -> str | None:
    """Which of *known* was meant by *text*, whatever its case; None when nothing is near."""
    if len(text) > _LONGEST:
        return None
    lowered = {name.lower(): name for name in known}
    close = get_close_matches(text.lower(), lowered, n=1, cutoff=_CLOSE)
    return lowered[close[0]] if close else None


def did_you_mean(text: str, known: Sequence[str]) -> str | None:
    """A fix that names what was meant, or None."""
    meant = nearest(text, known)
    return f"Did you mean {meant}?" if meant else None
