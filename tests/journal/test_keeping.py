"""Decisions reach the journal by a thread of its own; mail never waits for it, and what is lost is counted."""

import json
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relay.journal import keeping
from relay.journal.files import open_to_read
from relay.journal.queries import Wanted, decision, page
from relay.journal.schema import JournalProblem
from relay.observe.events import LoopLagged, MessageEnded
from relay.observe.privacy import AddressHashes
from relay.words.endings import Outcome, Reason
from relay.words.unavailable import Unavailable
from tests.journal.building import Keeping, ended, made, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture(params=["file", "memory"])
def anywhere(request: pytest.FixtureRequest, path: Path) -> Path | None:
    return path if request.param == "file" else None


def test_what_was_just_decided_is_found(anywhere):
    """A reader waits the moment that the writer takes."""
    with Keeping(anywhere) as kept:
        for number in range(30):
            kept.tell(number)
            found = kept.journal.read(lambda file, name=f"{number:016x}": decision(file, name))  # type: ignore[misc]
            assert isinstance(found, str)
            assert json.loads(found) == json.loads(json.dumps(made(number)))


def test_the_ring_is_bounded(anywhere):
    with Keeping(anywhere, 7) as kept:
        kept.tell(*range(100))
        assert kept.numbers() == list(range(93, 100))
        kept.tell(100)
        assert kept.numbers() == list(range(94, 101))


def test_only_messages_that_ended_are_kept(anywhere):
    with Keeping(anywhere) as kept:
        kept.journal(LoopLagged(0.1))
        kept.tell(1)
        assert kept.numbers() == [1]


def test_a_restart_finds_what_was_kept(path):
    with Keeping(path, 5) as kept:
        kept.tell(*range(4))
    with Keeping(path, 5) as kept:
        assert kept.numbers() == [0, 1, 2, 3]
        kept.tell(4, 5)
        assert kept.numbers() == [1, 2, 3, 4, 5]


def test_the_end_of_the_process_waits_for_the_last_ones(path):
    with Keeping(path) as kept:
        kept.tell(*range(500))
    with closing(open_to_read(path)) as file:
        assert len(page(file, Wanted(), 1000).texts) == 500
    assert kept.dropped == 0


def test_with_no_entries_nothing_is_kept_and_nothing_touched(path):
    with Keeping(path) as kept:
        kept.tell(1)
    with Keeping(path, 0) as kept:
        kept.tell(2)
        told = kept.journal.read(lambda file: page(file, Wanted(), 1))
    assert told == Unavailable("no journal is kept: journal.entries is 0")
    with Keeping(path) as kept:
        assert kept.numbers() == [1]


def test_the_file_is_its_owner_s_alone(path):
    with Keeping(path) as kept:
        kept.tell(1)
        assert kept.numbers() == [1]
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(path):
    with Keeping(path):
        pass
    path.chmod(0o644)
    with Keeping(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_readers_next_to_the_writer_see_whole_batches(path):
    """And neither waits for the other."""
    seen: list[int] = []
    with Keeping(path) as kept:
        kept.tell(0)
        kept.numbers()

        def look() -> None:
            while not is_done.is_set():
                with closing(open_to_read(path)) as file:
                    seen.append(len(page(file, Wanted(), 5000).texts))

        is_done = threading.Event()
        reader = threading.Thread(target=look)
        reader.start()
        for number in range(1, 2000):
            kept.tell(number)
        assert kept.numbers() == list(range(2000))
        is_done.set()
        reader.join()
    assert seen == sorted(seen)
    assert kept.dropped == 0
    assert kept.noted() == []


# --- a disk that is slow, full or gone --------------------------------------------------------------------------------


def test_a_slow_disk_costs_records_and_no_mail(path, monkeypatch):
    """Somebody holds the file. So many may wait; the others are counted, one by one, and the log says it once."""
    monkeypatch.setattr(keeping, "MOST_WAITING", 100)
    with Keeping(path) as kept:
        kept.tell(0)
        assert kept.numbers() == [0]
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            kept.tell(*range(1, 1001))
            assert kept.dropped == 900
            other.execute("ROLLBACK")
        assert kept.numbers() == list(range(101))
        until(kept.noted)
        assert kept.noted() == ["journal.dropped"]
        assert kept.detail("journal.dropped") == {"records": 900}
        kept.tell(2000)
        assert kept.numbers()[-1] == 2000


def test_very_long_records_wait_in_smaller_numbers(path, monkeypatch):
    monkeypatch.setattr(keeping, "MOST_CHARACTERS", 10_000)
    with Keeping(path) as kept, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        kept.tell(*range(100))
        other.execute("ROLLBACK")
        assert 90 < kept.dropped < 100
        assert len(kept.numbers()) == 100 - kept.dropped


def full_from_now_on(kept: Keeping) -> sqlite3.Connection:
    """Let the writer's file grow no further: SQLite's own answer to a full disk."""
    file = kept.journal._file
    assert file is not None
    (pages,) = file.execute("PRAGMA page_count").fetchone()
    file.execute(f"PRAGMA max_page_count = {pages}")
    return file


def test_a_full_disk_is_told_once_and_mail_goes_on(path, monkeypatch):
    """As soon as there is room again, what waited is written."""
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(keeping, "MOST_WAITING", 200)
    with Keeping(path) as kept:
        kept.tell(0)
        assert kept.numbers() == [0]
        file = full_from_now_on(kept)
        kept.tell(*range(1, 401))
        until(lambda: kept.journal.trouble)
        assert "SQLITE_FULL" in kept.journal.trouble
        assert kept.dropped == 200
        assert kept.numbers() == [0]  # a reader does not wait for a disk that fails
        assert kept.noted() == ["journal.failing"]

        with kept.journal._lock:
            file.execute("PRAGMA max_page_count = 1000000")
        until(lambda: not kept.journal.trouble)
        assert kept.numbers() == list(range(201))
        until(lambda: len(kept.noted()) == 3)
        assert kept.noted() == ["journal.failing", "journal.well", "journal.dropped"]


def test_a_full_disk_at_the_end_costs_what_waits(path, monkeypatch):
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.01)
    kept = Keeping(path)
    kept.tell(0)
    assert kept.numbers() == [0]
    full_from_now_on(kept)
    kept.tell(*range(1, 401))
    until(lambda: kept.journal.trouble)
    kept.journal.close()

    assert kept.dropped == 400
    kept.tell(401)  # too late, and no harm
    assert isinstance(kept.journal.read(lambda file: page(file, Wanted(), 1)), Unavailable)


def test_a_file_that_was_taken_away_is_made_anew(path):
    """Rotated by somebody, say: what comes is in a new file, not in one that nobody finds."""
    with Keeping(path) as kept:
        kept.tell(0)
        assert kept.numbers() == [0]
        for each in list(path.parent.iterdir()):
            each.rename(each.with_name(f"old-{each.name}"))
        kept.tell(1)
        assert kept.numbers() == [1]


# --- files that cannot be the journal's -------------------------------------------------------------------------------


def test_a_damaged_file_is_set_aside(path):
    with Keeping(path) as kept:
        kept.tell(*range(2000))
    octets = bytearray(path.read_bytes())
    octets[4096 : len(octets) : 7] = b"x" * len(octets[4096 : len(octets) : 7])
    path.write_bytes(octets)

    with Keeping(path) as kept:
        kept.tell(1)
        assert kept.numbers() == [1]
        told = kept.detail("journal.damaged")
    assert (path.parent / told["set_aside_as"]).read_bytes() == octets
    assert kept.journal.trouble == ""


def test_what_is_no_database_is_set_aside(path):
    path.parent.mkdir()
    path.write_text("no database\n" * 1000)
    with Keeping(path) as kept:
        kept.tell(1)
        assert kept.numbers() == [1]
    assert kept.noted() == ["journal.damaged"]


def foreign(file: sqlite3.Connection) -> None:
    file.execute("CREATE TABLE customers (id TEXT)")


def newer(file: sqlite3.Connection) -> None:
    file.execute("PRAGMA application_id = 0x5345534A")
    file.execute("PRAGMA user_version = 99")


def a_spool(file: sqlite3.Connection) -> None:
    file.execute("PRAGMA application_id = 0x53455352")


@pytest.mark.parametrize(
    ("make", "why"),
    [(foreign, "another program"), (a_spool, "another program"), (newer, "newer ses-relay (schema 99")],
)
def test_a_file_of_others_is_left_as_it_is(path, make, why):
    """Decisions are kept in memory meanwhile, and the log and /readyz?verbose say so."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file:
        make(file)
        file.commit()
    before = path.read_bytes()

    with Keeping(path) as kept:
        kept.tell(1)
        assert kept.numbers() == [1]
        assert kept.noted() == ["journal.unusable"]
        assert why in kept.journal.trouble
        assert "kept in memory" in kept.journal.trouble
    assert path.read_bytes() == before
    with pytest.raises(JournalProblem, match=r"\[journal\] path"):
        open_to_read(path)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "state").write_text("a file where a folder should be")
    with Keeping(tmp_path / "state" / "journal.db") as kept:
        kept.tell(1)
        assert kept.numbers() == [1]
    assert kept.noted() == ["journal.unusable"]


def test_a_journal_on_a_medium_that_cannot_be_written_is_read(path, monkeypatch):
    """A copy for an auditor: where no log can be made, none is needed."""
    with Keeping(path) as kept:
        kept.tell(1)
    real = sqlite3.connect

    def connect(name: str, *args: Any, **options: Any) -> sqlite3.Connection:
        if "immutable" not in name:
            raise sqlite3.OperationalError("unable to open database file")
        opened: sqlite3.Connection = real(name, *args, **options)
        return opened

    monkeypatch.setattr(sqlite3, "connect", connect)
    with closing(open_to_read(path)) as file:
        assert len(page(file, Wanted(), 10).texts) == 1


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_with_hashed_addresses_the_journal_has_no_others(path):
    with Keeping(path, hashes=AddressHashes(b"key")) as kept:
        kept.tell(1, display_name="Ann Author")
        (found,) = kept.records()
    assert found["recipients"][0].startswith("hash:")
    text = json.dumps(found)
    for word in ("ann@example.net", "billing@example.com", "Ann Author"):
        assert word not in text
    assert found["delegate"] == "billing"


def test_a_record_that_cannot_be_kept_costs_no_other(path):
    with Keeping(path) as kept:
        bad = made(1)
        del bad["roles"]
        kept.journal(MessageEnded("billing", Outcome.ACCEPTED, Reason.NONE, 1, 1, 0.1, bad))
        kept.journal(ended(2))
        assert kept.numbers() == [2]
        assert kept.dropped == 1
