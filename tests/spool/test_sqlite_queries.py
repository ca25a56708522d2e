"""What is asked of the embedded spool costs what is answered, and not what is kept beside it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from relay.spool import sqlite_schema
from relay.spool.entries import State
from relay.spool.ports import Wanted
from relay.spool.sqlite_queries import find

PAGE = 50


@pytest.fixture
def spool() -> Iterator[sqlite3.Connection]:
    """Tables without entries."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(sqlite_schema._TABLES)
        connection.executemany("INSERT INTO totals VALUES (?, 0, 0)", [(state.value,) for state in State])
        yield connection


def keep(spool: sqlite3.Connection, state: State, number: int) -> None:
    """Rows of that state, which nobody reads."""
    rows = [(f"{state}{n:06d}", state.value, float(n)) for n in range(number)]
    spool.executemany("INSERT INTO entries VALUES (?, ?, 'd', ?, 0, 1, 1, '', '', x'', x'')", rows)


def steps_to_page(spool: sqlite3.Connection, state: State) -> tuple[int, int]:
    """How many entries all pages have, and what SQLite did for them."""
    steps: list[None] = []
    spool.set_progress_handler(lambda: steps.append(None), 10)
    after, number = "", 0
    while page := find(spool, Wanted(states=(state,)), PAGE, after):
        after, number = page[-1][0], number + len(page)
    spool.set_progress_handler(None, 10)
    return number, len(steps)


def test_to_go_through_all_of_a_state_costs_as_much_as_there_are(spool: sqlite3.Connection) -> None:
    """Each page must not sort the whole state anew: a start goes through all that failed."""
    keep(spool, State.FAILED, 1000)
    _, few = steps_to_page(spool, State.FAILED)
    spool.execute("DELETE FROM entries")
    keep(spool, State.FAILED, 8000)
    number, many = steps_to_page(spool, State.FAILED)

    assert number == 8000
    assert many < 16 * few


def test_a_few_of_a_state_are_found_without_a_look_at_all_others(spool: sqlite3.Connection) -> None:
    keep(spool, State.HELD, 3)
    _, alone = steps_to_page(spool, State.HELD)
    keep(spool, State.DUE, 8000)

    assert steps_to_page(spool, State.HELD) == (3, alone)
