from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.words.dates import http_date

_NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 21 Nov 2026 12:00:00 GMT",
        "Sat, 21 Nov 2026 13:00:00 +0100",
        "Sat, 21 Nov 2026 12:00:00",
        "Sat, 21 Nov 2026 12:00:00 -0000",
    ],
)
def test_a_date_is_a_moment_in_utc_whatever_zone_it_names_or_none(text):
    found = http_date(text)
    assert found == _NOON
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "Sat, 32 Nov 2026 12:00:00 GMT",
        "Sat, 99999999999999999999 Nov 2026 12:00:00 GMT",
        "Sat, 21 Nov 2026 12:00:00 +99999999999999",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Fri, 31 Dec 9999 23:59:59 -2400",
    ],
)
def test_what_no_calendar_has_is_no_date(text):
    assert http_date(text) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ ([+-]\d+|[A-Z]+)", fullmatch=True))
def test_whatever_a_peer_writes_there_is_an_answer(text):
    found = http_date(text)
    assert found is None or found.tzinfo is UTC
