"""The journal's file beside other processes: what they do to it costs the relay nothing."""

import itertools
import math
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from relay.journal import keeping
from relay.journal.files import open_to_read, open_to_write
from relay.journal.queries import count
from relay.journal.ring import Pack
from relay.journal.schema import STEPS
from relay.words.unavailable import Unavailable
from tests.journal.building import Keeping, until

VISIT = """
import sys
from pathlib import Path
from relay.journal.files import open_to_write
open_to_write(Path(sys.argv[1])).close()
"""


def visit(path: Path) -> None:
    """Open the file in another process, as ``ses-relay spool delete`` does to note what was done, and close it."""
    subprocess.run([sys.executable, "-c", VISIT, str(path)], check=True, timeout=30)


def test_who_closes_it_elsewhere_does_not_take_away_the_log_of_who_has_it_twice(tmp_path):
    """The relay opens it for decisions, and again for what operators did: each opening leaves the other its locks."""
    path = tmp_path / "journal.db"
    with closing(open_to_write(path)) as first, closing(open_to_write(path)) as second:
        first.execute("CREATE TABLE noted (what TEXT)")
        second.execute("INSERT INTO noted VALUES ('before')")
        open_to_write(path).close()

        visit(path)

        first.execute("INSERT INTO noted VALUES ('after')")
        with closing(open_to_read(path)) as reading:
            assert reading.execute("SELECT what FROM noted").fetchall() == [("before",), ("after",)]
        assert (tmp_path / "journal.db-wal").stat().st_size > 0


# --- a newer release beside a relay that runs -------------------------------------------------------------------------

RENAMED = ("ALTER TABLE decision RENAME TO outcome",)
ADDED = ("CREATE TABLE another (number INTEGER PRIMARY KEY)",)


def migrate(path: Path, *step: str) -> None:
    """Open the file in another process, as a command of the release that adds *step* would."""
    newer = f"import relay.journal.schema as schema\nschema.STEPS = (*schema.STEPS, {step!r})\n"
    subprocess.run([sys.executable, "-c", newer + VISIT, str(path)], check=True, timeout=30)


@pytest.mark.parametrize("step", [RENAMED, ADDED], ids=["renamed", "added"])
def test_a_newer_release_that_makes_the_file_its_own_finds_nothing_of_ours_in_it(tmp_path, monkeypatch, step):
    """
    Whether our statements would still pass or not. It is said once, what is decided waits, up to the bound, and is kept
    as soon as there is a file for it.
    """
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(keeping, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(keeping, "MOST_WAITING", 100)
    path = tmp_path / "journal.db"
    with Keeping(path) as kept:
        assert kept.tell(0).numbers() == [0]
        migrate(path, *step)

        kept.tell(*range(1, 151))
        until(lambda: kept.journal.trouble)
        kept.journal.forget(math.inf)
        found = kept.journal.read(count)

        newer = f"{path} was written by a newer ses-relay (schema {len(STEPS) + 1}, this one knows {len(STEPS)})"
        assert kept.journal.trouble.startswith(newer)
        assert isinstance(found, Unavailable)
        assert found.why.startswith(newer)
        assert kept.noted() == ["journal.failing"]
        assert kept.dropped == 50
        with closing(sqlite3.connect(path)) as theirs:
            (table,) = {name for (name,) in theirs.execute("SELECT name FROM sqlite_schema")} & {"decision", "outcome"}
            assert theirs.execute(f"SELECT number FROM {table}").fetchall() == [(1,)]

        for each in list(tmp_path.iterdir()):
            each.rename(each.with_name(f"theirs-{each.name}"))
        until(lambda: not kept.journal.trouble)
        assert kept.numbers() == list(range(1, 101))
        until(lambda: len(kept.noted()) == 3)
        assert kept.noted() == ["journal.failing", "journal.well", "journal.dropped"]


def test_a_file_that_cannot_be_written_is_tried_ever_more_seldom(tmp_path, monkeypatch):
    """Nobody who asks makes it hurry, and no mail that ends does."""
    tried: list[float] = []
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.1)
    path = tmp_path / "journal.db"
    with Keeping(path) as kept:
        assert kept.tell(0).numbers() == [0]
        migrate(path, *ADDED)
        write = kept.journal._write

        def timed(packs: list[Pack]) -> bool:
            tried.append(time.monotonic())
            return write(packs)

        monkeypatch.setattr(kept.journal, "_write", timed)
        for number in range(1, 200):
            kept.tell(number)
            kept.journal.read(count)
            time.sleep(0.001)
        until(lambda: len(tried) > 2)
    pauses = [after - before for before, after in itertools.pairwise(tried[:3])]
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.2
