"""Quota and rate, in recipients."""

import pytest

from relay.localses.owners import Owner
from relay.localses.quota import Allowance, Quota
from relay.localses.refusals import Refused

HERE = Owner("888888888888", "us-east-1")
NOON = 1_800_000_000.0


def sends(quota: Quota, recipients: int, now: float) -> str:
    try:
        quota.check(HERE, recipients, now)
    except Refused as refused:
        return refused.message
    quota.count(HERE, recipients, now)
    return "sent"


def test_a_day_rolls():
    """Recipients count for 24 hours, to the minute, and no longer."""
    quota = Quota(Allowance(max_24_hour_send=10, enforced=True))

    assert sends(quota, 6, NOON) == "sent"
    assert sends(quota, 4, NOON + 3_600) == "sent"
    assert sends(quota, 1, NOON + 7_200) == "Daily message quota exceeded."
    assert quota.sent_in_24_hours(HERE, NOON + 86_400) == 4
    assert sends(quota, 6, NOON + 86_400) == "sent"
    assert quota.sent_in_24_hours(HERE, NOON + 3 * 86_400) == 0


def test_a_rate_refills_with_time():
    quota = Quota(Allowance(max_send_rate=2, enforced=True))

    assert [sends(quota, 1, NOON) for _ in range(3)] == ["sent", "sent", "Maximum sending rate exceeded."]
    assert sends(quota, 1, NOON + 0.5) == "sent"
    assert sends(quota, 1, NOON + 0.5) == "Maximum sending rate exceeded."


def test_a_message_larger_than_the_rate_is_paid_off():
    """Fifty recipients at ten a second pass when the second is free, then nobody does for four seconds more."""
    quota = Quota(Allowance(max_send_rate=10, enforced=True))

    assert sends(quota, 50, NOON) == "sent"
    assert sends(quota, 1, NOON + 4.0) == "Maximum sending rate exceeded."
    assert sends(quota, 1, NOON + 4.5) == "sent"


@pytest.mark.parametrize("allowance", [Allowance(1, 1), Allowance(1_000, -1, enforced=True)])
def test_what_is_not_enforced_or_unlimited_only_counts(allowance):
    quota = Quota(allowance)

    assert [sends(quota, 5, NOON) for _ in range(3)] == ["sent"] * 3
    assert quota.sent_in_24_hours(HERE, NOON) == 15


def test_accounts_and_regions_do_not_share():
    quota = Quota(Allowance(max_24_hour_send=1, enforced=True))
    quota.count(HERE, 1, NOON)

    quota.check(Owner("888888888888", "eu-west-1"), 1, NOON)
    quota.check(Owner("111111111111", "us-east-1"), 1, NOON)
    with pytest.raises(Refused):
        quota.check(HERE, 1, NOON)
