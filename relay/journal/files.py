"""The journal's file opened: to write, made or brought up to date if need be; to read, next to whoever writes."""

import os
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from relay.journal.schema import IN_MEMORY, JournalProblem, check_to_read, prepare

#: What a writer waits for another one: each holds the file for milliseconds.
BUSY_SECONDS: Final = 5.0
_BESIDE: Final = ("", "-wal", "-shm")
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_to_write(path: Path) -> sqlite3.Connection:
    """
    Open the file, only its owner's to read, and make what it lacks. Any thread may use the connection, one at a time.

    Raises:
        JournalProblem: It is another program's, or a newer release's; it is left as it is.
        OSError, sqlite3.Error: It cannot be written, or is damaged (:func:`is_damaged`).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never opened here if it is there: closed again, it would take away the locks that this process has on it by other
    # connections (POSIX), and another process that closes the file would think it the last, and delete the log.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _set_up(file)
        prepare(file, path)
        # With a log of its own, readers and the writer never wait for each other. Where there can be none, they do.
        file.execute("PRAGMA journal_mode = WAL")
        _for_the_owner_alone(path)
    except BaseException:
        file.close()
        raise
    return file


def open_to_read(path: Path) -> sqlite3.Connection:
    """
    Open the file to read, whoever writes to it meanwhile.

    Raises:
        JournalProblem: There is none, it cannot be read, or it is no journal.
    """
    try:
        path.stat()
    except FileNotFoundError:
        raise JournalProblem(f"{path} is not there: the relay makes it") from None
    except OSError as error:
        raise JournalProblem(f"{path}: {error.strerror}") from error
    address = path.absolute().as_uri()
    try:
        try:
            file = _reading(f"{address}?mode=ro")
        except sqlite3.OperationalError:
            # In a folder that we cannot write to there can be no log, and where none lies nobody is writing.
            if path.with_name(f"{path.name}-wal").exists():
                raise
            file = _reading(f"{address}?mode=ro&immutable=1")
        try:
            check_to_read(file, path)
        except BaseException:
            file.close()
            raise
    except sqlite3.Error as error:
        raise JournalProblem(f"{path}: {in_words(error)}") from error
    return file


def open_in_memory() -> sqlite3.Connection:
    """Open a journal that ends with the process."""
    file = sqlite3.connect(str(IN_MEMORY), isolation_level=None, check_same_thread=False)
    prepare(file, IN_MEMORY)
    return file


def set_aside(path: Path) -> Path:
    """
    Give a damaged file, and its log, another name; return that.

    Raises:
        OSError: It cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
    for suffix in _BESIDE:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def is_damaged(error: Exception) -> bool:
    """Whether the file is not what was written, so that nothing but another file helps."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


def in_words(error: Exception) -> str:
    """Say *error* without what it may quote."""
    if isinstance(error, sqlite3.Error):
        return f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _set_up(file: sqlite3.Connection) -> None:
    file.execute("PRAGMA synchronous = NORMAL")  # a crash of the machine may cost the last decisions, never the file
    file.execute("PRAGMA trusted_schema = OFF")


def _reading(address: str) -> sqlite3.Connection:
    file = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        file.execute("PRAGMA trusted_schema = OFF")
        file.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        file.close()
        raise
    return file


def _for_the_owner_alone(path: Path) -> None:
    for suffix in _BESIDE:
        part = path.with_name(path.name + suffix)
        if part.exists() and part.stat().st_mode & 0o077:
            part.chmod(0o600)
