"""What an error of the disk or of SQLite means: no room, trouble that lasts, or a mistake of ours."""

import errno
import sqlite3
from typing import Final

from relay.spool.ports import Full
from relay.words.unavailable import Unavailable

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OF_THE_PROCESS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR})
_OURS: Final = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)
_PASSING: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})
#: What SQLite raises; where it lacks memory that is Python's own word for it.
SQLITE_ERRORS: Final = (sqlite3.Error, MemoryError)


def is_of_the_disk(error: Exception) -> bool:
    """Tell it from a mistake of ours, which concerns one piece of work and is no answer to it."""
    return isinstance(error, OSError | sqlite3.DatabaseError | MemoryError) and not isinstance(error, _OURS)


def is_full(error: Exception) -> bool:
    """Tell whether there was no room: of disk, of a quota, or of a file's size."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return _code(error) == sqlite3.SQLITE_FULL


def lasts(error: Exception) -> bool:
    """Tell whether nothing new may be taken until the disk is seen to work: a failed sync, damage, a read-only disk."""
    if not is_of_the_disk(error) or is_full(error) or isinstance(error, MemoryError):
        return False
    if isinstance(error, OSError):
        return error.errno not in _OF_THE_PROCESS
    return _code(error) not in _PASSING


def refusal(error: Exception) -> Full | Unavailable:
    """Say *error* as the answer to who asked."""
    why = f"the spool: {in_words(error)}"
    return Full(why) if is_full(error) else Unavailable(why)


def in_words(error: Exception) -> str:
    """Say *error* without the paths, statements and values that it may quote."""
    if isinstance(error, sqlite3.Error):
        return f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _code(error: Exception) -> int | None:
    """The primary code of SQLite; None where Python, not SQLite, found the error."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
