"""Durations, sizes and rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.settings.units import DURATIONS, read_duration, read_rate, read_size, write_duration, write_size


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("30s", 30), ("15m", 900), ("4h", 14400), ("2d", 172800), ("0s", 0)]
)
def test_durations(text, seconds):
    assert seconds == read_duration(text)


@pytest.mark.parametrize("text", ["", "30", "30 s", "s", "1w", "-1s", "1.5s", "1h30m", "٣s", 30, 1.5, True, None, []])
def test_what_is_no_duration(text):
    """A number without its unit is not guessed at."""
    with pytest.raises(ValueError, match="is no duration: write 250ms, 30s, 15m, 4h or 2d"):
        read_duration(text)


@pytest.mark.parametrize(("text", "octets"), [("512B", 512), ("64KiB", 65536), ("10MiB", 10485760), (77, 77)])
def test_sizes(text, octets):
    assert octets == read_size(text)


@pytest.mark.parametrize("text", ["10MB", "10M", "10", "MiB", "-1B", True, 1.5])
def test_what_is_no_size(text):
    """A megabyte of 1,000,000 and one of 1,048,576 octets are not mistaken for each other."""
    with pytest.raises(ValueError, match="is no size"):
        read_size(text)


@pytest.mark.parametrize(("text", "rate"), [("20/s", 20), ("600/m", 10), ("3600/h", 1), ("86400/d", 1)])
def test_rates(text, rate):
    assert rate == read_rate(text)


@pytest.mark.parametrize("text", ["20", "20/", "/s", "0/s", "20/w", 20])
def test_what_is_no_rate(text):
    with pytest.raises(ValueError, match="is no rate"):
        read_rate(text)


@given(st.integers(0, 10**7), st.sampled_from(sorted(DURATIONS)))
def test_what_is_written_is_read(count, unit):
    """Writing a duration and reading it gives it back."""
    seconds = count * DURATIONS[unit]
    assert read_duration(write_duration(seconds)) == pytest.approx(seconds)


@given(st.integers(0, 10**11))
def test_a_written_size_is_read(octets):
    assert read_size(write_size(octets)) == octets
