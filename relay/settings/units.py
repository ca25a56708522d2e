"""Units in values: durations, sizes, rates and points in time, read from what people write and written back."""

import re
from datetime import datetime
from typing import Final

from relay.words.patterns import on_demand

MILLISECOND: Final = 0.001
DURATIONS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": MILLISECOND}
SIZES: Final = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}

_NUMBER_UNIT = re.compile(r"([0-9]{1,12})([A-Za-z]+)", re.ASCII)
_INSTANT = on_demand(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_RATE = re.compile(r"([0-9]{1,9})/(s|m|h|d)", re.ASCII)


def read_duration(value: object) -> float:
    """
    Read ``250ms 30s 15m 4h 2d`` as seconds.

    Raises:
        ValueError: No duration; the text says how to write one.
    """
    match = _NUMBER_UNIT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in DURATIONS:
        raise ValueError(f"{shown(value)} is no duration: write 250ms, 30s, 15m, 4h or 2d")
    return int(match[1]) * DURATIONS[match[2]]


def write_duration(seconds: float) -> str:
    """Write seconds in the largest unit that holds them whole."""
    milliseconds = round(seconds * 1000)
    for unit, worth in DURATIONS.items():
        count, rest = divmod(milliseconds, round(worth * 1000))
        if count and not rest:
            return f"{count}{unit}"
    return "0s"


def read_size(value: object) -> int:
    """
    Read ``64KiB 10MiB 1GiB 512B``, or a whole number of octets.

    Raises:
        ValueError: No size; the text says how to write one.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _NUMBER_UNIT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in SIZES:
        raise ValueError(f"{shown(value)} is no size: write 512B, 64KiB, 10MiB or 1GiB")
    return int(match[1]) * SIZES[match[2]]


def write_size(octets: int) -> str:
    """Write octets in the largest unit that holds them whole."""
    for unit, worth in SIZES.items():
        count, rest = divmod(octets, worth)
        if count and not rest:
            return f"{count}{unit}"
    return "0B"


def read_rate(value: object) -> float:
    """
    Read ``20/s 600/m 1000/h 50000/d`` as a number a second.

    Raises:
        ValueError: No rate; the text says how to write one.
    """
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise ValueError(f"{shown(value)} is no rate: write 20/s, 600/m, 1000/h or 50000/d")
    return int(match[1]) / DURATIONS[match[2]]


def read_instant(value: object) -> float:
    """
    Read a date and time with its offset (RFC 3339), a text or TOML's own, as seconds since the epoch.

    Raises:
        ValueError: None, or one without offset: it would mean another time on another machine.
    """
    text = value.isoformat() if isinstance(value, datetime) else value
    if isinstance(text, str) and _INSTANT.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).timestamp()
        except (ValueError, OverflowError):
            pass  # a thirteenth month, a leap second
    raise ValueError(f"{shown(text)} is no point in time: write one with its offset, such as 2027-01-31T00:00:00Z")


def shown(value: object) -> str:
    """Show a value in a sentence: texts and numbers as written, cut at 80 characters; anything else by its kind."""
    if isinstance(value, str):
        clean = "".join(c if c.isprintable() else "?" for c in value)
        return repr(clean if len(clean) <= 80 else clean[:77] + "...")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**20):
        return str(value)
    kinds = {list: "a list", tuple: "a list", dict: "a table", int: "this number"}
    return kinds.get(type(value), "this")
