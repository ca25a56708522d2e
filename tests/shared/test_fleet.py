"""How many relays there are, as one of them sees it."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from relay.shared.engine import Engine
from relay.shared.fleet import SEEN_SECONDS, RelayFleet


class Clock:
    """Time that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Nowhere:
    """An engine that nobody asks here."""

    def key(self, *parts: str) -> str:
        return ":".join(parts)


def fleet_of(clock: Clock) -> RelayFleet:
    return RelayFleet(cast("Engine", Nowhere()), "me", clock)


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 20))))
def test_there_are_as_many_as_the_most_that_were_seen_lately(sights: list[tuple[int, float]]) -> None:
    """An engine that was just started knows of few; the last word counts however old it is."""
    clock = Clock()
    fleet, seen = fleet_of(clock), [(clock.now, 1)]
    for number, later in sights:
        clock.now += later
        seen.append((clock.now, max(1, number)))
        lately = [each for at, each in seen if at >= clock.now - SEEN_SECONDS]
        assert fleet.saw(number) == max(lately)
    clock.now += 2 * SEEN_SECONDS
    assert fleet.relays == seen[-1][1]


def test_lanes_that_see_different_numbers_cost_no_more_the_longer_they_do() -> None:
    """Fifty lanes tell ten times a second: kept would be 15,000 sights, and the most of them looked for each time."""
    clock = Clock()
    fleet = fleet_of(clock)
    for turn in range(1000):
        clock.now += 0.01
        assert fleet.saw(1 + turn % 3) == min(3, 1 + turn)

    assert len(fleet._seen) <= 3
