"""Measuring CPU time on a machine that does other things too."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

Call = Callable[[], Any]


def per_call(call: Call, *, rounds: int = 7, least: float = 0.05) -> float:
    """CPU seconds of one *call*: the median of *rounds* batches, each long enough to be measured."""
    times = 1
    while (spent := _batch(call, times)) < least:
        times = max(times * 2, int(times * least / max(spent, 1e-9)) + 1)
    return statistics.median(_batch(call, times) / times for _ in range(rounds))


def _batch(call: Call, times: int) -> float:
    gc.collect()
    start = time.process_time()
    for _ in range(times):
        call()
    return time.process_time() - start


def percentiles(calls: Sequence[Call], *, rounds: int = 200) -> tuple[float, float]:
    """p50 and p99 of single calls, in CPU seconds, without what the clock itself costs."""
    clock = time.process_time_ns
    empty = statistics.median(-(clock() - clock()) for _ in range(1000))
    spent = []
    for call in [*calls] * rounds:
        start = clock()
        call()
        spent.append(clock() - start - empty)
    spent.sort()
    return spent[len(spent) // 2] / 1e9, spent[len(spent) * 99 // 100] / 1e9


def micro(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us"


def rate(seconds: float) -> str:
    return f"{1 / seconds:,.0f} /s"
