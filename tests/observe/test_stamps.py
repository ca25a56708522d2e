"""Moments and spans, as log lines and records tell them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.observe.stamps import rounded


@given(st.floats(0, 1e8))
@pytest.mark.parametrize(("parts", "places"), [(1e3, 3), (1e6, 6)])
def test_a_span_is_rounded_to_the_nearest(parts: float, places: int, seconds: float) -> None:
    """It is written with so many decimals, and no more than half of the last one is lost."""
    near = rounded(seconds, parts)
    assert near == round(near, places)
    assert abs(near - seconds) <= 0.5 / parts + math.ulp(seconds)


@pytest.mark.parametrize("broken", [math.inf, math.nan])
def test_a_broken_clock_stays_a_broken_clock(broken: float) -> None:
    """No exception comes of it: whoever writes it down sees what it is."""
    assert not math.isfinite(rounded(broken, 1e3))
