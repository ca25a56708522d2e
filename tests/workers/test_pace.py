"""The pace of a relay as its workers have it: one for all of them, and for little where it is plenty."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from relay.sending.gates import Gates
from relay.sending.outcomes import Outcome, Sent
from relay.sending.pace.lanes import BURST, MOST_AHEAD
from relay.sending.pace.pacer import Pacer
from relay.sending.pace.quota import SendQuota
from relay.sending.ports import Turn
from relay.sending.troubles import Lane
from relay.workers.asking import Asking
from relay.workers.desk import Desk, Rooms
from relay.workers.far import FarPace
from relay.workers.sums import Sums
from relay.workers.wire import Message, Wire

A_DAY = 1_000_000
TURN = Turn(Lane("111111111111", "us-east-1", "arn:aws:ses:us-east-1:111111111111:identity/example.com"), "billing", 1)


class Noting(Pacer):
    """Notes of how many recipients it is told that SES took, each time."""

    taken: list[int]

    def told(self, turn: Turn, outcome: Outcome) -> None:
        self.taken.append(turn.recipients)
        super().told(turn, outcome)


class Supervisor:
    """The pace, and a desk for each worker: *wanted* recipients a second."""

    def __init__(self, wanted: float) -> None:
        now = asyncio.get_running_loop().time
        self.pacer = Noting(_quota, wanted=wanted, shares={}, observe=lambda _: None, clock=now)
        self.pacer.taken = []
        self.gates = Gates(most=10, now=now, chance=lambda: 0.5)
        self.asked = 0

    @property
    def used(self) -> float | None:
        """Recipients that count for the day; None before SES told what it has room for."""
        remaining = self.pacer._lane(TURN).remaining
        return None if remaining is None else A_DAY - remaining

    @contextmanager
    def worker(self) -> Iterator[FarPace]:
        """A worker's end of the wire."""

        def hear(batch: list[Message]) -> None:
            for message in batch:
                self.asked += message[0] in ("take", "ahead")
                desk.hear(message)

        def hear_answers(batch: list[Message]) -> None:
            for _, number, value in batch:
                asking.answered(number, value)

        here, there = socket.socketpair()
        ours, theirs = Wire(here, hear, _nothing), Wire(there, hear_answers, _nothing)
        asking = Asking(theirs, theirs, Sums(theirs.mention))
        desk = Desk(self._rooms(), lambda number, value: ours.say("answer", number, value))
        ours.open()
        theirs.open()
        yield FarPace(asking)
        asking.end()
        theirs.close()
        ours.close()

    def _rooms(self) -> Rooms:
        others: Any = dict.fromkeys(("identities", "key", "roles", "keeping", "looked"))
        return Rooms(**others, pace=self.pacer, gates=self.gates, observe=lambda event: pytest.fail(str(event)))


async def _quota(account: str, region: str) -> SendQuota:
    return SendQuota(A_DAY, A_DAY, 0)


def _nothing() -> None:
    """Nobody minds its end."""


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - of rooms that tell nobody
            await asyncio.sleep(0.01)


async def take(pace: FarPace, times: int, pause: float = 0.0) -> None:
    for _ in range(times):
        assert await pace.take(TURN, patience=10) is None
        pace.told(TURN, Sent("0100"))
        await asyncio.sleep(pause)


async def test_what_an_account_may_send_is_not_more_with_two_workers() -> None:
    """However they share it, they are not faster than one process may be, but for its burst."""
    rate, times, clock = 400.0, 100, asyncio.get_running_loop().time
    supervisor = Supervisor(rate)
    with supervisor.worker() as one, supervisor.worker() as other:
        began = clock()
        await asyncio.gather(take(one, times), take(other, times))
        assert clock() - began >= (2 * times - rate * BURST - 1) / rate


async def test_where_it_is_plenty_few_messages_ask() -> None:
    """Nor do those that come while an answer is on its way."""
    supervisor = Supervisor(1e6)
    with supervisor.worker() as pace:
        await asyncio.gather(*(take(pace, 250, 0.001) for _ in range(4)))

    assert 0 < supervisor.asked < 1000 / MOST_AHEAD * 4


async def test_what_is_not_needed_is_given_back() -> None:
    """Within a moment, or at once where what is scarce may have changed; what was used counts."""
    supervisor = Supervisor(1e6)
    with supervisor.worker() as pace:
        await until(lambda: supervisor.used == 0)
        await take(pace, 3)
        assert supervisor.used != 3
        await until(lambda: supervisor.used == 3)
        await take(pace, 3)
        pace.renew()
        await until(lambda: supervisor.used == 6)


async def test_what_ses_took_is_told_in_sums() -> None:
    """None is lost, and a message for many counts as many."""
    supervisor = Supervisor(1e6)
    with supervisor.worker() as pace:
        await take(pace, 10)
        for _ in range(2):
            pace.told(replace(TURN, recipients=5), Sent("0100"))
        await until(lambda: sum(supervisor.pacer.taken) == 20)

    assert len(supervisor.pacer.taken) < 12
