"""Watching never changes what is watched; and the probe of the loop sees what stands in its way."""

import asyncio
import logging
import time
from contextlib import suppress

from relay.observe.events import Event, LoopLagged, MessageReceived
from relay.observe.loop_lag import watch_loop_lag
from relay.observe.observers import fan_out

EVENT = MessageReceived("127.0.0.1:2525")


def failing(event: Event) -> None:
    raise ValueError("out of paper")


def test_each_observer_is_told():
    """
    In turn, each once.
    """
    told: list[tuple[int, Event]] = []

    fan_out(lambda event: told.append((1, event)), lambda event: told.append((2, event)))(EVENT)

    assert told == [(1, EVENT), (2, EVENT)]


def test_a_failing_observer_reaches_nobody(caplog):
    """
    Neither the caller nor the observers before and after it notice; the log does, once.
    """
    told: list[Event] = []
    observe = fan_out(told.append, failing, told.append)

    with caplog.at_level(logging.ERROR):
        for _ in range(100):
            observe(EVENT)

    assert len(told) == 200
    assert [entry.message for entry in caplog.records] == ["observer function failed at MessageReceived"]


async def test_the_probe_sees_a_loop_that_is_held_up():
    """
    Who blocks the loop for 50 ms is seen with about that.
    """
    seen: list[Event] = []
    probe = asyncio.ensure_future(watch_loop_lag(seen.append, interval=0.01))
    await asyncio.sleep(0.05)

    time.sleep(0.08)  # noqa: ASYNC251  the very thing that is looked for
    await asyncio.sleep(0.05)

    probe.cancel()
    with suppress(asyncio.CancelledError):
        await probe
    lags = [event.seconds for event in seen if isinstance(event, LoopLagged)]
    assert len(lags) >= 2
    assert min(lags) >= 0
    assert max(lags) >= 0.05
