"""When a message is tried again, and who goes next: values in, values out."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.courier.choice import choose, in_turn
from relay.courier.schedule import (
    Schedule,
    after,
    brought_near,
    failed,
    is_far,
    is_too_old,
    next_pause,
    pause_of,
    put_off,
    put_off_by,
)
from relay.courier.slots import Bounds, Slots, UnderWay
from relay.sending.gates import Gates
from relay.sending.troubles import lane_of, lane_to
from relay.spool.details import AGAIN, ALONE, SINCE
from relay.spool.entries import Entry, State
from tests.courier.scene import DOWN, SILENT, entry
from tests.spool.building import NOON

SCHEDULE = Schedule()
chances = st.floats(0, 1, exclude_max=True)


async def test_a_narrow_window_is_that_of_one_account() -> None:
    """Calls to others, and those that were handed over, take no room in it."""
    ours, other = (lane_to(account, "us-east-1", "example.com", "") for account in ("own", "999999999999"))
    step = asyncio.get_running_loop().create_future()
    slots = Slots()
    for number, lane in enumerate([ours, ours, other]):
        slots.add(UnderWay(entry(f"n{number}"), lane, step, is_ours=True))
    slots.add(UnderWay(entry("handed"), ours, step, is_ours=False))

    assert (slots.fit(ours, 2), slots.fit(ours, 3)) == (False, True)
    assert (slots.fit(other, 1), slots.fit(other, 2)) == (False, True)
    slots.remove("n0")
    assert slots.fit(ours, 2)


@given(st.floats(0, 1e6), chances)
def test_a_pause_is_between_the_first_and_the_longest(before: float, chance: float) -> None:
    """
    And at most three times the one before it.
    """
    pause = next_pause(SCHEDULE, before, chance)

    assert SCHEDULE.first <= pause <= SCHEDULE.longest
    assert pause <= max(3 * before, SCHEDULE.first)


@given(st.lists(chances, min_size=40, max_size=40))
def test_pauses_grow_to_the_longest_and_are_spread(drawn: list[float]) -> None:
    """
    Each is drawn from the one before it, which the entry remembers.
    """
    waits, pauses = entry(), []
    for chance in drawn:
        waits = put_off(waits, SCHEDULE, NOON, chance)
        pauses.append(waits.due_at - NOON)
        assert pause_of(waits, SCHEDULE) == pytest.approx(pauses[-1], abs=0.01)

    assert all(SCHEDULE.first <= pause <= SCHEDULE.longest for pause in pauses)
    always_late = [put_off_far(number) for number in (1, 3, 10)]
    assert always_late == [pytest.approx(3, rel=0.01), pytest.approx(27, rel=0.01), SCHEDULE.longest]


def put_off_far(number: int) -> float:
    waits = entry()
    for _ in range(number):
        waits = put_off(waits, SCHEDULE, NOON, 0.9999)
    return waits.due_at - NOON


@given(chances)
def test_what_ses_may_have_waits_longer(chance: float) -> None:
    """
    And is counted on the entry; what surely failed is not.
    """
    unsure, sure = after(SILENT, entry(), SCHEDULE, NOON, chance), after(DOWN, entry(), SCHEDULE, NOON, chance)

    assert (unsure.maybe, sure.maybe) == (1, 0)
    assert SCHEDULE.unsure <= unsure.due_at - NOON <= 1.5 * SCHEDULE.unsure
    assert sure.due_at - NOON <= 3 * SCHEDULE.first
    assert unsure.last == "NoAnswer: TimeoutError"


def test_waiting_for_others_is_no_failure() -> None:
    """
    The pause of the entry's own stays as it was, and nothing is put off beyond the longest.
    """
    waits = put_off(entry(), SCHEDULE, NOON, 0.5)

    assert pause_of(put_off_by(waits, SCHEDULE, NOON, 5), SCHEDULE) == pause_of(waits, SCHEDULE)
    assert put_off_by(waits, SCHEDULE, NOON, 1e9).due_at == NOON + SCHEDULE.longest
    assert put_off_by(waits, SCHEDULE, NOON, -5).due_at == NOON


@pytest.mark.parametrize("jump", [86400, 365 * 86400])
def test_stamps_of_a_wrong_clock_are_put_right(jump: float) -> None:
    """
    Due in a year, accepted in a year: it is brought near, and grows old from now on.
    """
    stamped = entry(accepted_at=NOON + jump, due_at=NOON + jump)
    near = brought_near(stamped, SCHEDULE, NOON, 0.5)

    assert is_far(stamped, SCHEDULE, NOON)
    assert not is_far(near, SCHEDULE, NOON)
    assert near.details[SINCE] == f"{NOON:.0f}"
    assert not is_too_old(near, SCHEDULE, NOON + SCHEDULE.max_age)
    assert is_too_old(near, SCHEDULE, NOON + SCHEDULE.max_age + 1)
    assert SINCE not in brought_near(entry(due_at=NOON + jump), SCHEDULE, NOON, 0.5).details


def test_who_was_given_another_chance_is_young_again() -> None:
    """
    Also where a wrong clock had stamped it; a chance given before it was accepted counts nothing.
    """
    again = entry(accepted_at=NOON - 1e7, details={AGAIN: f"{NOON:.0f}"})
    stamped = entry(accepted_at=NOON + 1e7, details={SINCE: f"{NOON - 1e7:.0f}", AGAIN: f"{NOON:.0f}"})
    for one in (again, stamped):
        assert not is_too_old(one, SCHEDULE, NOON + SCHEDULE.max_age)
        assert is_too_old(one, SCHEDULE, NOON + SCHEDULE.max_age + 1)
    assert not is_too_old(entry(details={AGAIN: "0"}), SCHEDULE, NOON + SCHEDULE.max_age)


def test_nothing_that_is_put_off_is_far() -> None:
    """
    The clamp never touches what the schedule itself did.
    """
    for chance in (0.0, 0.5, 0.999):
        waits = entry()
        for _ in range(30):
            waits = after(SILENT, waits, SCHEDULE, NOON, chance)
            assert not is_far(waits, SCHEDULE, NOON)
    assert not is_far(failed(entry(), SCHEDULE, NOON), SCHEDULE, NOON), "of a failed one it is the end of its retention"


def test_details_that_cannot_be_read_are_no_trouble() -> None:
    """
    An entry that another version wrote is put off as if for the first time.
    """
    assert pause_of(entry(details={"pause": "soon"}), SCHEDULE) == SCHEDULE.first
    assert pause_of(entry(details={"pause": "-3"}), SCHEDULE) == SCHEDULE.first
    assert pause_of(entry(details={"pause": "1e99"}), SCHEDULE) == SCHEDULE.longest


def test_the_delegate_with_the_least_under_way_is_next() -> None:
    """
    Then the one that is due first.
    """
    waiting = [
        entry("b1", due_at=NOON),
        entry("b2", due_at=NOON + 1),
        entry("n1", delegate="news", due_at=NOON + 9),
    ]

    assert [each.id for each in in_turn(waiting, {"billing": 1})] == ["n1", "b1", "b2"]
    assert [each.id for each in in_turn(waiting, {"billing": 1, "news": 1})] == ["b1", "b2", "n1"]
    assert [each.id for each in in_turn(waiting, {"news": 5})] == ["b1", "b2", "n1"]


async def test_a_suspect_goes_alone_or_not_at_all() -> None:
    """
    Its time come, it waits until all others have ended, and none begins; its time not come, the others go.
    """
    gates = Gates(most=8, now=lambda: 0.0, chance=lambda: 0.5)
    suspect, other = entry("s", details={ALONE: "yes"}), entry("m")
    task = asyncio.create_task(asyncio.sleep(0))
    running = UnderWay(entry("r"), lane_of(entry().details), task, is_ours=True)

    def chosen(ours: list[UnderWay], *, one_alone: bool) -> Entry | None:
        slots = Slots()
        for each in ours:
            slots.add(each)
        return choose([suspect, other], slots, gates, Bounds(), one_alone=one_alone)

    assert chosen([running], one_alone=True) is None
    assert chosen([], one_alone=True) is suspect
    assert chosen([replace(running, entry=suspect)], one_alone=False) is None
    assert chosen([running], one_alone=False) is other
    assert suspect.state is State.DUE
    await task
