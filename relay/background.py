"""What runs in the background, called off."""

import asyncio
from typing import Any


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
