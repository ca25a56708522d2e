"""What runs in the background: tasks that go on until they are called off, and threads that nobody waits for."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

#: Seconds before what ended by a mistake begins again.
PAUSE: Final = 1.0
_T = TypeVar("_T")


async def going_on(run: Callable[[], Awaitable[None]], tell: Callable[[Exception], None], pause: float = PAUSE) -> None:
    """
    Await *run* to its end, if it has one. A mistake of ours in it is told, and *pause* seconds later it begins again:
    nobody would miss it before it was needed.
    """
    while True:
        try:
            return await run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next beginning may go well
            tell(error)
            if (task := asyncio.current_task()) is not None and task.cancelling():
                return None
            await asyncio.sleep(pause)


async def call_off(*tasks: asyncio.Task[Any] | None) -> None:
    """
    Cancel *tasks*, and wait until all have ended; None is no task.

    Raises:
        CancelledError: The caller was cancelled meanwhile. The tasks go on ending.
        Exception: What the first of those that failed had failed with, once all have ended.
    """
    there = [task for task in tasks if task is not None]
    for task in there:
        task.cancel()
    if there:
        await asyncio.wait(there)  # a task awaited would take the caller's cancellation for its own
    for task in there:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def aside(call: Callable[[], _T], name: str) -> _T:
    """
    Make *call* in a thread of its own, called *name*; return or raise what it does.

    The threads of :func:`asyncio.to_thread` are waited for when the process ends, and an AWS that does not answer, or a
    program that hangs, would hold it up.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def land(result: _T | None, error: BaseException | None) -> None:
        if done.done():
            return  # whoever waited was cancelled
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("_T", result))

    def work() -> None:
        result, failure = None, None
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(land, result, failure)

    threading.Thread(target=work, name=name, daemon=True).start()
    return await done
