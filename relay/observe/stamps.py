"""Points in time as log lines and records tell them."""

from datetime import UTC, datetime
from typing import Final

from relay.observe.remembered import Remembered

_SECONDS: Final = Remembered[str](lambda digits: datetime.fromtimestamp(int(digits), UTC).isoformat()[:19])


#: A float of this size has no bits left for a fraction: what is added to it becomes a whole number, the nearest.
_NO_FRACTION: Final = 3 * 2.0**51


def rounded(seconds: float, parts: float) -> float:
    """Round to *parts* of a second, a power of ten: as ``round`` does, but for ties, in a fifth of the time."""
    return (seconds * parts + _NO_FRACTION - _NO_FRACTION) / parts


def stamp(seconds: float) -> str:
    """Write seconds since the epoch as in 2026-11-21T12:00:00.000000Z; what is of the same second is written once."""
    digits = str(int(seconds * 1_000_000)).zfill(7)
    return f"{_SECONDS[digits[:-6]]}.{digits[-6:]}Z"
