"""How fast: what SES tells, what it does, and what the operator wants."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sending.pace.bucket import Bucket
from relay.sending.pace.lanes import BURST
from relay.sending.pace.speed import HEADROOM, LEAST, UNTOLD, Speed


class HardSes:
    """SES with a rate of its own that it told nobody: a bucket of one second, full at first."""

    def __init__(self, rate: float) -> None:
        self.rate, self.room, self.at = rate, rate, 0.0

    def takes(self, now: float) -> bool:
        self.room, self.at = min(self.rate, self.room + (now - self.at) * self.rate), now
        if self.room < 1:
            return False
        self.room -= 1
        return True


def offered(speed: Speed, ses: HardSes, *, a_second: float, seconds: float, answer: float) -> tuple[int, int]:
    """Offer messages of one recipient; what SES does not take is offered again. Returns those taken, and throttled."""
    chance = random.Random(1)
    bucket = Bucket(max(1.0, speed.tried(0.0) * BURST), 0.0)
    answers: list[tuple[float, bool]] = []
    taken = throttled = 0
    for step in range(int(seconds * a_second)):
        now = step / a_second
        while answers and answers[0][0] <= now:
            at, was_taken = heapq.heappop(answers)
            if was_taken:
                speed.accepted(1, at)
            elif speed.throttled(at):
                bucket.room = min(bucket.room, 0.0)
        rate = speed.tried(now)
        bucket.fill(rate, max(1.0, rate * BURST), now)
        if bucket.wait(rate) > 0:
            continue
        bucket.take(1)
        was_taken = ses.takes(now + answer * chance.uniform(0.2, 0.5))
        taken, throttled = taken + was_taken, throttled + (not was_taken)
        heapq.heappush(answers, (now + answer * chance.uniform(0.5, 1.0), was_taken))
    return taken, throttled


@pytest.mark.parametrize("told", [None, 10_000.0, 50.0, 60.0])
@pytest.mark.parametrize("answer", [0.005, 0.02])
@pytest.mark.parametrize("seconds", [10, 60])
def test_a_rate_that_nobody_told_is_found(told, answer, seconds):
    """A hard 50 a second offered 500: under 5 % of the calls are throttled, and at least 90 % of the rate is used."""
    speed = Speed(told=told)

    taken, throttled = offered(speed, HardSes(50), a_second=500, seconds=seconds, answer=answer)

    assert throttled / (taken + throttled) < 0.05
    assert taken >= 0.9 * 50 * seconds


@pytest.mark.parametrize("told", [None, 10_000.0])
def test_a_crowd_before_a_new_relay_does_not_run_ses_over(told):
    """Whatever SES told: until much got through, little is tried; a rate told truly is reached within a second."""
    speed = Speed(told=told)
    taken, throttled = offered(speed, HardSes(50), a_second=20_000, seconds=3, answer=0.02)
    assert throttled < 40

    fast = Speed(told=10_000)
    taken, throttled = offered(fast, HardSes(10_000), a_second=20_000, seconds=2, answer=0.02)
    assert throttled == 0
    assert taken > 0.5 * 2 * 10_000


def test_a_rate_that_ses_told_truly_is_used_without_a_throttled_call():
    speed = Speed(told=50)

    taken, throttled = offered(speed, HardSes(50), a_second=500, seconds=30, answer=0.05)

    assert throttled == 0
    assert taken >= 0.95 * 50 * 30


def test_the_operators_bound_holds_under_whatever_ses_tells():
    assert Speed(wanted=14, told=50).now(0) == 14
    assert Speed(wanted=500, told=50).now(0) == 50 * HEADROOM
    assert Speed(wanted=14).now(0) == 14
    assert Speed().now(0) == UNTOLD


def test_nobody_knows_a_rate_at_first():
    assert not Speed().is_known
    assert Speed(told=1).is_known
    assert Speed(wanted=1).is_known


def test_throttled_it_falls_to_what_got_through():
    speed = Speed(told=10_000)
    for hundredth in range(100):
        speed.accepted(1, hundredth / 100)

    assert speed.throttled(0.995)
    assert 60 <= speed.now(0.995) <= 100


def test_throttled_calls_of_one_moment_count_once():
    speed = Speed(told=100)

    assert speed.throttled(1.0)
    low = speed.now(1.0)
    assert not speed.throttled(1.2)
    assert speed.now(1.2) >= low


def test_without_anything_that_got_through_it_falls_by_a_fifth_and_never_to_nothing():
    speed = Speed(told=100)
    assert speed.throttled(0.0)
    assert speed.now(0.0) == pytest.approx(100 * HEADROOM * 0.8)

    for second in range(1, 200):
        speed.throttled(second * 0.6)
    assert speed.now(121) >= LEAST


def test_it_comes_back_to_what_ses_told():
    speed = Speed(told=100)
    speed.throttled(0.0)

    speeds = [speed.now(float(second)) for second in range(60)]

    assert speeds == sorted(speeds)
    assert speeds[-1] == speed.limit


def test_a_call_throttled_at_an_idle_moment_is_forgotten_within_a_minute():
    """Two messages got through in the second before: that is no rate to go by for long."""
    speed = Speed(told=200.0)
    for now in (0.0, 0.5):
        speed.accepted(1, now)
    assert speed.throttled(0.9)
    assert speed.now(1.0) < 3
    assert speed.now(12.0) < 4
    assert speed.now(61.0) == speed.limit


@given(st.lists(st.tuples(st.floats(0.001, 5), st.booleans()), max_size=60), st.floats(1, 10_000))
def test_whatever_happens_the_speed_is_between_the_least_and_the_limit(happenings, told):
    speed, now = Speed(told=told), 0.0
    for later, was_taken in happenings:
        now += later
        if was_taken:
            speed.accepted(1, now)
        else:
            speed.throttled(now)
        assert LEAST <= speed.now(now) <= max(speed.limit, LEAST)
        assert speed.now(now + 1) >= speed.now(now) * (1 - 1e-9)
