"""
Every policy text that was in force, by digest, with when it was first and last seen: tables of the journal's file.

A text that comes back after another one has a second period. Between two writings ``last_seen`` lags by at most
:data:`TOUCH` seconds.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Literal, TypeAlias

from relay.journal.files import in_words, open_to_read, open_to_write
from relay.journal.schema import JournalProblem
from relay.judgement.catalog import Catalog
from relay.owner.catalogs import InForce, KeptText, identities_in
from relay.words.arns import ArnProblem, parse_identity_arn
from relay.words.unavailable import Unavailable

#: Seconds after which the file is told that what it knows is still so.
TOUCH: Final = 300.0
#: Seconds for which what was seen is taken to be still so: as long as the file may not have been told, and a round.
UNSEEN: Final = 2 * TOUCH

Place: TypeAlias = tuple[str, str]
#: Identity, name, digest, text (None where it is gone), first and last seen.
_Period: TypeAlias = tuple[str, str, str, str | None, float, float]


class PolicyTexts:
    """The texts in one file. Each call opens it anew: none holds it up, and any thread may call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[Place, tuple[str, int]] | None = None
        self._waiting: dict[Place, tuple[str, int]] = {}  # of identities that cannot be read: they may come back
        self._last = 0.0
        self._written = 0.0
        self._inode = 0

    def keep(self, texts: Mapping[str, str], catalog: Catalog, at: float) -> Unavailable | None:
        """Keep new *texts*, and that the policies of *catalog* were in force at the time *at*. One caller at a time."""
        now = {
            (str(identity.arn), policy.name): policy.digest
            for identity in identities_in(catalog)
            for policy in identity.policies
            if policy.digest
        }
        known = self._known
        is_same = known is not None and {place: digest for place, (digest, _) in known.items()} == now
        if is_same and not texts and at - self._written < TOUCH:
            self._last = at
            return None
        try:
            with closing(open_to_write(self._path)) as file:
                self._see_whether_it_is_new()
                file.execute("BEGIN IMMEDIATE")
                self._write(file, texts, now, at)
                self._waiting = {place: row for place, row in self._waiting.items() if _is_unread(place[0], catalog)}
        except (sqlite3.Error, OSError) as error:
            self._known = None
            return Unavailable(f"{self._path}: {in_words(error)}")
        except JournalProblem as problem:
            self._known = None
            return Unavailable(str(problem))
        return None

    def history(self, identity: str) -> list[KeptText]:
        """
        Return every period of every policy of *identity*, an ARN or a name, the oldest first.

        Raises:
            JournalProblem: The file cannot be read.
        """
        ending = f":identity/{identity}"
        return [text for text in self._read("") if text.identity == identity or text.identity.endswith(ending)]

    def texts(self, digests: Sequence[str]) -> list[KeptText]:
        """
        Return the texts of *digests* with everything that they were attached to, each place once.

        Raises:
            JournalProblem: The file cannot be read.
        """
        marks = ", ".join("?" * len(digests))
        return self._read(f"WHERE policy_period.digest IN ({marks})", tuple(digests))

    def in_force(self, at: float) -> dict[Place, InForce]:
        """
        Return what was seen to be in force at a time, by account and region.

        There is nothing of places at which the relay did not look then.

        Raises:
            JournalProblem: The file cannot be read.
        """
        places: dict[Place, list[_Period]] = defaultdict(list)
        for row in self._rows(""):
            places[_account_and_region(row[0])].append(row)
        found = {}
        for place, rows in places.items():
            looked = max((min(row[-1], at) for row in rows if row[-2] <= at), default=0.0)
            if at - looked > UNSEEN:
                continue
            sights = [(row, _sight(row, after, at, looked)) for row, after in zip(rows, [*rows[1:], None], strict=True)]
            then = [row for row, sight in sights if sight == "seen"]
            gone = [row for row, sight in sights if sight == "unknown" or (sight == "seen" and row[3] is None)]
            found[place] = InForce(looked, tuple(_texts_in(then)), tuple((row[0], row[2]) for row in gone))
        return found

    def _read(self, where: str, values: Sequence[object] = ()) -> list[KeptText]:
        return list(_texts_in(self._rows(where, values)))

    def _rows(self, where: str, values: Sequence[object] = ()) -> list[_Period]:
        query = (
            "SELECT identity, name, digest, text, first_seen, last_seen FROM policy_period LEFT JOIN policy_text"  # noqa: S608  only marks are put in
            f" USING (digest) {where} ORDER BY identity, name, first_seen"
        )
        try:
            with closing(open_to_read(self._path)) as file:
                return file.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise JournalProblem(f"{self._path}: {in_words(error)}") from error

    def _see_whether_it_is_new(self) -> None:
        """Somebody may have taken the file away: everything is news to the next one."""
        inode = self._path.stat().st_ino
        if inode != self._inode:
            self._known, self._inode = None, inode

    def _write(self, file: sqlite3.Connection, texts: Mapping[str, str], now: Mapping[Place, str], at: float) -> None:
        file.executemany("INSERT OR IGNORE INTO policy_text VALUES (?, ?)", texts.items())
        known = _latest(file) if self._known is None else self._waiting | self._known
        if self._known is not None:
            # What is gone was there until the round before this one.
            file.executemany(
                "UPDATE policy_period SET last_seen = max(last_seen, ?) WHERE id = ?",
                [(self._last, row) for _, row in self._known.values()],
            )
        present: dict[Place, tuple[str, int]] = {}
        for place, digest in now.items():
            before = known.get(place)
            if before is not None and before[0] == digest:
                file.execute("UPDATE policy_period SET last_seen = ? WHERE id = ?", (at, before[1]))
                present[place] = before
            else:
                row = file.execute(
                    "INSERT INTO policy_period (identity, name, digest, first_seen, last_seen) VALUES (?, ?, ?, ?, ?)",
                    (*place, digest, at, at),
                ).lastrowid
                present[place] = (digest, row or 0)
        file.execute("COMMIT")
        self._waiting = {place: row for place, row in known.items() if place not in present}
        self._known, self._last, self._written = present, at, at


def _texts_in(rows: Iterable[_Period]) -> Iterator[KeptText]:
    for identity, name, digest, text, first_seen, last_seen in rows:
        if text is not None:
            yield KeptText(identity, name, digest, text, first_seen, last_seen)


def _sight(row: _Period, after: _Period | None, at: float, looked: float) -> Literal["seen", "unknown", "not seen"]:
    """
    Whether the text of *row* was in force, where the relay last looked at *looked*.

    Until its successor *after* was seen it was judged by. If that came long afterwards, nobody knows: it may have been
    away meanwhile, or the relay was.
    """
    first_seen, last_seen = row[-2:]
    if first_seen > at:
        return "not seen"
    if last_seen >= looked:
        return "seen"
    if after is None or after[:2] != row[:2] or after[-2] <= at:
        return "not seen"
    return "seen" if after[-2] - last_seen <= UNSEEN else "unknown"


def _account_and_region(identity: str) -> Place:
    fields = identity.split(":")
    return (fields[4], fields[3]) if len(fields) == 6 else ("", "")


def _is_unread(identity: str, catalog: Catalog) -> bool:
    """Whether it is not known what *identity* has now: it could not be read, or not yet."""
    try:
        arn = parse_identity_arn(identity)
    except ArnProblem:
        return False
    owned, found = catalog.owners.get((arn.account, arn.region)), catalog.find(arn)
    return (owned is not None and owned.problem is not None) or (found is not None and found.problem is not None)


def _latest(file: sqlite3.Connection) -> dict[Place, tuple[str, int]]:
    """Return what was in force last, as far as the file knows: a restart goes on where the last run ended."""
    rows = file.execute("SELECT identity, name, digest, id FROM policy_period ORDER BY last_seen, id")
    return {(identity, name): (digest, row) for identity, name, digest, row in rows}
