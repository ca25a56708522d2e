"""Connections at workers as other relays hear of them, and theirs as workers do."""

import asyncio
from typing import Any

from relay.smtp.budgets import Crowd, Prefix
from relay.workers.crowd import GATHERING, StaffCrowd, Telling

A: Prefix = (4, 1)
B: Prefix = (6, 2)


def staffed() -> tuple[StaffCrowd, list[tuple[Any, ...]], list[Prefix]]:
    """A count, what it said to workers, and of whom it told others."""
    said: list[tuple[Any, ...]] = []
    told: list[Prefix] = []
    crowd = StaffCrowd(lambda *message: said.append(message))
    crowd.tell = told.append
    return crowd, said, told


def test_all_workers_together_are_counted() -> None:
    crowd, _, told = staffed()
    crowd.heard(0, {A: 3, B: 1})
    crowd.heard(1, {A: 2})
    crowd.heard(0, {A: 1})

    assert (crowd.here(A), crowd.here(B), crowd.total) == (3, 1, 4)
    assert set(told) == {A, B}


def test_a_worker_that_is_gone_has_no_connections() -> None:
    crowd, _, _ = staffed()
    crowd.heard(0, {A: 3})
    crowd.heard(1, {A: 2})
    crowd.gone(0)
    crowd.gone(0)

    assert (crowd.here(A), crowd.total) == (2, 2)
    assert crowd.prefixes == {A: 2}


def test_a_new_worker_hears_what_is_elsewhere() -> None:
    """The same as those who heard of each change."""
    crowd, said, _ = staffed()
    crowd.elsewhere("one", {A: 3, B: 1})
    crowd.elsewhere("one", {B: 0})
    crowd.elsewhere("two", {A: 4})
    crowd.elsewhere("three", {B: 9})
    crowd.without("three")
    late: list[tuple[Any, ...]] = []
    crowd.tell_all(lambda *message: late.append(message))
    workers = Crowd(), Crowd()
    for worker, messages in zip(workers, (said, late), strict=True):
        for what, *values in messages:
            getattr(worker, what)(*values)

    assert [(worker.of(A), worker.of(B)) for worker in workers] == [(7, 0), (7, 0)]


async def test_what_changes_often_is_told_once() -> None:
    crowd, mentioned = Crowd(), list[tuple[Any, ...]]()
    Telling(crowd, mentioned.append)
    for _ in range(50):
        crowd.enter(A)
        crowd.enter(B)
        crowd.leave(B)
    await asyncio.sleep(GATHERING + 0.1)

    assert mentioned == [("crowd", {A: 50, B: 0})]
