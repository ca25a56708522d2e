"""Limits hold for all workers together, exactly, whoever comes at once; who dies leaves nothing behind."""

import asyncio
import os
import time
from ipaddress import ip_address

from relay.smtp.budgets import Prefix, prefix_of
from relay.smtp.gossip import Gossip
from relay.workers.tables import TELLING, Memory, SharedCrowd, SharedGuesses

KEY = b"k" * 32
A, B = (prefix_of(ip_address(text)) for text in ("192.0.2.1", "2001:db8::1"))


def crowds(number: int = 2) -> tuple[Memory, list[SharedCrowd]]:
    memory = Memory(number, KEY)
    return memory, [SharedCrowd(memory, each) for each in range(number)]


def lets_in(crowd: SharedCrowd, prefix: Prefix = A, *, most: int = 1000, of_one: int | None = 80) -> bool:
    return crowd.admit(prefix, most=most, of_one=of_one) is None


def test_one_address_has_its_share_at_all_workers_together() -> None:
    memory, (one, two) = crowds()

    assert [lets_in(each, of_one=3) for each in (one, two, one, two, one)] == [True, True, True, False, False]
    assert lets_in(two, B, of_one=3)
    one.leave(A)
    assert lets_in(two, of_one=3)
    assert not lets_in(one, of_one=3)
    memory.close()


def test_all_have_theirs() -> None:
    memory, (one, two) = crowds()

    assert [lets_in(each, prefix, most=3) for each, prefix in ((one, A), (two, B), (one, B), (two, A))] == [
        True,
        True,
        True,
        False,
    ]
    memory.close()


def test_the_connections_of_a_worker_that_died_are_gone() -> None:
    memory, (one, two) = crowds()
    for _ in range(3):
        lets_in(one)
    memory.empty(0)

    assert [lets_in(two, of_one=2) for _ in range(3)] == [True, True, False]
    memory.close()


def test_processes_that_come_at_once_get_no_more_than_there_is() -> None:
    """Four processes grab as fast as they can; together they get exactly what may be had."""
    memory = Memory(4, KEY)
    begins = time.monotonic() + 0.05
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            crowd = SharedCrowd(memory, number)
            while time.monotonic() < begins:
                pass
            os._exit(sum(lets_in(crowd, of_one=100) for _ in range(100)))
        children.append(pid)
    got = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]

    assert sum(got) == 100
    memory.close()


def test_thousands_of_addresses_do_not_meet() -> None:
    """A count is never too small, and none of these is too large."""
    memory, (one, two) = crowds()
    prefixes = [prefix_of(ip_address(0x0A000000 + number)) for number in range(2000)]
    for number, prefix in enumerate(prefixes):
        (one if number % 2 else two).enter(prefix)

    counts = [one.of(prefix) for prefix in prefixes]

    assert min(counts) == 1
    assert sum(count > 2 for count in counts) == 0
    memory.close()


def test_what_other_relays_have_is_added() -> None:
    memory, (one, two) = crowds()
    one.elsewhere("relay", {A: 2})
    two.enter(A)

    assert one.of(A) == 3
    memory.close()


BUDGET: dict[str, int | None] = {"per_minute": 3, "per_day": None}


async def test_attempts_at_other_workers_count_as_long_as_they_are_open() -> None:
    memory = Memory(2, KEY)
    one, two = (SharedGuesses(memory, number, time.monotonic, Gossip(KEY)) for number in range(2))

    with one.attempt(A), one.attempt(A), two.attempt(A):
        assert one.must_wait(A, **BUDGET)
        assert two.must_wait(A, **BUDGET)
        assert not two.exhausted(A, **BUDGET)
    assert not two.must_wait(A, **BUDGET)
    memory.close()


async def test_a_wrong_password_is_an_attempt_until_the_others_have_heard_of_it() -> None:
    """There is no moment in which it counts for nothing at another worker."""
    memory = Memory(2, KEY)
    one, two = (SharedGuesses(memory, number, time.monotonic, Gossip(KEY)) for number in range(2))
    for _ in range(3):
        one.failed(A, "billing")

    assert two.must_wait(A, **BUDGET)
    await asyncio.sleep(TELLING + 0.1)
    assert not two.must_wait(A, **BUDGET)
    assert one.exhausted(A, **BUDGET)
    memory.close()
