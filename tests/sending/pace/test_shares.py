"""The delegates' own limits."""

from hypothesis import given
from hypothesis import strategies as st

from relay.sending.pace.day import DAY, Day
from relay.sending.pace.shares import Share, Shares
from relay.sending.ports import NotNow, Restraint
from relay.words.endings import Reason
from relay.words.replies import Reply


def test_without_a_share_there_is_no_limit():
    shares = Shares({})

    assert all(shares.take("anybody", 50, 0.0, patience=0) == 0 for _ in range(1000))
    assert shares.sent_today("anybody", 0.0) is None


def test_messages_over_the_rate_wait_one_after_the_other():
    shares = Shares({"billing": Share(rate=10)})
    at_once = [shares.take("billing", 1, 0.0, patience=5) for _ in range(10)]
    later = [shares.take("billing", 1, 0.0, patience=5) for _ in range(3)]

    assert at_once == [0.0] * 10
    assert [round(seconds, 1) for seconds in later if not isinstance(seconds, NotNow)] == [0.0, 0.1, 0.2]


def test_who_would_wait_too_long_hears_so_and_is_not_counted():
    shares = Shares({"billing": Share(rate=10)})
    assert shares.take("billing", 50, 0.0, patience=1) == 0

    refused = shares.take("billing", 1, 0.0, patience=1)

    assert isinstance(refused, NotNow)
    assert (refused.reason, refused.reply.code, refused.reply.status) == (Reason.RATE, 454, "4.7.0")
    assert refused.reply.text == "Throttling failure: delegate billing may send to 10 recipients a second"
    assert 4 < refused.seconds < 4.1
    assert shares.take("billing", 1, 4.01, patience=1) == 0


def test_the_day_counts_recipients_and_rolls():
    shares = Shares({"billing": Share(daily=100)})
    assert shares.take("billing", 60, 0.0, patience=1) == 0
    assert shares.take("billing", 40, 3600.0, patience=1) == 0

    refused = shares.take("billing", 1, 7200.0, patience=1e9)

    assert isinstance(refused, NotNow)
    assert refused.reason is Reason.QUOTA
    assert refused.seconds == DAY - 7200.0
    assert shares.sent_today("billing", 7200.0) == 100
    assert shares.take("billing", 60, DAY + 1, patience=0) == 0
    assert shares.sent_today("billing", DAY + 3660.0) == 60


def test_what_was_not_sent_does_not_count_for_the_day():
    shares = Shares({"billing": Share(daily=100)})
    shares.take("billing", 100, 0.0, patience=0)
    shares.give_back("billing", 100, 1.0)

    assert shares.take("billing", 100, 2.0, patience=0) == 0


def test_new_limits_hold_for_what_was_counted_before():
    shares = Shares({"billing": Share(daily=100)})
    shares.take("billing", 90, 0.0, patience=0)
    shares.shares = {"billing": Share(daily=50)}

    assert isinstance(shares.take("billing", 1, 1.0, patience=0), NotNow)


def test_one_delegate_is_no_other():
    shares = Shares({"billing": Share(daily=1, rate=1), "news": Share(daily=1, rate=1)})
    shares.take("billing", 1, 0.0, patience=0)

    assert shares.take("news", 1, 0.0, patience=0) == 0


@given(st.lists(st.tuples(st.floats(0, 20_000), st.integers(1, 50)), max_size=100))
def test_the_day_is_the_sum_of_the_last_24_hours_to_the_minute(sent):
    day, now, counted = Day(), 0.0, []
    for later, recipients in sent:
        now += later
        day.add(recipients, now)
        counted.append((now, recipients))
        surely = sum(number for at, number in counted if at > now - DAY + 60)
        at_most = sum(number for at, number in counted if at > now - DAY)
        assert surely <= day.count(now) <= at_most


def test_a_standing_slows_below_the_own_rate_and_says_why():
    """The slower of both counts; nobody else is touched."""
    shares = Shares({"billing": Share(rate=10), "news": Share(rate=1)})
    shares.restraint = {"billing": Restraint(rate=2, why="bounces"), "news": Restraint(rate=5)}.get

    assert shares.take("billing", 4, 0.0, patience=0) == 0
    refused = shares.take("billing", 1, 0.0, patience=0)
    assert isinstance(refused, NotNow)
    assert refused.reply.text == "Throttling failure: delegate billing may send to 2 recipients a second (bounces)"
    assert shares.take("news", 2, 0.0, patience=0) == 0
    refused = shares.take("news", 1, 0.0, patience=0)
    assert isinstance(refused, NotNow)
    assert refused.reply.text == "Throttling failure: delegate news may send to 1 recipients a second"
    assert shares.take("others", 1000, 0.0, patience=0) == 0


def test_who_is_barred_gets_no_turn_and_nothing_is_counted():
    barred = NotNow(60.0, Reply(454, (4, 7, 1), "suspended"), Reason.RATE)
    shares = Shares({"billing": Share(daily=1)})
    shares.restraint = lambda _: Restraint(barred=barred)
    assert shares.take("billing", 1, 0.0, patience=100) is barred
    shares.restraint = lambda _: None

    assert shares.take("billing", 1, 0.0, patience=0) == 0
