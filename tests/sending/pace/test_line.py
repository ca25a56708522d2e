"""Who goes next."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sending.pace.line import Line


def names(line: Line[str], count: int) -> list[str]:
    return [line.next()[0] for _ in range(count)]


def test_nobody_waits_in_an_empty_line():
    line: Line[str] = Line()

    assert not line
    with pytest.raises(ValueError, match="empty"):
        line.next()


def test_a_flood_of_one_delegate_does_not_keep_another_waiting():
    line: Line[str] = Line()
    for number in range(1000):
        line.join("flood", f"flood {number}", 1)
    assert names(line, 5) == [f"flood {number}" for number in range(5)]

    line.join("calm", "calm", 1)

    assert "calm" in names(line, 2)


def test_who_sends_to_many_goes_less_often():
    line: Line[str] = Line()
    for _ in range(200):
        line.join("many", "many", 10)
        line.join("one", "one", 1)

    turns = Counter(names(line, 110))

    assert turns["many"] == pytest.approx(10, abs=1)
    assert turns["one"] == pytest.approx(100, abs=1)


def test_absence_saves_up_nothing():
    line: Line[str] = Line()
    line.join("early", "early", 1)
    line.join("late", "late", 1)
    names(line, 2)
    for _ in range(500):
        line.join("early", "early", 1)
    names(line, 400)
    for _ in range(100):
        line.join("late", "late", 1)

    assert Counter(names(line, 100)) == {"early": 50, "late": 50}


def test_who_left_gets_no_turn():
    line: Line[str] = Line()
    for name in ("first", "second", "third"):
        line.join("billing", name, 1)
    line.leave("billing", "second")
    line.leave("billing", "never came")
    line.leave("nobody", "never came")

    assert names(line, 2) == ["first", "third"]
    assert not line


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 50)), min_size=1, max_size=200))
def test_everybody_gets_exactly_one_turn_and_each_delegate_in_its_order(waiting):
    line: Line[int] = Line()
    for number, (delegate, recipients) in enumerate(waiting):
        line.join(delegate, number, recipients)

    turns = []
    while line:
        number, recipients = line.next()
        assert recipients == waiting[number][1]
        turns.append(number)

    assert sorted(turns) == list(range(len(waiting)))
    for delegate in "abcdef":
        own = [number for number in turns if waiting[number][0] == delegate]
        assert own == sorted(own)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), min_size=30, max_size=200))
def test_as_long_as_two_wait_their_recipients_differ_by_two_messages_at_most(waiting):
    line: Line[str] = Line()
    left = Counter(delegate for delegate, _ in waiting)
    for delegate, recipients in waiting:
        line.join(delegate, delegate, recipients)

    sent: Counter[str] = Counter(dict.fromkeys(left, 0))
    while all(left.values()):
        delegate, recipients = line.next()
        left[delegate] -= 1
        sent[delegate] += recipients
        assert max(sent.values()) - min(sent.values()) <= 100


def test_what_is_remembered_of_delegates_that_left_is_bounded():
    line: Line[str] = Line()
    line.join("flood", "flood", 50)
    for number in range(10_000):
        line.join("flood", "flood", 50)
        line.join(f"delegate {number}", "one", 1)
        names(line, 2)

    assert len(line._clocks) < 200
