"""Many cases at once: in this process while they are few, on every CPU when they are not."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from relay.owner.cases import Case
from relay.owner.expectations import Bench, Result, check

#: Fewer cases are judged sooner than a second interpreter starts.
WORTH_A_POOL: Final = 5_000
_CHUNK: Final = 500


def check_all(cases: Sequence[Case], asked: Bench, *, workers: int | None = None) -> Iterator[Result]:
    """Judge every case, in order. *workers*: processes to use at most; None = one for each CPU there is for us."""
    workers = workers or len(os.sched_getaffinity(0))
    if workers < 2 or len(cases) < WORTH_A_POOL:
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
