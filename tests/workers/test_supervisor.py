"""The supervisor, with workers that are processes of their own."""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from relay.ids import new_id
from relay.judgement.catalog import Catalog
from relay.observe.events import Event, Incident, Noted
from relay.observe.records import Recorder
from relay.sending.keys import AccessKey, FixedKey
from relay.settings.reading import read_settings
from relay.smtp.gossip import Gossip
from relay.staffing import orders_of
from relay.workers.desk import Rooms
from relay.workers.mirror import Sights
from relay.workers.orders import Orders
from relay.workers.supervisor import Staff, Workers
from tests.system.houses import House

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]


@pytest.fixture
def orders(house: House) -> Orders:
    settings = read_settings(house.settings, {}).settings
    assert settings is not None
    return orders_of(settings, None, keeps=False)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
async def workers(told: list[Event]) -> AsyncIterator[Workers]:
    """One, of a relay that knows nothing."""
    none: Any = dict.fromkeys(("identities", "pace", "gates", "roles", "keeping", "looked"))
    rooms = Rooms(**none, key=FixedKey(AccessKey("", "")), observe=told.append)
    sights = Sights(Catalog, dict, dict, dict, lambda: None, lambda: b"")
    recorder = Recorder(clock=lambda: 0.0, principal_of=lambda _: None)
    staff = Staff(1, told.append, recorder, new_id, nullcontext)
    found = Workers(staff, rooms, sights, Gossip())
    yield found
    await found.close()


async def until(holds: Callable[[], object], pause: float = 0.01) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - of rooms that tell nobody
            await asyncio.sleep(pause)


async def test_orders_that_come_at_once_are_each_answered(workers: Workers, orders: Orders, told: list[Event]) -> None:
    """A reload, and the relay's own name, which STS tells at any time: neither waits for the other's answer."""
    await workers.open(orders)

    async with asyncio.timeout(10):
        await asyncio.gather(workers.renew(orders), workers.renew(orders))

    assert not [event for event in told if isinstance(event, Noted) and event.event == "worker.not-renewed"]


async def test_who_has_not_opened_its_door_when_all_shut_theirs_never_does(
    workers: Workers, orders: Orders, told: list[Event]
) -> None:
    """A worker has died, and the relay is stopped in the next moment."""
    await workers.open(orders)
    (first,) = workers._posts.values()
    first.kill()
    await until(lambda: any(post.is_told and post is not first for post in workers._posts.values()), pause=0)

    assert await workers.drain(1.0)

    await until(lambda: not workers._posts)
    assert [event.event for event in told if isinstance(event, Noted)] == ["worker.serving", "worker.died"]


async def test_a_moment_without_descriptors_costs_no_worker(
    workers: Workers, orders: Orders, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the system has no process for us: it is told, and tried again."""
    await workers.open(orders)
    (first,) = workers._posts.values()
    pairs, failed = socket.socketpair, asyncio.Event()

    def none(*arguments: int) -> tuple[socket.socket, socket.socket]:
        failed.set()
        monkeypatch.setattr(socket, "socketpair", pairs)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", none)
    first.kill()
    await until(failed.is_set)
    await until(lambda: workers.serving)
    assert [event for event in told if isinstance(event, Incident)]


async def test_who_hangs_before_it_opens_its_door_is_killed(
    workers: Workers, orders: Orders, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later than one that served, for a start takes its time; another is started in its place."""
    await workers.open(orders)
    monkeypatch.setattr("relay.workers.supervisor.START_PATIENCE", 2.0)
    (first,) = workers._posts.values()
    first.kill()
    await until(lambda: any(post is not first for post in workers._posts.values()), pause=0)
    (second,) = workers._posts.values()
    os.kill(second.pid, signal.SIGSTOP)
    await until(lambda: workers.serving and second not in workers._posts.values())
    assert "worker.silent" in [event.event for event in told if isinstance(event, Noted)]


async def test_a_mistake_at_one_look_ends_none_of_the_later_ones(
    workers: Workers, orders: Orders, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the workers would judge by the policies, and sign with the keys, of that moment for good."""
    await workers.open(orders)
    looks = iter(range(1_000_000))

    def shut() -> dict[Any, Any]:
        if next(looks) < 2:
            raise RuntimeError("injected")
        return {}

    monkeypatch.setattr(workers._mirror, "_sights", replace(workers._mirror._sights, shut=shut))
    await until(lambda: next(looks) > 5, 0.1)

    assert {event.id for event in told if isinstance(event, Incident)} == {"mirror"}
