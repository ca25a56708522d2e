"""What was heard is counted once, durably, in the stretch of time that it belongs to."""

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from relay.feedback import ledger as room
from relay.feedback.happenings import read_happening
from relay.feedback.ledger import Heard, Ledger, LedgerProblem
from relay.feedback.standing import Record
from relay.words.standings import Standing
from tests.feedback.telling import NOW, event


@pytest.fixture
def opened() -> Iterator[Callable[..., Ledger]]:
    """A maker of ledgers, which are closed at the end."""
    with ExitStack() as stack:
        yield lambda *given, **more: stack.enter_context(closing(Ledger(*given, **more)))


def heard(body: str, delegate: str = "billing") -> Heard:
    happening = read_happening(body)
    assert happening is not None
    return Heard(delegate, happening)


def test_what_comes_again_is_known(tmp_path, opened):
    """Also by another process, after a restart; and a bounce of one more recipient is news."""
    path = tmp_path / "feedback.db"
    bounce = event("Bounce", to=["b@example.net"])
    first = opened(path)
    assert first.count([heard(bounce), heard(bounce)], NOW) == [1, 0]
    first.close()
    second = opened(path)

    assert second.count([heard(bounce), heard(event("Bounce", to=["b@example.net", "c@example.net"]))], NOW) == [0, 1]
    assert second.sums(0.0) == {"billing": {"bounce": 2}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_addresses_are_not_in_the_file(tmp_path, opened):
    ledger = opened(tmp_path / "feedback.db")
    ledger.count([heard(event("Complaint", to=["secret.person@example.net"]))], NOW)
    ledger.close()

    assert all(b"secret.person" not in path.read_bytes() for path in tmp_path.iterdir())


def test_counts_belong_to_the_time_at_which_it_happened(opened):
    ledger = opened(None)
    ledger.count(
        [heard(event("Send", 1, at=NOW - 7200)), heard(event("Send", 2)), heard(event("Send", 3), "news")], NOW
    )

    assert ledger.sums(NOW - 3600) == {"billing": {"send": 1}, "news": {"send": 1}}
    assert ledger.sums(NOW - 9000) == {"billing": {"send": 2}, "news": {"send": 1}}
    assert ledger.sums(NOW - 9000, NOW - 3600) == {"billing": {"send": 1}}
    assert ledger.sums(0.0, delegate="news") == {"news": {"send": 1}}


def test_what_one_delegate_is_judged_by_costs_no_look_at_the_others(opened):
    """It is asked for with every batch of events, of weeks of everybody's mail."""

    def steps() -> int:
        taken: list[None] = []
        ledger._file.set_progress_handler(lambda: taken.append(None), 1)
        assert ledger.sums(0.0, delegate="billing") == {"billing": {"send": 1}}
        ledger._file.set_progress_handler(None, 1)
        return len(taken)

    ledger = opened(None)
    ledger.count([heard(event("Send", 1))], NOW)
    alone = steps()
    ledger.count([heard(event("Send", number), f"delegate-{number}") for number in range(2, 200)], NOW)

    assert steps() < 2 * alone


def test_a_time_in_the_future_is_now(opened):
    ledger = opened(None)
    ledger.count([heard(event("Send", at=NOW + 10 * 86400))], NOW)

    assert ledger.sums(NOW - 3600, NOW + 3600) == {"billing": {"send": 1}}


def test_what_is_about_mail_from_before_a_pardon_does_not_count_after_it(opened):
    """A complaint comes days after its mail: it is counted at the time of the mail."""
    ledger = opened(None)
    ledger.keep({"billing": Record(judged_from=NOW)})
    late = [heard(event("Complaint", n, at=NOW + 60, mailed_at=NOW - 60)) for n in range(3)]
    ledger.count([*late, heard(event("Complaint", 9, at=NOW + 60, mailed_at=NOW + 30))], NOW + 60)

    assert ledger.sums(NOW) == {"billing": {"complaint": 1}}
    assert ledger.sums(NOW - 3600) == {"billing": {"complaint": 4}}


def test_standings_and_words_of_operators_survive(tmp_path, opened):
    path = tmp_path / "feedback.db"
    ledger = opened(path)
    record = Record(Standing.SUSPENDED, NOW, NOW + 60, NOW - 5, "too much")
    ledger.keep({"billing": record})
    opened(path).ask_to_resume("billing", NOW)

    assert opened(path).records() == {"billing": record}
    assert (ledger.take_resumed(), ledger.take_resumed()) == (["billing"], [])


def test_what_is_too_old_or_too_much_goes(monkeypatch, opened):
    monkeypatch.setattr(room, "MOST_KNOWN", 5)
    ledger = opened(None)
    ledger.count([heard(event("Send", n)) for n in range(4)], NOW - 40 * 86400)
    ledger.count([heard(event("Send", n)) for n in range(10, 20)], NOW)
    ledger.trim(NOW)

    assert ledger.sums(0.0) == {"billing": {"send": 10}}
    assert sum(ledger.count([heard(event("Send", n)) for n in range(10, 20)], NOW)) == 5
    assert ledger.count([heard(event("Send", 1))], NOW) == [1]


def test_a_failed_counting_counts_nothing(monkeypatch, opened):
    ledger = opened(None)
    several = [heard(event("Send", 1)), heard(event("Send", 2))]
    monkeypatch.setattr(ledger, "_file", Torn(ledger._file))
    with pytest.raises(LedgerProblem, match="disk is full"):
        ledger.count(several, NOW)
    monkeypatch.undo()

    assert ledger.sums(0.0) == {}
    assert ledger.count(several, NOW) == [1, 1]


class Torn:
    """A file on which the second tally meets a full disk."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file, self._tallies = file, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def execute(self, statement: str, *values: tuple[object, ...]) -> sqlite3.Cursor:
        self._tallies += statement.startswith("INSERT INTO tally")
        if self._tallies == 2:
            self._tallies += 1
            raise sqlite3.OperationalError("database or disk is full")
        return self._file.execute(statement, *values)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"no database" * 1000), "not a database"),
        (lambda path: having(path, "CREATE TABLE other (x)"), "another program"),
        (lambda path: having(path, "PRAGMA user_version = 7"), "another program"),
        (lambda path: having(path, "PRAGMA application_id = 0x53524642"), "another version"),
        (lambda path: path.mkdir(), "unable to open"),
    ],
)
def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path, make, why, opened):
    path: Path = tmp_path / "feedback.db"
    make(path)

    with pytest.raises(LedgerProblem, match=why):
        opened(path)


def having(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute(statement)
        file.commit()


def newer(path: Path) -> None:
    Ledger(path).close()
    having(path, "PRAGMA user_version = 99")


def test_a_reader_does_not_make_a_file(tmp_path, opened):
    with pytest.raises(LedgerProblem, match="is not there"):
        opened(tmp_path / "feedback.db", must_exist=True)
    assert not list(tmp_path.iterdir())


VISIT = """
import sys
from pathlib import Path
from relay.feedback.ledger import Ledger
Ledger(Path(sys.argv[1])).close()
"""


def test_opened_twice_it_keeps_its_locks(tmp_path, opened):
    """Another process that closes it would else think it the last, and take away the log of who has it."""
    path = tmp_path / "feedback.db"
    first, _ = opened(path), opened(path)
    first.ask_to_resume("before", NOW)

    subprocess.run([sys.executable, "-c", VISIT, str(path)], check=True, timeout=30)
    first.ask_to_resume("after", NOW)

    assert (tmp_path / "feedback.db-wal").stat().st_size > 0
    assert sorted(opened(path).take_resumed()) == ["after", "before"]
