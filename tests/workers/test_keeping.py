"""What workers have kept by their supervisor, whose spool may be at a Redis with a clock of its own."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from relay.workers.asking import Asking
from relay.workers.desk import Desk, Rooms
from relay.workers.far import FarSpool
from relay.workers.sums import Sums
from relay.workers.wire import Message, Wire
from tests.spool.building import NOON, RAW, entry
from tests.spool.memory import MemorySpool

A_DAY = 86_400.0


def _nothing() -> None:
    """Nobody minds its end."""


@pytest.mark.parametrize("ahead", [-A_DAY, 0.0, A_DAY])
async def test_stamps_are_in_the_time_of_the_spool(ahead: float) -> None:
    """The clock of the machine may be a day wrong; relays at other machines have to agree on what is due."""
    spool = MemorySpool()
    keeping: Any = SimpleNamespace(spool=spool, now=lambda: NOON + 1, successor=SimpleNamespace(look=_nothing))
    others: Any = dict.fromkeys(("identities", "pace", "gates", "key", "roles", "looked"))
    rooms = Rooms(**others, keeping=lambda: keeping, observe=lambda event: pytest.fail(str(event)))
    here, there = socket.socketpair()
    desk = Desk(rooms, lambda number, value: ours.say("answer", number, value))

    def hear(batch: list[Message]) -> None:
        for message in batch:
            desk.hear(message)

    def hear_answers(batch: list[Message]) -> None:
        for _, number, value in batch:
            asking.answered(number, value)

    ours, theirs = Wire(here, hear, _nothing), Wire(there, hear_answers, _nothing)
    asking = Asking(theirs, theirs, Sums(theirs.mention))
    ours.open()
    theirs.open()
    far = FarSpool(asking)
    far.now = lambda: NOON + 1 + ahead
    async with asyncio.timeout(10):
        assert await far.commit(entry("a1", accepted_at=NOON + ahead, due_at=NOON + 60 + ahead), RAW) is None
    (kept,) = spool._entries.values()
    assert (kept.accepted_at, kept.due_at) == (NOON, NOON + 60)
    asking.end()
    theirs.close()
    ours.close()
