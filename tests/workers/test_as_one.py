"""
What whole relays promise, promised by relays of two workers: the same tests as of one process.

``make test TEST_WORKERS=2`` has every relay of the suite serve so.
"""

import pytest

from tests.system.test_delivery import (
    test_mode_direct_sends_what_an_earlier_mode_left,
    test_the_relay_without_a_place_for_a_spool_says_so,
)
from tests.system.test_feedback import sqs, test_complaints_warn_slow_and_suspend_until_an_operator_resumes
from tests.system.test_life import test_a_new_certificate_is_shown_to_new_sessions_only

__all__ = [
    "sqs",
    "test_a_new_certificate_is_shown_to_new_sessions_only",
    "test_complaints_warn_slow_and_suspend_until_an_operator_resumes",
    "test_mode_direct_sends_what_an_earlier_mode_left",
    "test_the_relay_without_a_place_for_a_spool_says_so",
]

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for relays that a test sets up by itself."""
    monkeypatch.setenv("TEST_WORKERS", "2")
