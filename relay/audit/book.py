"""What the audit keeps in the journal's file: changes of policies, what operators did, and how identities stood."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from relay.journal.files import in_words, open_to_read, open_to_write
from relay.journal.schema import JournalProblem
from relay.owner.changes import Change, Owner, Standing
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

#: Entries that are kept; of more than these the oldest go. Some 100 MB at the worst.
MOST_ENTRIES: Final = 100_000
#: A text may have been in force for so short a time that only a change names it.
_FORGET_TEXTS: Final = """DELETE FROM policy_text
    WHERE digest NOT IN (SELECT digest FROM policy_period)
    AND digest NOT IN (
        SELECT named.value FROM audit_entry, json_each(entry, '$.policies') AS policy, json_each(policy.value) AS named
        WHERE kind = 'change' AND named.key IN ('old', 'new') AND named.value IS NOT NULL
    )"""
CHANGE: Final = "change"
ACTION: Final = "action"
#: Marks of one query.
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. ``time``: seconds since the epoch; ``kind``: change or action; ``what``: JSON-ready."""

    time: float
    kind: str
    what: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditBook:
    """The tables in one file. Each call opens it anew: none holds it up, and any thread may call."""

    path: Path

    def standing(self) -> dict[Owner, dict[IdentityArn, Standing]] | Unavailable:
        """Return how identities stood in the last run; an owner that is there was looked at."""
        found: dict[Owner, dict[IdentityArn, Standing]] = {}
        try:
            with closing(open_to_write(self.path)) as file:
                rows = file.execute("SELECT account, region, identity, verified, policies FROM policy_standing")
                for account, region, identity, verified, policies in rows:
                    known = found.setdefault((account, region), {})
                    if identity:
                        digests = None if policies is None else json.loads(policies)
                        known[parse_identity_arn(identity)] = Standing(bool(verified), digests)
        except (JournalProblem, sqlite3.Error, OSError, ArnProblem, ValueError) as error:
            return _unavailable(self.path, error)
        return found

    def write(
        self, entries: Sequence[Entry], changes: Iterable[Change] = (), owners: Collection[Owner] | None = None
    ) -> Unavailable | None:
        """
        Keep *entries*, and how identities stand after *changes*; all of it or nothing.

        *owners*: all that are looked at from now on; None leaves them as they are.
        """
        try:
            with closing(open_to_write(self.path)) as file:
                file.execute("BEGIN IMMEDIATE")
                file.executemany(
                    "INSERT INTO audit_entry (time, kind, entry) VALUES (?, ?, ?)",
                    [(each.time, each.kind, _compact(each.what)) for each in entries],
                )
                for change in changes:
                    _stand(file, change)
                if owners is not None:
                    _look_at(file, owners)
                file.execute(
                    "DELETE FROM audit_entry WHERE number <= (SELECT max(number) FROM audit_entry) - ?", (MOST_ENTRIES,)
                )
                file.execute("COMMIT")
        except (JournalProblem, sqlite3.Error, OSError) as error:
            return _unavailable(self.path, error)
        return None

    def texts(self, digests: Collection[str]) -> dict[str, str]:
        """Return the policy texts of *digests*, as far as they are kept and can be read."""
        wanted, found = list(digests), dict[str, str]()
        try:
            with closing(open_to_read(self.path)) as file:
                for start in range(0, len(wanted), _AT_ONCE):
                    some = wanted[start : start + _AT_ONCE]
                    marks = ", ".join("?" * len(some))
                    found |= file.execute(f"SELECT digest, text FROM policy_text WHERE digest IN ({marks})", some)  # noqa: S608  only marks
        except (JournalProblem, sqlite3.Error, OSError):
            return found
        return found

    def forget(self, before: float) -> Unavailable | None:
        """Let go of entries of a time before that, and of policy texts that were last seen before it."""
        try:
            with closing(open_to_write(self.path)) as file:
                file.execute("BEGIN IMMEDIATE")
                file.execute("DELETE FROM audit_entry WHERE time < ?", (before,))
                file.execute("DELETE FROM policy_period WHERE last_seen < ?", (before,))
                file.execute(_FORGET_TEXTS)
                file.execute("COMMIT")
        except (JournalProblem, sqlite3.Error, OSError) as error:
            return _unavailable(self.path, error)
        return None


def entries_between(file: sqlite3.Connection, since: float, until: float) -> Iterator[Entry]:
    """Yield the entries of that time, the oldest first; none from a file that never had any."""
    if file.execute("SELECT 1 FROM sqlite_schema WHERE name = 'audit_entry'").fetchone() is None:
        return
    rows = file.execute(
        "SELECT time, kind, entry FROM audit_entry WHERE time >= ? AND time < ? ORDER BY time, number", (since, until)
    )
    for time, kind, entry in rows:
        yield Entry(time, kind, json.loads(entry))


def _stand(file: sqlite3.Connection, change: Change) -> None:
    place = (change.arn.account, change.arn.region, str(change.arn))
    if change.after is None:
        file.execute("DELETE FROM policy_standing WHERE account = ? AND region = ? AND identity = ?", place)
        return
    policies = None if change.after.policies is None else _compact(change.after.policies)
    row = (*place, change.after.verified, policies)
    file.execute("INSERT OR REPLACE INTO policy_standing VALUES (?, ?, ?, ?, ?)", row)


def _look_at(file: sqlite3.Connection, owners: Collection[Owner]) -> None:
    known = set(file.execute("SELECT account, region FROM policy_standing WHERE identity = ''"))
    file.executemany("DELETE FROM policy_standing WHERE account = ? AND region = ?", known - set(owners))
    file.executemany("INSERT INTO policy_standing VALUES (?, ?, '', 0, NULL)", set(owners) - known)


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)


def _unavailable(path: Path, error: Exception) -> Unavailable:
    return Unavailable(str(error) if isinstance(error, JournalProblem) else f"{path}: {in_words(error)}")
