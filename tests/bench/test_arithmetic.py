"""The bench's own arithmetic."""

from collections import Counter

import pytest

from bench.arithmetic import Spread, at, is_slower, ratios
from bench.goals import GOALS, Goal, table
from bench.rooms import OTHERS, shares


def test_a_spread_is_the_median_between_quartiles():
    assert Spread.of([4, 1, 3, 2, 100]) == Spread(2, 3, 4)


def test_one_value_has_no_spread():
    assert Spread.of([7]) == Spread(7, 7, 7)


def test_a_spread_says_what_it_is_in_the_unit_that_is_asked_for():
    assert Spread(0.001, 0.002, 0.0035).text(".1f", 1e3) == "2.0 (1.0 - 3.5)"


def test_ratios_are_of_turns_in_the_same_round():
    """A round in which the machine was twice as slow changes no ratio."""
    assert ratios([2, 4, 2], [1, 2, 1]) == Spread(2, 2, 2)


def test_turns_that_are_not_side_by_side_have_no_ratio():
    with pytest.raises(ValueError, match="zip"):
        ratios([1, 2], [1])


@pytest.mark.parametrize(
    ("ratio", "slower"),
    [
        (Spread(1.04, 1.05, 1.06), True),
        (Spread(0.98, 1.05, 1.2), False),  # the turns differ more than that
        (Spread(1.01, 1.02, 1.03), False),  # within the machine's own 3 %
        (Spread(0.8, 0.9, 0.95), False),
    ],
)
def test_slower_is_beyond_the_machine_and_beyond_the_spread(ratio, slower):
    assert is_slower(ratio) is slower


def test_a_percentile_of_sorted_values():
    assert (at(range(200), 50), at(range(200), 99), at([5], 99)) == (100, 198, 5)


def test_shares_of_rooms_are_of_what_was_added_and_small_ones_are_together():
    before = Counter(assembly=500, smtp=10)
    found = shares(Counter(assembly=500, smtp=610, mail=395, words=3, dns=2), before)

    assert found == pytest.approx({"smtp": 0.6, "mail": 0.395, OTHERS: 0.005})


def test_a_goal_says_whether_it_is_reached():
    fast, many = Goal("CPU", "cpu", 0.25, " ms"), Goal("ratio", "ratio", 7, at_least=True)

    assert fast.row(0.25) == ("CPU", "at most 0.25 ms", "0.25 ms", "reached")
    assert fast.row(0.2501)[3] == "**not reached**"
    assert many.row(6.9) == ("ratio", "at least 7", "6.9", "**not reached**")
    assert many.row(7.0)[3] == "reached"


def test_a_goal_that_nothing_was_measured_for_says_so():
    told = table({"added p50": 0.5}).rows

    assert len(told) == len(GOALS)
    assert [line[3] for line in told if line[3] != "not measured"] == ["reached"]
