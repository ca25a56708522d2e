"""What runs in the background is called off: all of it ends, and nobody's failure or cancellation gets lost."""

import asyncio

import pytest

from relay.background import call_off


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
