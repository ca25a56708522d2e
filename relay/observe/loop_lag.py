"""A probe of the event loop: the one figure that says whether something in it stands in everybody's way."""

import asyncio
from typing import Final

from relay.observe.events import LoopLagged, Observer

INTERVAL: Final = 0.25


async def watch_loop_lag(observe: Observer, *, interval: float = INTERVAL) -> None:
    """
    Sleep for *interval* seconds again and again, and tell *observe* how much longer it took. Runs until cancelled.

    uvloop counts time in whole milliseconds: a lag of 1 ms may be none.
    """
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + interval
        await asyncio.sleep(interval)
        observe(LoopLagged(max(0.0, loop.time() - due)))
