"""Many cases at once: in this process while they are few, on every CPU when they are not."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from relay.owner.cases import Case
from relay.owner.expectations import Bench, Result, check

#: Fewer cases are judged sooner than other interpreters start: 100 us each, against half a second or more.
WORTH_A_POOL: Final = 20_000
_CHUNK: Final = 500


def check_all(
    cases: Sequence[Case], asked: Bench, *, workers: int | None = None, worth: int = WORTH_A_POOL
) -> Iterator[Result]:
    """
    Judge every case, in order.

    *workers*: processes to use at most; None = one for each CPU. *worth*: so many cases are worth more than one.
    """
    workers = workers or os.cpu_count() or 1
    if workers < 2 or len(cases) < worth:
        for case in cases:
            yield check(case, asked)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (asked,)) as pool:
        yield from pool.map(_check, cases, chunksize=_CHUNK)


_asked: list[Bench] = []


def _begin(asked: Bench) -> None:
    _asked[:] = [asked]


def _check(case: Case) -> Result:
    return check(case, _asked[0])
