"""Calls that may hang for long, in threads that nobody waits for at the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

_Result = TypeVar("_Result")


async def aside(call: Callable[[], _Result], name: str) -> _Result:
    """
    Make *call* in a thread of its own, called *name*; return or raise what it does.

    The threads of an executor are waited for when the process ends, and an AWS that does not answer would hold it up.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()

    def land(result: _Result | None, error: Exception | None) -> None:
        if done.done():
            return  # whoever waited was cancelled
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("_Result", result))

    def work() -> None:
        result, failure = None, None
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(land, result, failure)

    threading.Thread(target=work, name=name, daemon=True).start()
    return await done
