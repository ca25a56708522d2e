"""
``python -m bench.inside FILE ARGUMENTS``: the relay, whose event loop is looked at a thousand times a second.

FILE says how long the loop was busy between two looks: in processor time, which nothing else on the machine lengthens,
and by the clock, as clients feel it.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

from relay.observe import loop_lag
from relay.observe.events import Observer

_EVERY = 0.001
_TENTHS = 1e4  # of a millisecond


class Looks:
    """How often the loop was busy for so many tenths of a millisecond."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._busy: Counter[int] = Counter()
        self._clock: Counter[int] = Counter()
        self._told = time.monotonic()
        self._since = (time.thread_time(), time.monotonic())

    def look(self) -> None:
        busy, clock = time.thread_time() - self._since[0], time.monotonic() - self._since[1] - _EVERY
        self._busy[round(busy * _TENTHS)] += 1
        self._clock[max(0, round(clock * _TENTHS))] += 1
        if time.monotonic() - self._told > 0.2:
            written = self._path.with_suffix(".new")
            written.write_text(json.dumps({"busy": summary(self._busy), "clock": summary(self._clock)}))
            written.replace(self._path)
            self._told = time.monotonic()
        self._since = (time.thread_time(), time.monotonic())


def summary(counted: Counter[int]) -> tuple[float, float]:
    """Seconds: of a hundred looks the longest but one, and the longest of all."""
    left = sum(counted.values()) * 99 // 100
    for tenths in sorted(counted):
        left -= counted[tenths]
        if left <= 0:
            return tenths / _TENTHS, max(counted) / _TENTHS
    return 0.0, 0.0


async def watch(observe: Observer, *, interval: float = _EVERY) -> None:  # noqa: ARG001 - the place it stands in
    """Stands in for the probe of the loop's lag, and tells nobody."""
    looks = Looks(Path(os.environ["BENCH_LOOKS"]))
    loop = asyncio.get_running_loop()

    def again() -> None:
        looks.look()
        loop.call_later(interval, again)

    again()
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.environ["BENCH_LOOKS"] = sys.argv.pop(1)
    loop_lag.watch_loop_lag = watch
    from relay.cli import main

    main()
