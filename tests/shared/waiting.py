"""Waiting for what becomes true some time."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

PATIENCE_SECONDS = 20.0


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Come back when *holds*, which may be asynchronous, says so; fails after 20 s."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = holds()
            if await answer if isawaitable(answer) else answer:
                return
            await asyncio.sleep(0.01)
