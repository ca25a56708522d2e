"""
Patterns that are compiled when they are first asked for: a start has hundreds of them, and most relays never ask.

Those that nearly every message is matched with are compiled by ``re.compile``: the first one does not wait for them.
"""

import re
from typing import Any, AnyStr, cast


def on_demand(written: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what behaves as ``re.compile(written, flags)``, and takes its time when it is first used."""
    return cast("re.Pattern[AnyStr]", _Waiting(written, flags))


class _Waiting:
    """Stands where a pattern does; what it was asked for once, it has at hand."""

    def __init__(self, written: Any, flags: int) -> None:
        self._written = (written, flags)

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._written), name)
        setattr(self, name, found)
        return found
