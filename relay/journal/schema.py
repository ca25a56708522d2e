"""
The tables of the journal's file, and how a file of an earlier release comes to have them.

``policy_text`` and ``policy_period`` are of ``relay.owner.policy_texts``. ``decision`` is the ring: ``number`` grows by
one with each decision that is kept, so the oldest have the lowest. A row has what is asked of decisions, no more: a
search of all 50,000 reads some megabytes. The records whole are in ``pack``, some dozens together
(``relay.journal.packing``): those of the decisions ``first`` to ``last``, in this order. Both tables are only ever
written at their ends, and need no index. ``audit_entry`` and ``policy_standing`` are of ``relay.audit``.
"""

import sqlite3
from pathlib import Path
from typing import Final

APPLICATION: Final = 0x5345534A  # "SESJ"
#: The path of what is no file.
IN_MEMORY: Final = Path(":memory:")

_TEXTS: Final = (
    "CREATE TABLE IF NOT EXISTS policy_text (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS policy_period (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL
)""",
    "CREATE INDEX IF NOT EXISTS policy_period_identity ON policy_period (identity, name, first_seen)",
)
_DECISIONS: Final = (
    """CREATE TABLE decision (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    time REAL NOT NULL,      -- seconds since the epoch, as the record's own
    delegate TEXT NOT NULL,
    verdict TEXT,            -- the worst of its roles; null where no policy was asked
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    octets INTEGER NOT NULL, -- of record
    record BLOB NOT NULL
)""",
    "CREATE INDEX decision_browsed ON decision (number, octets, id, time, delegate, verdict, outcome, reason)",
)
_AUDIT: Final = (
    """CREATE TABLE audit_entry (
    number INTEGER PRIMARY KEY,
    time REAL NOT NULL,      -- seconds since the epoch
    kind TEXT NOT NULL,      -- change (of policies) or action (of operators)
    entry TEXT NOT NULL      -- JSON
)""",
    "CREATE INDEX audit_entry_time ON audit_entry (time)",
    """CREATE TABLE policy_standing (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    identity TEXT NOT NULL,  -- its ARN; empty for account and region themselves, whose list was read
    verified INTEGER NOT NULL,
    policies TEXT,           -- digests by name, as JSON; null while they were never read
    PRIMARY KEY (account, region, identity)
) WITHOUT ROWID""",
)
_PACKS: Final = (
    """CREATE TABLE pack (
    last INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    records BLOB NOT NULL
)""",
    "INSERT INTO pack SELECT number, number, record FROM decision",
    "ALTER TABLE decision RENAME TO decision_whole",
    """CREATE TABLE decision (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    time REAL NOT NULL,      -- seconds since the epoch, as the record's own
    delegate TEXT NOT NULL,
    verdict TEXT,            -- the worst of its roles; null where no policy was asked
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL
)""",
    "INSERT INTO decision SELECT number, id, time, delegate, verdict, outcome, reason FROM decision_whole",
    "DROP TABLE decision_whole",
)
#: What each release added, in order; ``user_version`` counts those that a file has. Steps are added, never changed.
STEPS: Final = (_TEXTS, _DECISIONS, _AUDIT, _PACKS)
#: How a file that has decisions, and no packs yet, is read where it cannot be changed: each record is a pack of one.
_AS_PACKS: Final = (
    "CREATE TEMP VIEW pack AS SELECT number AS last, number AS first, record AS records FROM main.decision"
)
#: The release before the first that counted made a file of these alone.
_UNCOUNTED: Final = frozenset({"policy_text", "policy_period"})


class JournalProblem(ValueError):
    """The file cannot be the journal's. ``str()`` names it and says why."""


def check(file: sqlite3.Connection, path: Path) -> int:
    """
    See whose file it is.

    Returns:
        How many of :data:`STEPS` it has; 0 for an empty file, and for one of the first releases.

    Raises:
        JournalProblem: It is another program's, or a newer release's.
        sqlite3.Error: It cannot be read.
    """
    (application,) = file.execute("PRAGMA application_id").fetchone()
    (version,) = file.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if application or version or not tables <= _UNCOUNTED:
            raise JournalProblem(f"{path} is a database of another program: name another file in [journal] path")
        return 0
    if version > len(STEPS):
        raise JournalProblem(
            f"{path} was written by a newer ses-relay (schema {version}, this one knows {len(STEPS)}): "
            "start that release, or name another file in [journal] path"
        )
    return int(version)


def check_to_read(file: sqlite3.Connection, path: Path) -> None:
    """
    See whose file it is, and let one of an earlier release be asked as if it were of this one.

    Raises:
        JournalProblem: It is another program's, or a newer release's.
        sqlite3.Error: It cannot be read.
    """
    if STEPS.index(_DECISIONS) < check(file, path) <= STEPS.index(_PACKS):
        file.execute(_AS_PACKS)


def prepare(file: sqlite3.Connection, path: Path) -> None:
    """
    Make the tables that are not there yet, in one transaction; what is there stays.

    Raises:
        JournalProblem: It is another program's file, or a newer release's.
        sqlite3.Error: It cannot be read or written.
    """
    if check(file, path) == len(STEPS):
        return
    file.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[check(file, path) :]:  # another process may have been faster
            for statement in step:
                file.execute(statement)
        file.execute(f"PRAGMA application_id = {APPLICATION}")
        file.execute(f"PRAGMA user_version = {len(STEPS)}")
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise
