"""Dates of the Date operators: W3C formats, or epoch seconds (IAM User Guide, "Condition operators")."""

import re
from datetime import date
from functools import lru_cache
from typing import Final, TypeAlias

from relay.words.patterns import on_demand

#: Whole seconds since 1970, and the digits of a fraction without trailing zeros: their order is the order of instants.
Instant: TypeAlias = tuple[int, str]

_EPOCH: Final = date(1970, 1, 1).toordinal()
_LONGEST: Final = 64
_W3C: Final = on_demand(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?)?"
    r"(?:Z|(?P<sign>[+-])(?P<off_hour>[0-9]{2}):(?P<off_minute>[0-9]{2})))?)?"
)


@lru_cache(maxsize=1024)
def read_date(text: str) -> Instant | None:
    """
    The instant *text* names, or None when AWS does not say which.

    A date alone is its midnight, UTC. A time needs its zone (``Z`` or ``+hh:mm``). Digits alone are epoch seconds; four
    of them could be a year or seconds, and so are neither. Negative and fractional epochs are nowhere described.
    """
    if len(text) > _LONGEST:
        return None
    if text.isascii() and text.isdigit():
        return None if len(text) == 4 else (int(text), "")
    found = _W3C.fullmatch(text)
    return None if found is None else _instant(found)


def _instant(found: re.Match[str]) -> Instant | None:
    year, month, day, hour, minute, second, off_hour, off_minute = (
        int(found[name] or missing)
        for name, missing in (
            ("year", 1),
            ("month", 1),
            ("day", 1),
            ("hour", 0),
            ("minute", 0),
            ("second", 0),
            ("off_hour", 0),
            ("off_minute", 0),
        )
    )
    if hour > 23 or minute > 59 or second > 59 or off_hour > 23 or off_minute > 59:
        return None
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    offset = (off_hour * 60 + off_minute) * (-60 if found["sign"] == "-" else 60)
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
    return seconds, (found["fraction"] or "").rstrip("0")
