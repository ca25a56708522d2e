"""What is counted by the minute, and forgotten after an hour."""

from collections.abc import Callable
from typing import Any

import pytest

from relay.observe.events import AuthTried, MessageEnded
from relay.observe.traffic import SPANS, STEP, Series, Traffic
from relay.words.endings import Outcome, Reason

NOON = 1_800_000_000.0


class Watched:
    """A traffic whose clock is turned by hand."""

    def __init__(self) -> None:
        self.now = NOON
        self.traffic = Traffic(lambda: self.now)

    def end(self, times: int = 1, delegate: str = "billing") -> None:
        for _ in range(times):
            self.traffic(MessageEnded(delegate, Outcome.ACCEPTED, Reason.NONE, 1, 10, 0.1, {}))

    def told(self, most: int = 9, *wanted: Callable[[str], bool]) -> tuple[list[tuple[str, int]], int]:
        rows, left_out = self.traffic.series(most, *wanted)
        return [(row.delegate, row.total) for row in rows], left_out

    def counts(self) -> list[tuple[int, ...]]:
        return [row.counts for row in self.traffic.series(9)[0]]


def test_each_minute_is_counted_by_itself():
    watched = Watched()
    watched.end(2)
    watched.now += STEP
    watched.end(3)

    assert watched.counts() == [(*(0,) * (SPANS - 2), 2, 3)]
    assert watched.traffic.begin() == NOON - (SPANS - 2) * STEP


@pytest.mark.parametrize("pause", [SPANS, 10 * SPANS, -SPANS])
def test_what_is_an_hour_old_is_gone(pause):
    """Also where nothing was counted meanwhile, or the clock was set back."""
    watched = Watched()
    watched.end()
    watched.now += pause * STEP
    silent = watched.counts()
    watched.end()

    assert (silent, watched.counts()) == ([], [(*(0,) * (SPANS - 1), 1)])
    assert len(watched.traffic._spans) == 1


def test_the_most_come_first():
    watched = Watched()
    watched.end(1, "a")
    watched.end(5, "b")
    watched.end(1, "-")

    assert watched.told() == ([("b", 5), ("-", 1), ("a", 1)], 0)


def test_only_the_most_of_those_who_are_wanted_are_told():
    """And how many messages of theirs that leaves out; of nobody else's."""
    watched = Watched()
    for delegate, times in (("a", 1), ("b", 2), ("c", 3), ("d", 40)):
        watched.end(times, delegate)

    assert watched.told(2, lambda name: name != "d") == ([("c", 3), ("b", 2)], 1)
    watched.now += SPANS * STEP
    assert watched.told(2) == ([], 0)


def test_rows_that_are_not_told_are_not_counted_through(monkeypatch):
    """Mail waits meanwhile: of many thousand delegates a glance at each, not one for each minute."""
    made: list[str] = []

    def making(delegate: str, *more: Any) -> Series:
        made.append(delegate)
        return Series(delegate, *more)

    monkeypatch.setattr("relay.observe.traffic.Series", making)
    watched = Watched()
    for number in range(500):
        watched.end(2, f"d{number}")
    watched.told(3)

    assert made == ["d0", "d1", "d10"]


def test_nothing_but_ends_of_messages_is_heard():
    watched = Watched()

    assert watched.traffic.ear(AuthTried) is None
    assert watched.traffic.ear(MessageEnded) is not None
