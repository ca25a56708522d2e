"""
The database of the embedded spool: its tables, and how a connection to it is set up.

``entries`` holds what is asked of an entry and ``bodies`` the small messages, apart, for an entry is written again with
every attempt and its message never. ``totals`` is kept by triggers, in the transactions it counts. ``spool`` names the
spool, so that a folder of messages is known to be its own.
"""

import os
import secrets
import sqlite3
from pathlib import Path
from typing import Final

from relay.spool.entries import State
from relay.spool.problems import SpoolProblem

SCHEMA: Final = 1
_APPLICATION: Final = 0x53455352  # "SESR"
_PAGE: Final = 4096
_LONGEST_LOG: Final = 8 << 20  # octets, before COMMIT itself brings it home

_TABLES: Final = """
CREATE TABLE spool (id TEXT NOT NULL, probe INTEGER NOT NULL);
CREATE TABLE entries (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  delegate TEXT NOT NULL,
  due_at REAL NOT NULL,
  accepted_at REAL NOT NULL,
  size INTEGER NOT NULL,
  version INTEGER NOT NULL,
  said TEXT NOT NULL,      -- reason and last, to be searched
  entry TEXT NOT NULL,     -- all else, as JSON
  digest BLOB NOT NULL,    -- SHA-256 of the message
  seal BLOB NOT NULL       -- SHA-256 of this row
) STRICT;
CREATE TABLE bodies (id TEXT PRIMARY KEY, octets BLOB NOT NULL) STRICT;
CREATE TABLE totals (state TEXT PRIMARY KEY, messages INTEGER NOT NULL, octets INTEGER NOT NULL) STRICT;
CREATE INDEX due ON entries (state, delegate, due_at, id);
CREATE INDEX ages ON entries (state, accepted_at, size);
CREATE TRIGGER came AFTER INSERT ON entries BEGIN
  UPDATE totals SET messages = messages + 1, octets = octets + NEW.size WHERE state = NEW.state;
END;
CREATE TRIGGER went AFTER DELETE ON entries BEGIN
  UPDATE totals SET messages = messages - 1, octets = octets - OLD.size WHERE state = OLD.state;
END;
CREATE TRIGGER moved AFTER UPDATE OF state ON entries WHEN OLD.state <> NEW.state BEGIN
  UPDATE totals SET messages = messages - 1, octets = octets - OLD.size WHERE state = OLD.state;
  UPDATE totals SET messages = messages + 1, octets = octets + NEW.size WHERE state = NEW.state;
END;
"""
_COUNT_AGAIN: Final = """
UPDATE totals SET
  messages = (SELECT count(*) FROM entries WHERE entries.state = totals.state),
  octets = (SELECT coalesce(sum(size), 0) FROM entries WHERE entries.state = totals.state)
"""


def connect(path: Path, *, only_reading: bool = False) -> sqlite3.Connection:
    """Open a connection, for one thread at a time; every transaction is begun in so many words."""
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA synchronous = FULL")  # the log is synced before COMMIT returns
        connection.execute("PRAGMA cache_size = -4096")  # KiB
        connection.execute("PRAGMA trusted_schema = OFF")
        # Some builds write zeros over each removed message. The log has its octets all the same, as the disk has those
        # of a removed file: what keeps them from others is the folder's mode.
        connection.execute("PRAGMA secure_delete = FAST")
        if only_reading:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _text(octets: bytes) -> str:
    """Read text that a disk may have changed: the seal of its row will tell, not an exception."""
    return octets.decode(errors="surrogateescape")


def prepare(connection: sqlite3.Connection, path: Path, *, make: bool) -> str:
    """
    See that the database is ours, and make it if it is empty and may be made. Returns the spool's name.

    Raises:
        SpoolProblem: It is another program's, a newer release's, or this SQLite cannot read it.
        sqlite3.Error: It cannot be read, or is no database.
    """
    if sqlite3.sqlite_version_info < (3, 37, 0):  # STRICT
        raise SpoolProblem(f"SQLite {sqlite3.sqlite_version} is too old for the spool: 3.37 or newer is needed")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (tables or application) and application != _APPLICATION:
        raise SpoolProblem(f"{path} is a database of another program: name another path in spool.url")
    if version > SCHEMA:
        raise SpoolProblem(
            f"{path} was written by a newer ses-relay (schema {version}, this one knows {SCHEMA}): "
            "start that release, or name another path in spool.url"
        )
    if not tables and not make:
        raise SpoolProblem(f"{path}: there is no spool")
    if not tables:
        _create(connection, path)
    (name,) = connection.execute("SELECT id FROM spool").fetchone()
    return str(name)


def begin_writing(connection: sqlite3.Connection, path: Path, reserve: int) -> None:
    """
    Turn on the log, write once, so that a disk that cannot be written shows now, and count anew what is kept.

    The log grows to half of *reserve*, the octets that stay free on the disk: bringing it home may need as many.

    Raises:
        SpoolProblem: There is no log on this file system.
        sqlite3.Error: It cannot be written.
    """
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise SpoolProblem(f"{path}: its file system cannot hold a shared log (WAL); a spool needs a local disk")
    connection.execute(f"PRAGMA wal_autocheckpoint = {max(32, min(_LONGEST_LOG, reserve // 2) // _PAGE)}")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE spool SET probe = probe + 1")
    connection.execute(_COUNT_AGAIN)
    connection.execute("COMMIT")


def kept(connection: sqlite3.Connection) -> tuple[int, int]:
    """Tell how many octets of messages are kept, and how many messages."""
    octets, messages = connection.execute("SELECT total(octets), total(messages) FROM totals").fetchone()
    return int(octets), int(messages)


def probe(connection: sqlite3.Connection) -> None:
    """Write and sync a little, to see whether the disk works. May raise sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE spool SET probe = probe + 1")
    connection.execute("COMMIT")


def sync_folder(folder: Path) -> None:
    """SQLite makes the names of its logs durable, not that of the database itself."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _create(connection: sqlite3.Connection, path: Path) -> None:
    connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
    connection.executemany("INSERT INTO totals VALUES (?, 0, 0)", [(state.value,) for state in State])
    connection.execute("INSERT INTO spool VALUES (?, 0)", (secrets.token_hex(8),))
    connection.execute("COMMIT")
    sync_folder(path.parent)
