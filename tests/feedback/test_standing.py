"""Who is warned, slowed, suspended, and how that ends."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.feedback.standing import LEAVES_AT, Record, Tally, Tolerance, judged, resumed
from relay.words.standings import NEVER, Standing, Thresholds

NOW = 1_800_000_000.0
BOUNCES = Thresholds(0.05, 0.08, 0.1)
TOLERANCE = Tolerance(BOUNCES, Thresholds(0.001, 0.002, 0.005), minimum=100, suspend_for=3600.0)


def stands(sent: int, bounced: int = 0, complained: int = 0, before: Record | None = None, now: float = NOW) -> Record:
    return judged(before or Record(), Tally(sent=sent, bounced=bounced, complained=complained), TOLERANCE, now)


@pytest.mark.parametrize(
    ("sent", "bounced", "complained", "standing"),
    [
        (1000, 0, 0, Standing.GOOD),
        (1000, 49, 0, Standing.GOOD),
        (1000, 50, 0, Standing.WARNED),
        (1000, 80, 0, Standing.SLOWED),
        (1000, 100, 0, Standing.SUSPENDED),
        (1000, 0, 1, Standing.WARNED),
        (1000, 0, 2, Standing.SLOWED),
        (1000, 0, 5, Standing.SUSPENDED),
        (1000, 50, 5, Standing.SUSPENDED),
        (100, 100, 0, Standing.SUSPENDED),
        (99, 99, 99, Standing.GOOD),
        (0, 7, 7, Standing.GOOD),
    ],
)
def test_the_worse_of_both_rates_counts_and_too_little_mail_does_not(sent, bounced, complained, standing):
    assert stands(sent, bounced, complained).standing is standing


def test_the_reason_is_in_words_with_numbers():
    record = stands(1200, complained=7)

    assert record.why == "complaint rate 0.583 % of 1200 recipients in 24 h, suspended from 0.5 %"
    assert record.until == NOW + 3600


def test_a_standing_is_left_well_below_its_threshold():
    """It does not flutter around the threshold."""
    warned = stands(1000, 50)

    assert stands(1000, 49, before=warned) is warned
    assert stands(1000, 41, before=warned) is warned
    assert stands(1000, 39, before=warned).standing is Standing.GOOD


def test_it_falls_no_further_than_its_rates_are_good():
    slowed = stands(1000, 80)

    assert stands(1000, 65, before=slowed) is slowed
    assert stands(1000, 63, before=slowed).standing is Standing.WARNED


def test_a_suspension_lasts_its_time_and_then_only_new_mail_counts():
    suspended = stands(1000, 100)

    assert stands(5000, 0, before=suspended, now=NOW + 3599) is suspended
    slowed = stands(1000, 100, before=suspended, now=NOW + 3600)
    assert (slowed.standing, slowed.judged_from) == (Standing.SLOWED, NOW + 3600)
    assert stands(99, 0, before=slowed, now=NOW + 4000) is slowed
    assert stands(100, 0, before=slowed, now=NOW + 4000).standing is Standing.GOOD
    assert stands(100, 20, before=slowed, now=NOW + 4000).standing is Standing.SUSPENDED


def test_too_little_mail_to_tell_ends_a_standing_after_a_window():
    slowed = stands(1000, 80)

    assert stands(3, 3, before=slowed, now=NOW + 86399) is slowed
    assert stands(3, 3, before=slowed, now=NOW + 86400).standing is Standing.GOOD


def test_an_operator_forgives_what_was():
    assert resumed(NOW) == Record(Standing.GOOD, NOW, None, NOW, "resumed by an operator")


def test_without_thresholds_everybody_stands_well():
    suspended = stands(1000, 100)
    tolerance = replace(TOLERANCE, bounces=NEVER, complaints=NEVER)

    assert judged(suspended, Tally(1000, bounced=1000), tolerance, NOW).standing is Standing.GOOD


def test_where_only_deliveries_are_published_they_are_what_rates_are_parts_of():
    assert judged(Record(), Tally(delivered=900, bounced=100), TOLERANCE, NOW).standing is Standing.SUSPENDED


records = st.builds(
    Record, st.sampled_from(Standing), st.just(NOW - 50), st.sampled_from([NOW - 10, NOW + 10]), st.just(0.0)
)
tallies = st.builds(Tally, st.integers(0, 2000), bounced=st.integers(0, 300), complained=st.integers(0, 20))


@given(records, tallies)
def test_judging_again_changes_nothing_and_nobody_stands_worse_than_the_rates(record, tally):
    once = judged(record, tally, TOLERANCE, NOW)

    assert judged(once, tally, TOLERANCE, NOW) is once or record.standing is Standing.SUSPENDED
    if once.standing > record.standing:
        rates = (tally.bounce_rate or 0.0, tally.complaint_rate or 0.0)
        reached = max(BOUNCES.reached(rates[0]), TOLERANCE.complaints.reached(rates[1]))
        assert (once.standing, tally.volume >= 100) == (reached, True)
    assert LEAVES_AT < 1
