"""Turns at SES: no more at a time than there are, in order, and none is lost."""

import asyncio
import random

import pytest

from relay.sending.turns import Turns

LONG = 60.0


async def begun(turns: Turns, seconds: float = LONG) -> "asyncio.Task[bool]":
    """Somebody who stands in line by now."""
    task = asyncio.create_task(turns.wait(seconds))
    await asyncio.sleep(0)
    return task


async def test_who_waits_longest_is_next():
    turns = Turns(1)
    assert turns.take()
    assert not turns.take()
    first, second = await begun(turns), await begun(turns)

    turns.give_back()
    assert await first
    assert not second.done()
    turns.give_back()
    assert await second
    assert not turns.take()
    turns.give_back()
    assert turns.take()


async def test_who_waited_for_nothing_is_passed_over():
    turns = Turns(1)
    assert turns.take()
    hasty, gone, patient = await begun(turns, 0.01), await begun(turns), await begun(turns)
    gone.cancel()

    assert not await hasty
    turns.give_back()
    assert await patient
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_turn_that_comes_as_its_owner_goes_is_the_next_ones():
    turns = Turns(1)
    assert turns.take()
    going, staying = await begun(turns), await begun(turns)
    turns.give_back()
    going.cancel()

    assert await staying
    with pytest.raises(asyncio.CancelledError):
        await going


async def test_without_any_everybody_waits_as_long_as_they_will():
    assert not await Turns(0).wait(0.01)


@pytest.mark.parametrize("seed", range(5))
async def test_never_more_at_a_time_and_all_are_there_in_the_end(seed):
    """Whoever comes, waits, has enough or is called off."""
    chance, turns, busy, most = random.Random(seed), Turns(3), 0, 0

    async def one() -> None:
        nonlocal busy, most
        await asyncio.sleep(chance.random() * 0.01)
        if turns.take() or await turns.wait(chance.random() * 0.01):
            busy += 1
            most = max(most, busy)
            try:
                await asyncio.sleep(chance.random() * 0.002)
            finally:
                busy -= 1
                turns.give_back()

    tasks = [asyncio.create_task(one()) for _ in range(60)]
    for task in tasks:
        await asyncio.sleep(0)
        if chance.random() < 0.2:
            asyncio.get_running_loop().call_later(chance.random() * 0.02, task.cancel)
    await asyncio.gather(*tasks, return_exceptions=True)

    assert most == 3
    assert [turns.take() for _ in range(4)] == [True, True, True, False]
