"""Watching never changes what is watched; and the probe of the loop sees what stands in its way."""

import asyncio
import logging
import time

import pytest

from relay.background import call_off
from relay.observe.events import Event, JournalDropped, LoopLagged, MessageReceived
from relay.observe.log import Level, Log, LogOptions
from relay.observe.loop_lag import watch_loop_lag
from relay.observe.metrics import Metrics
from relay.observe.observers import Ear, fan_out
from tests.observe.givens import NOON
from tests.observe.test_log import EVENTS

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

    await call_off(probe)
    lags = [event.seconds for event in seen if isinstance(event, LoopLagged)]
    assert len(lags) >= 2
    assert min(lags) >= 0
    assert max(lags) >= 0.05


def test_a_choosy_observer_is_told_of_its_kinds_only():
    """
    Asked once for each kind of events.
    """
    choosy = Choosy()
    observe = fan_out(choosy, told := Told())

    for event in (EVENT, JournalDropped(1), EVENT):
        observe(event)

    assert choosy.asked == [MessageReceived, JournalDropped]
    assert choosy.told == [EVENT, EVENT]
    assert told.events == [EVENT, JournalDropped(1), EVENT]


class Told:
    """Told of everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)


class Choosy:
    """Cares for receptions."""

    def __init__(self) -> None:
        self.asked: list[type] = []
        self.told: list[Event] = []

    def __call__(self, event: Event) -> None:
        raise AssertionError("told by its ear")

    def ear(self, kind: type) -> Ear | None:
        self.asked.append(kind)
        return self.told.append if kind is MessageReceived else None


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_log_cares_for_all_that_it_would_write(event: Event, level: Level):
    """
    Told by its ear, or told of everything: the lines are the same.
    """
    lines: tuple[list[bytes], list[bytes]] = ([], [])
    of_all, of_some = (Log(LogOptions(level=level), write=each.append, clock=NOON.timestamp) for each in lines)

    of_all(event)
    fan_out(of_some)(event)

    assert lines[0] == lines[1]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_metrics_care_for_all_that_they_would_count(event: Event):
    """
    Told by their ear, or told of everything: the pages are the same.
    """
    of_all, of_some = (Metrics(delegates=("app",), listeners=(), clock=lambda: 0.0) for _ in range(2))

    of_all(event)
    fan_out(of_some)(event)

    assert page_of(of_all) == page_of(of_some)


def page_of(metrics: Metrics) -> list[str]:
    """What it shows, but for the process it is in."""
    return [line for line in metrics.render()[0].decode().splitlines() if "process_" not in line]
