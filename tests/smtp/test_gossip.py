"""Doors that tell each other what was tried: together they allow what one would."""

import pytest

from relay.smtp.budgets import Guesses, client_address, prefix_of
from relay.smtp.gossip import Gossip, Guess, Tried
from relay.smtp.regulars import Regulars

KEY = b"k" * 32
CLIENT = prefix_of(client_address("192.0.2.1"))


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Door:
    """The books of one door, and what it tells."""

    def __init__(self, clock: Clock, key: bytes | None = KEY) -> None:
        self.gossip = Gossip(key)
        self.guesses = Guesses(clock, self.gossip)
        self.regulars = Regulars(clock, gossip=self.gossip)
        self.told: list[Guess] = []
        self.gossip.tell = self.told.append

    def heard(self, guess: Guess, ago: float = 0.0) -> None:
        self.guesses.heard(guess, ago)
        self.regulars.heard(guess, ago)

    def exhausted(self, per_minute: int | None = None, per_day: int | None = None) -> bool:
        return self.guesses.exhausted(CLIENT, per_minute=per_minute, per_day=per_day)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def doors(clock):
    """Three doors of which each hears at once what another tells."""
    made = [Door(clock) for _ in range(3)]
    for door in made:
        others = [other for other in made if other is not door]

        def tell(guess: Guess, door: Door = door, others: list[Door] = others) -> None:
            door.told.append(guess)
            for other in others:
                other.heard(guess)

        door.gossip.tell = tell
    return made


def test_guesses_at_three_doors_are_counted_once_at_each(doors):
    for door in doors:
        door.guesses.failed(CLIENT, "app1")

    assert [door.exhausted(per_day=3) for door in doors] == [True] * 3
    assert not any(door.exhausted(per_day=4) for door in doors)
    assert [len(door.told) for door in doors] == [1, 1, 1]


def test_a_right_password_at_one_door_gives_back_its_failures_at_all(doors):
    one, two, three = doors
    one.guesses.failed(CLIENT, "mine")
    two.guesses.failed(CLIENT, "theirs")
    three.guesses.succeeded(CLIENT, "mine")

    assert not any(door.exhausted(per_day=2) for door in doors)
    assert all(door.exhausted(per_day=1) for door in doors)


def test_a_success_that_gives_nothing_back_is_not_told(doors):
    one, two, _ = doors
    one.guesses.succeeded(CLIENT, "mine")
    two.guesses.failed(CLIENT, "theirs")
    one.guesses.succeeded(CLIENT, "mine")

    assert one.told == []


def test_what_was_heard_late_counts_for_the_rest_of_its_time(clock):
    door = Door(clock)
    for tried, ago in ((Tried.WRONG, 30), (Tried.WRONG, 61), (Tried.PERHAPS_WRONG, 90), (Tried.WRONG, 86_401)):
        door.heard(Guess(CLIENT, 7, tried), ago)

    assert door.exhausted(per_minute=1)
    assert not door.exhausted(per_minute=2)
    assert door.exhausted(per_day=2)
    assert not door.exhausted(per_day=3)
    clock.now += 86_400 - 61
    assert door.exhausted(per_day=1)
    assert not door.exhausted(per_day=2)


def test_what_is_from_the_future_is_from_now(clock):
    door = Door(clock)
    door.heard(Guess(CLIENT, 7, Tried.WRONG), -1e9)
    clock.now += 86_401

    assert not door.exhausted(per_day=1)


def test_of_too_many_heard_the_oldest_are_forgotten(clock, monkeypatch):
    monkeypatch.setattr("relay.smtp.budgets._FAILURES_OF_ONE", 2)
    door = Door(clock)
    for ago in (10, 100, 20, 200):
        door.heard(Guess(CLIENT, ago, Tried.WRONG), ago)

    assert [failure.mark for failure in door.guesses._failures[CLIENT]] == [20, 10]


def test_a_name_cannot_be_told_from_its_mark():
    """Doors that share a key agree; without it a mark says nothing, and with it one of millions."""
    assert Gossip(KEY).mark("app1") == Gossip(KEY).mark("app1") < 1 << 24
    assert len({Gossip(key).mark("app1") for key in (KEY, b"other" * 8, None)}) == 3
    assert Gossip(KEY).mark("\udcff") != Gossip(KEY).mark("")


def test_wrong_passwords_for_a_regular_are_counted_at_all_doors_together(doors):
    for door in doors:
        door.regulars.welcome(CLIENT, "app1", "right")
    for number, door in enumerate(doors):
        assert not door.regulars.knows(CLIENT, "app1", f"wrong {number}", most=3)

    assert [door.regulars.knows(CLIENT, "app1", "right", most=3) for door in doors] == [False] * 3
    assert [door.regulars.knows(CLIENT, "app1", "right", most=4) for door in doors] == [True] * 3


def test_the_same_wrong_password_again_is_not_told_again(doors):
    one = doors[0]
    one.regulars.welcome(CLIENT, "app1", "right")
    for _ in range(3):
        one.regulars.knows(CLIENT, "app1", "wrong", most=9)

    assert one.told == [Guess(CLIENT, one.gossip.miss("app1", "wrong"), Tried.MISSED)]


def test_the_same_wrong_password_at_every_door_is_one(clock):
    """One pod with an old password, and a balancer that takes it to every door of a fleet: the others go on."""
    door = Door(clock)
    door.regulars.welcome(CLIENT, "app1", "right")
    for _ in range(100):
        door.heard(Guess(CLIENT, Gossip(KEY).miss("app1", "old"), Tried.MISSED))
    door.regulars.knows(CLIENT, "app1", "old", most=9)

    assert door.regulars.knows(CLIENT, "app1", "right", most=2)
    assert not door.regulars.knows(CLIENT, "app1", "right", most=1)


def test_of_a_wrong_password_nobody_else_learns_which_it_was():
    """One of four thousand passwords: enough to count different ones, too little to find it."""
    one = Gossip(KEY)
    assert one.miss("app1", "old") >> 12 == one.mark("app1")
    assert 4000 < len({one.miss("app1", str(number)) for number in range(20_000)}) <= 4096
    assert one.miss("app1", "old") % 4096 != one.miss("app2", "old") % 4096
    assert one.miss("app1", "\udcff") != one.miss("app1", "")


def test_misses_elsewhere_are_forgotten_after_a_day_and_bounded_in_memory(clock, monkeypatch):
    monkeypatch.setattr("relay.smtp.regulars._REMEMBERED", 3)
    door = Door(clock)
    for name in "abcde":
        door.heard(Guess(CLIENT, door.gossip.miss(name, "wrong"), Tried.MISSED))
    assert len(door.regulars._elsewhere) == 3
    door.regulars.welcome(CLIENT, "app1", "right")
    door.heard(Guess(CLIENT, door.gossip.miss("app1", "wrong"), Tried.MISSED))
    assert not door.regulars.knows(CLIENT, "app1", "right", most=1)
    door.heard(Guess(CLIENT, door.gossip.miss("late", "wrong"), Tried.MISSED), 86_400)
    assert (CLIENT, door.gossip.mark("late")) not in door.regulars._elsewhere

    clock.now += 86_400
    door.regulars.welcome(CLIENT, "app1", "right")

    assert door.regulars.knows(CLIENT, "app1", "right", most=1)
