"""A worker at its end of the wire: what it is told counts in the order in which it was told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from relay.judgement.catalog import Catalog, OwnedIdentities
from relay.observe.log import Log, LogOptions
from relay.settings.reading import read_settings
from relay.staffing import orders_of
from relay.workers.catalogs import differences
from relay.workers.orders import Beginning, Orders
from relay.workers.tables import Memory
from relay.workers.wire import Message, Wire, pickled
from relay.workers.worker import Worker, _Tells
from tests.system.houses import House

pytestmark = pytest.mark.timeout(60)
KEY = b"k" * 32


@pytest.fixture
def orders(house: House) -> Orders:
    settings = read_settings(house.settings, {}).settings
    assert settings is not None
    return orders_of(settings, None, keeps=False)


class Answers:
    """A supervisor's end of a wire, and what was heard there."""

    def __init__(self, end: socket.socket) -> None:
        self.heard: list[Message] = []
        self._more = asyncio.Event()
        self.wire = Wire(end, self._hear, lambda: None)
        self.wire.open()

    def _hear(self, batch: list[Message]) -> None:
        self.heard += batch
        self._more.set()

    async def until(self, number: int) -> list[Message]:
        async with asyncio.timeout(20):
            while len(self.heard) < number:
                self._more.clear()
                await self._more.wait()
        return self.heard


@asynccontextmanager
async def beginning() -> AsyncIterator[tuple[Beginning, Answers, Worker]]:
    """What a worker is told first, who tells it, and the worker, at work."""
    (ours, theirs), (heard, books) = socket.socketpair(), socket.socketpair()
    memory, supervisor, worker = Memory(1, KEY), Answers(ours), Worker(theirs, books)
    work = asyncio.create_task(worker.run())
    try:
        yield Beginning(0, 1, memory.descriptor, KEY), supervisor, worker
    finally:
        supervisor.wire.close()
        await work
        memory.close()
        heard.close()


async def test_orders_that_come_while_its_door_opens_count(orders: Orders) -> None:
    """Of a worker that was started again when the settings were read again: who may send no more is nobody there."""
    without = replace(orders, entries=orders.entries[1:])
    async with beginning() as (first, supervisor, worker):
        supervisor.wire.say("open", pickled(first), pickled(orders))
        supervisor.wire.say("renew", pickled(without))

        assert await supervisor.until(2) == [("serving",), ("renewed", "")]

        house = worker._house
        assert house is not None
        assert house._registry.names == tuple(entry.name for entry in without.entries)


async def test_policies_that_come_with_orders_count_with_them(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between them an owner who becomes sealed would have neither policies nor a seal, and mail would be refused."""
    owner = ("888888888888", "us-east-1")
    before, sealed = (
        Catalog({owner: OwnedIdentities()}),
        replace(orders, rules=replace(orders.rules, sealed=frozenset({owner}))),
    )
    async with beginning() as (first, supervisor, worker):
        for piece in differences(Catalog(), before):
            supervisor.wire.say("catalog", pickled(piece))
        supervisor.wire.say("open", pickled(first), pickled(orders))
        await supervisor.until(1)
        house, seen = worker._house, []
        assert house is not None
        really = house._registry.reload

        async def reload(*others: Any) -> None:
            seen.append((owner in worker._far.identities.catalog.owners, house._walk.house.rules.sealed))
            await really(*others)

        monkeypatch.setattr(house._registry, "reload", reload)
        supervisor.wire.say("hold")
        for piece in differences(before, Catalog()):
            supervisor.wire.say("catalog", pickled(piece))
        supervisor.wire.say("renew", pickled(sealed))

        assert await supervisor.until(2) == [("serving",), ("renewed", "")]
        seen.append((owner in worker._far.identities.catalog.owners, house._walk.house.rules.sealed))
        assert seen == [(True, frozenset()), (False, {owner})]


async def test_policies_that_came_with_orders_count_also_where_those_cannot(orders: Orders) -> None:
    async with beginning() as (first, supervisor, worker):
        supervisor.wire.say("open", pickled(first), pickled(orders))
        supervisor.wire.say("hold")
        for piece in differences(Catalog(), Catalog({("888888888888", "us-east-1"): OwnedIdentities()})):
            supervisor.wire.say("catalog", pickled(piece))
        supervisor.wire.say("renew", pickled(replace(orders, entries=orders.entries * 2)))  # two of each name

        assert (await supervisor.until(2))[1] != ("renewed", "")
        assert worker._far.identities.catalog.owners


def test_what_a_library_stumbled_over_is_the_end_of_its_trace() -> None:
    """However long its way there was: the log takes so much of a text, from its beginning."""
    told: list[bytes] = []
    log = Log(LogOptions(), write=told.append)

    def a_step_of_its_way(left: int) -> None:
        if not left:
            raise TimeoutError("nobody came")
        another_step_of_its_way(left - 1)

    def another_step_of_its_way(left: int) -> None:
        a_step_of_its_way(left)

    with pytest.raises(TimeoutError) as caught:
        a_step_of_its_way(30)
    _Tells(log).library("error", "asyncio", "Task exception was never retrieved", caught.value)

    assert json.loads(told[0])["exception"].endswith("TimeoutError: nobody came")
