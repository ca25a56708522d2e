"""
The scripts of the spool, and what goes into them and comes out.

Each runs in one piece and is whole in Redis's log, so no crash leaves a half of it. What settles mail runs on a full
server too; what takes new mail does not. Both need the flags that Redis 7.0 brought.
"""

from collections.abc import Sequence
from typing import Any, Final

from relay.shared.engine import Part
from relay.shared.scripts import Script, script_of
from relay.spool.rows import Row

_COMMON: Final = script_of("spool").text


def _script(name: str, flags: str) -> Script:
    shebang = f"#!lua flags={flags}" if flags else "#!lua"
    return Script(f"{shebang}\n{_COMMON}\n{script_of(f'spool_{name}').text}")


OPEN: Final = _script("open", "")
COMMIT: Final = _script("commit", "")  # on a full server: OOM, and nothing of it is done
WRITE: Final = _script("write", "allow-oom")
REMOVE: Final = _script("remove", "allow-oom")
DUE: Final = _script("due", "allow-oom")
RECOVER: Final = _script("recover", "allow-oom")
RENEW: Final = _script("renew", "allow-oom")
LEAVE: Final = _script("leave", "allow-oom")
SET_ASIDE: Final = _script("set_aside", "allow-oom")
SWEEP: Final = _script("sweep", "allow-oom")
NEXT_DUE: Final = _script("next_due", "no-writes")
UNATTENDED: Final = _script("unattended", "no-writes")
FIND: Final = _script("find", "no-writes")
CENSUS: Final = _script("census", "no-writes")


def fields_of(row: Row) -> list[Part]:
    """Return the names and values of a row's columns, for HSET; its id is in the key."""
    return [part for name, value in zip(Row._fields, row, strict=True) if name != "id" for part in (name, _part(value))]


def columns_of(told: Sequence[Any]) -> tuple[Any, ...]:
    """
    Return a row as scripts tell it, its columns as in ``relay.spool.rows.READ``.

    What somebody changed behind our back becomes a value of the type all the same: the seal of the row will tell.
    """
    name, state, delegate, due_at, accepted_at, size, version, entry, digest, seal = (part or b"" for part in told)
    texts = (_text(name), _text(state), _text(delegate))
    numbers = (_number(due_at), _number(accepted_at), int(_number(size)), int(_number(version)))
    return (*texts, *numbers, _text(entry), digest, seal)


def _part(value: Any) -> Part:
    part: Part = repr(value) if isinstance(value, float) else value
    return part


def _text(octets: bytes) -> str:
    return octets.decode(errors="surrogateescape")


def _number(octets: bytes) -> float:
    try:
        number = float(octets)
    except ValueError:
        return -1.0
    return number if abs(number) < 1e308 else -1.0
