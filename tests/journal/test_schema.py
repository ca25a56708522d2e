"""A journal's file of an earlier release is gone on with, and read where it cannot be changed."""

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relay.journal import packing
from relay.journal.files import open_to_read, open_to_write
from relay.journal.queries import Wanted, count, decision, each, ids, page
from relay.journal.ring import row_of
from relay.journal.schema import APPLICATION, STEPS, prepare
from tests.journal.building import Keeping, made

#: Steps of the releases that had each record in its decision's row: before there were audits, and with them.
ALONE = (2, 3)
PAST = range(1, 200)


def packed_alone(record: dict[str, Any]) -> bytes:
    """A record as those releases packed it."""
    squeezed = zlib.compressobj(2, zlib.DEFLATED, -12, 5, zlib.Z_FIXED, packing._DICTIONARIES[1])
    return b"\x01" + squeezed.compress(json.dumps(record).encode()) + squeezed.flush()


@pytest.fixture(params=ALONE)
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of theirs, with the decisions :data:`PAST`."""
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for step in STEPS[: request.param]:
            for statement in step:
                file.execute(statement)
        file.execute(f"PRAGMA application_id = {APPLICATION}")
        file.execute(f"PRAGMA user_version = {request.param}")
        for number in PAST:
            kept = made(number, verdict="denied" if number % 50 == 0 else "allowed")
            record = packed_alone(kept)
            row = (number, *row_of(kept), len(record), record)
            file.execute("INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return path


def test_what_was_kept_before_is_kept_on(before: Path) -> None:
    with Keeping(before, 150) as kept:
        assert kept.numbers() == list(PAST)
        kept.tell(*range(200, 300))
        assert kept.numbers() == list(range(150, 300))
        assert kept.noted() == []
        with closing(open_to_write(before)) as file:  # again, and nothing is left to do
            assert file.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert file.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'decision%'").fetchall() == [
                ("decision",)
            ]


def test_it_is_read_as_it_is(before: Path) -> None:
    """An auditor's copy, or the file of a relay that was not restarted yet: reading changes nothing."""
    octets = before.read_bytes()
    with closing(open_to_read(before)) as file:
        assert [int(kept["id"], 16) for kept in each(file)] == list(PAST)
        found = page(file, Wanted(verdict="denied"), 2)
        assert [int(json.loads(text)["id"], 16) for text in found.texts] == [150, 100]
        assert found.next == f"{100:016x}"
        assert json.loads(decision(file, f"{7:016x}") or "")["id"] == f"{7:016x}"
        assert (count(file), len(ids(file))) == (len(PAST), len(PAST))
    assert before.read_bytes() == octets


def test_a_disk_that_is_full_leaves_it_as_it_was(before: Path) -> None:
    """All tables are changed, or none is; as soon as there is room, they are."""
    with closing(sqlite3.connect(before, isolation_level=None)) as file:
        told = list(file.iterdump())
        (pages,) = file.execute("PRAGMA page_count").fetchone()
        file.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            prepare(file, before)
        assert list(file.iterdump()) == told

        file.execute("PRAGMA max_page_count = 1000000")
        prepare(file, before)
        assert len(list(each(file))) == len(PAST)
