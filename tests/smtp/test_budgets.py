"""Who shares a budget with whom, and for how long."""

import pytest

from relay.smtp.budgets import Crowd, Guesses, Ledger, client_address, prefix_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("0.0.0.1", "::1", False),
    ],
)
def test_an_ipv4_address_is_one_client_and_an_ipv6_network_of_64_bits_too(one, other, together):
    assert (prefix_of(client_address(one)) == prefix_of(client_address(other))) is together


def test_a_minute_and_a_day_slide():
    clock = Clock()
    guesses = Guesses(clock)
    prefix = prefix_of(client_address("192.0.2.1"))

    def exhausted() -> bool:
        return guesses.exhausted(prefix, per_minute=2, per_day=3)

    answers = []
    for clock.now in (0, 30, 61):
        guesses.failed(prefix, "app1")
        answers.append(exhausted())
    assert answers == [False, True, True]  # the third fills the day
    clock.now = 86_401
    assert not exhausted()
    assert not guesses.exhausted(prefix_of(client_address("192.0.2.2")), per_minute=0, per_day=0)


def test_a_lifted_bound_never_holds():
    guesses = Guesses(Clock())
    prefix = prefix_of(client_address("192.0.2.1"))
    for _ in range(2000):
        guesses.failed(prefix, "app1")

    assert not guesses.exhausted(prefix, per_minute=None, per_day=None)


def test_a_right_password_gives_back_its_own_failures_and_no_others():
    """
    Who knows one password cannot buy guesses at another with it.
    """
    guesses = Guesses(Clock())
    prefix = prefix_of(client_address("192.0.2.1"))
    for name in ("mine", "mine", "theirs", "theirs"):
        guesses.failed(prefix, name)

    guesses.succeeded(prefix, "mine")

    assert guesses.exhausted(prefix, per_minute=2, per_day=None)
    assert not guesses.exhausted(prefix, per_minute=3, per_day=None)


def test_open_attempts_count_as_if_they_failed():
    """
    Otherwise many connections at once would have a guess each.
    """
    guesses = Guesses(Clock())
    prefix = prefix_of(client_address("192.0.2.1"))
    guesses.failed(prefix, "app1")

    def must_wait() -> tuple[bool, bool]:
        minute = guesses.must_wait(prefix, per_minute=2, per_day=None)
        return minute, guesses.must_wait(prefix, per_minute=None, per_day=2)

    assert must_wait() == (False, False)
    with guesses.attempt(prefix):
        assert must_wait() == (True, True)
        assert not guesses.exhausted(prefix, per_minute=2, per_day=2)
        assert not guesses.must_wait(prefix, per_minute=None, per_day=None)
    assert must_wait() == (False, False)
    assert not guesses._open


def test_memory_of_guessers_is_bounded(monkeypatch):
    monkeypatch.setattr("relay.smtp.budgets._REMEMBERED", 3)
    guesses = Guesses(Clock())
    prefixes = [prefix_of(client_address(f"192.0.2.{number}")) for number in range(5)]
    for prefix in prefixes:
        guesses.failed(prefix, "x")

    assert [guesses.exhausted(p, per_minute=1, per_day=None) for p in prefixes] == [False, False, True, True, True]


def test_a_crowd_forgets_who_has_left():
    crowd = Crowd()
    prefix = prefix_of(client_address("192.0.2.1"))
    crowd.enter(prefix)
    crowd.enter(prefix)
    crowd.leave(prefix)
    assert (crowd.total, crowd.of(prefix)) == (1, 1)
    crowd.leave(prefix)

    assert (crowd.total, crowd.of(prefix)) == (0, 0)
    assert not crowd._by_prefix


def test_the_oldest_message_finds_room_whatever_its_size():
    """
    So many that are half read do not wait for each other; room past the bound is that of one message.
    """
    ledger = Ledger()
    first, second = object(), object()

    assert ledger.take(first, 6, most=10)
    assert ledger.take(second, 4, most=10)
    assert not ledger.take(second, 1, most=10)
    assert ledger.take(first, 100, most=10)
    ledger.give_back(first, 106)
    assert ledger.take(second, 7, most=10)
    ledger.give_back(second, 11)
    assert ledger.used == 0


def test_what_others_hold_counts_until_they_are_gone():
    told: list[tuple[int, int]] = []
    crowd, prefix = Crowd(), prefix_of(client_address("192.0.2.1"))
    crowd.tell = told.append
    crowd.enter(prefix)
    crowd.elsewhere("b", {prefix: 3})
    crowd.elsewhere("c", {prefix: 2})
    assert (crowd.of(prefix), crowd.here(prefix), crowd.total) == (6, 1, 1)

    crowd.elsewhere("b", {prefix: 1})
    assert crowd.of(prefix) == 4
    crowd.elsewhere("b", {prefix: 0})
    crowd.without("c")
    crowd.without("nobody")
    crowd.leave(prefix)

    assert crowd.of(prefix) == 0
    assert not crowd.prefixes
    assert not crowd._sums
    assert told == [prefix, prefix]


def test_memory_of_what_others_hold_is_bounded(monkeypatch):
    monkeypatch.setattr("relay.smtp.budgets.MOST_ELSEWHERE", 3)
    crowd = Crowd()
    for number in range(5):
        crowd.elsewhere("b", {(4, number): 1})
    crowd.elsewhere("b", {(4, 0): 7})

    assert [crowd.of((4, number)) for number in range(5)] == [7, 1, 1, 0, 0]
