"""
Opening the embedded spool: the lock first, then the database, then order among the files beside it.

``spool.db`` has beside it ``spool.db.lock``, ``spool.db.messages/`` (large messages), and, where something was found
that does not belong, ``spool.db.quarantine/``; SQLite adds ``spool.db-wal`` and ``spool.db-shm``.
"""

import json
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from relay.spool import sqlite_rows, sqlite_schema
from relay.spool.disk_errors import in_words
from relay.spool.disk_room import DiskRoom
from relay.spool.entries import State
from relay.spool.lock import SpoolLock
from relay.spool.message_files import PROBE, UNFINISHED, MessageFiles, file_name, id_of_file
from relay.spool.problems import SpoolProblem
from relay.words.values import dataclass

_MARK: Final = "SPOOL"  # names the spool whose messages lie in the folder
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True)
class Opened:
    """What a running spool holds open. ``findings``: what was out of order, in words."""

    writing: sqlite3.Connection
    reading: sqlite3.Connection
    files: MessageFiles
    room: DiskRoom
    lock: SpoolLock | None
    findings: list[str]


def path_of(url: str) -> Path:
    """
    Read ``sqlite:///var/lib/ses-relay/spool.db`` (or with four slashes, as others write it).

    Raises:
        SpoolProblem: It names no file on this host.
    """
    parts = urlsplit(url)
    path = "/" + unquote(parts.path).lstrip("/")
    if parts.scheme != "sqlite" or parts.netloc or parts.query or parts.fragment or path.endswith("/"):
        raise SpoolProblem(f"spool.url: {url!r} names no file; write sqlite:///var/lib/ses-relay/spool.db")
    return Path(path)


def open_files(path: Path, *, max_bytes: int, visiting: bool = False) -> Opened:
    """
    Open the spool at *path*, or make it.

    *visiting*: next to the relay that has it open, to look at entries and to change one at a time; nothing is made, put
    in order or locked.

    Raises:
        SpoolProblem: It cannot be opened; what is there is left as it is.
    """
    try:
        if visiting and not path.exists():
            raise SpoolProblem(f"{path}: there is no spool")
        lock = None if visiting else _lock(path)
        try:
            return _opened(path, max_bytes, lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
    except sqlite3.Error as error:
        raise SpoolProblem(_advice(path, error)) from None
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else path
        raise SpoolProblem(f"{where}: {in_words(error)}; the relay must be able to write beside {path}") from None


def _lock(path: Path) -> SpoolLock:
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
        sqlite_schema.sync_folder(path.parent.parent)
    lock = SpoolLock(path.with_name(f"{path.name}.lock"))
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for suffix in ("", "-wal", "-shm"):
        if (file := path.with_name(path.name + suffix)).exists():
            file.chmod(0o600)
    return lock


def _opened(path: Path, max_bytes: int, lock: SpoolLock | None) -> Opened:
    writing = sqlite_schema.connect(path)
    try:
        name = sqlite_schema.prepare(writing, path, make=lock is not None)
        findings = []
        room = DiskRoom(path.parent, max_bytes)
        if lock is not None:
            sqlite_schema.begin_writing(writing, path, room.reserve)
            findings = _put_in_order(path, name, writing) + _stateless(writing)
        room.count(*sqlite_schema.kept(writing))
        reading = sqlite_schema.connect(path, only_reading=True)
        return Opened(writing, reading, MessageFiles(_folder(path)), room, lock, findings)
    except BaseException:
        writing.close()
        raise


def _folder(path: Path) -> Path:
    return path.with_name(f"{path.name}.messages")


def _put_in_order(path: Path, spool: str, connection: sqlite3.Connection) -> list[str]:
    """See that the folder of messages is this spool's, and that each file in it is the message of an entry."""
    folder = _folder(path)
    findings = []
    if folder.exists() and _mark(folder) != spool and {one.name for one in folder.iterdir()} - {_MARK + UNFINISHED}:
        aside = folder.with_name(f"{folder.name}.foreign-{secrets.token_hex(4)}")
        folder.rename(aside)
        findings.append(f"{folder} holds the messages of another spool: set aside as {aside.name}")
    files = MessageFiles(folder)
    try:
        if _mark(folder) != spool:
            files.remove(_MARK + UNFINISHED)
            files.write(_MARK, spool.encode())
            files.sync()
            sqlite_schema.sync_folder(folder.parent)
        for file in sorted(set(files.names()) - {_MARK}):
            findings += _put_file_in_order(path, file, files, connection)
    finally:
        files.close()
    return findings


def _put_file_in_order(path: Path, file: str, files: MessageFiles, connection: sqlite3.Connection) -> list[str]:
    """
    Leave the message of an entry, remove what a crash left behind, set aside what nobody here wrote.

    A message without an entry was never acknowledged, or was settled: its row is committed after it and removed before.
    """
    if file.removesuffix(UNFINISHED) == PROBE:
        files.remove(file)
        return []
    entry_id = id_of_file(file)
    if entry_id is None:
        return [_set_aside(path, file, "is none of the spool's files")]
    row = connection.execute("SELECT digest FROM entries WHERE id = ?", (entry_id,)).fetchone()
    if file.endswith(UNFINISHED) or row is None:
        files.remove(file)
    elif file != file_name(entry_id, row[0]):
        return [_set_aside(path, file, "is not the message of the entry it is named after")]
    return []


def _stateless(connection: sqlite3.Connection) -> list[str]:
    """Quarantine rows in no state that there is: nobody else would ever come upon them."""
    connection.execute("BEGIN IMMEDIATE")
    found = connection.execute(
        "SELECT id FROM entries WHERE state NOT IN (SELECT value FROM json_each(?))", (json.dumps(list(State)),)
    ).fetchall()
    why = "its row is not what was written"
    told = [f"{name}: quarantined, {why}" for (name,) in found if sqlite_rows.quarantine(connection, name, why)]
    connection.execute("COMMIT")
    return told


def _set_aside(path: Path, file: str, why: str) -> str:
    quarantine = path.with_name(f"{path.name}.quarantine")
    quarantine.mkdir(mode=0o700, exist_ok=True)
    aside = quarantine / f"{secrets.token_hex(4)}-{file}"
    (_folder(path) / file).rename(aside)
    return f"{_folder(path) / file} {why}: set aside as {quarantine.name}/{aside.name}"


def _mark(folder: Path) -> str | None:
    try:
        return (folder / _MARK).read_text("ascii", "replace")
    except FileNotFoundError:
        return None


def _advice(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _DAMAGED:
        return (
            f"{path} is damaged: {in_words(error)}. Move it away together with {path.name}-wal, {path.name}-shm and "
            f"{path.name}.messages to start with an empty spool; `sqlite3 {path.name} .recover` saves what can be read"
        )
    return f"{path}: {in_words(error)}; the relay must be able to write beside it"
