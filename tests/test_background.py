"""What runs in the background ends: all that is called off, and a process whose threads hang."""

import asyncio
import subprocess
import sys
import threading

import pytest

from relay.background import aside, call_off, going_on


async def forever(ended: list[str], name: str = "one") -> None:
    """Run until cancelled; the end takes a while."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.append(name)


async def failing() -> None:
    raise ValueError("failed")


async def test_all_have_ended_when_it_returns() -> None:
    ended: list[str] = []
    tasks = [asyncio.create_task(forever(ended, name)) for name in ("one", "other")]
    await asyncio.sleep(0)
    await call_off(*tasks)
    assert (ended, [task.cancelled() for task in tasks]) == (["one", "other"], [True, True])


async def test_what_ends_by_a_mistake_is_told_and_begins_again() -> None:
    told: list[str] = []
    times = iter((failing(), failing(), asyncio.sleep(0)))

    async def run() -> None:
        await next(times)

    await going_on(run, lambda error: told.append(str(error)), 0.0)
    assert told == ["failed", "failed"]


async def test_a_mistake_at_its_end_does_not_begin_again_what_is_called_off() -> None:
    told: list[Exception] = []

    async def ends_badly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await failing()

    task = asyncio.create_task(going_on(ends_badly, told.append))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await call_off(task)
    assert [str(error) for error in told] == ["failed"]


async def test_what_never_began_and_what_is_over_have_nothing_to_end() -> None:
    over = asyncio.create_task(asyncio.sleep(0, "result"))
    await over
    await call_off(None, over)
    await call_off()
    assert over.result() == "result"


async def test_a_failure_is_raised_when_all_have_ended() -> None:
    ended: list[str] = []
    tasks = [asyncio.create_task(failing()), asyncio.create_task(forever(ended))]
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="failed"):
        await call_off(*tasks)
    assert ended == ["one"]


async def test_a_caller_that_is_cancelled_meanwhile_hears_so() -> None:
    """And what it calls off ends all the same, in its own time."""
    ended: list[str] = []
    may_end = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()
            ended.append("slow")

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    caller = asyncio.create_task(call_off(task))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert (ended, task.done()) == ([], False)
    may_end.set()
    await asyncio.wait([task])
    assert (ended, task.cancelled()) == (["slow"], True)


async def test_a_call_aside_brings_back_what_it_returns_or_raises() -> None:
    def fail() -> None:
        raise SystemExit("a library wants to end the process")

    assert await aside(lambda: threading.current_thread().name, "a name") == "a name"
    with pytest.raises(SystemExit, match="a library"):
        await aside(fail, "failing")


async def test_what_comes_back_to_nobody_is_nothing() -> None:
    may_end = threading.Event()
    waiting = asyncio.create_task(aside(may_end.wait, "slow"))
    await asyncio.sleep(0)
    waiting.cancel()
    may_end.set()
    assert await aside(lambda: 1, "later") == 1
    assert waiting.cancelled()


def test_a_process_ends_though_a_call_aside_hangs() -> None:
    hang = "asyncio.wait_for(aside(threading.Event().wait, 'hanging'), 0.1)"
    program = f"import asyncio, threading; from relay.background import aside; asyncio.run({hang})"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "TimeoutError" in ended.stderr
