"""Names by chance, for sessions, messages and incidents."""

import os
import secrets
from typing import Final

_OCTETS: Final = 8
#: Names that are made at a time: the system is asked for chance once for all of them.
_AT_A_TIME: Final = 64

_stock: list[str] = []
os.register_at_fork(after_in_child=_stock.clear)  # what was made before is the parent's


def new_id() -> str:
    """Return 16 hexadecimal digits."""
    if not _stock:
        digits, length = secrets.token_hex(_OCTETS * _AT_A_TIME), 2 * _OCTETS
        _stock.extend(digits[start : start + length] for start in range(0, len(digits), length))
    return _stock.pop()
