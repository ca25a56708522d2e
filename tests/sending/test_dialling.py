"""From names to sockets: no address that is broken costs a message more than a moment, and none is asked in vain."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from relay.sending import dialling
from relay.sending.dialling import Address, Dialler, first_of, in_turns

SIX, FOUR = socket.AF_INET6, socket.AF_INET


@contextmanager
def refusing() -> Iterator[Address]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening
        yield FOUR, held.getsockname()


@contextmanager
def answering() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield FOUR, server.getsockname()


@contextmanager
def silent() -> Iterator[Address]:
    """A listener whose queue is full: what comes in is dropped."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield FOUR, full.getsockname()
        for filler in fillers:
            filler.close()


def test_families_take_turns_and_the_addresses_of_each_go_round():
    a, b, c = [(SIX, (name, 1)) for name in "abc"]
    x, y = [(FOUR, (name, 1)) for name in "xy"]

    assert in_turns([a, b, c, x, y]) == [a, x, b, y, c]
    assert in_turns([a, b, c, x, y], 1) == [b, y, c, x, a]
    assert in_turns([x, a]) == [x, a]
    assert in_turns([]) == []


async def test_a_refusal_costs_no_time(monkeypatch):
    monkeypatch.setattr(dialling, "HEAD_START", 3600.0)
    with refusing() as no, answering() as yes, await first_of([no, no, yes]) as connected:
        assert connected.getpeername() == yes[1]


async def test_silence_costs_a_head_start_and_the_loser_is_closed(monkeypatch):
    monkeypatch.setattr(dialling, "HEAD_START", 0.05)
    with silent() as no, answering() as yes, await first_of([no, yes]) as connected:
        assert connected.getpeername() == yes[1]
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_where_nobody_answers_the_first_failure_is_told():
    with refusing() as no, pytest.raises(ConnectionRefusedError):
        await first_of([no, no])
    with pytest.raises(OSError, match="without an address"):
        await first_of([])


async def test_given_up_while_it_connects_it_leaves_nothing_open():
    with silent() as no:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await first_of([no])
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example", "ses.invalid", ""])
async def test_a_name_that_is_none_is_a_failure_like_others(name):
    with pytest.raises(OSError):  # noqa: PT011 - each system has its own words
        await Dialler().dial((name, 1))


async def test_many_at_a_time_ask_for_a_name_once_and_again_after_a_failure(monkeypatch):
    asked: list[dialling.Place] = []
    with answering() as yes, refusing() as no:
        found = [no]

        async def addresses_of(place: dialling.Place) -> list[Address]:
            asked.append(place)
            await asyncio.sleep(0)
            return found

        monkeypatch.setattr(dialling, "_addresses_of", addresses_of)
        dialler, place = Dialler(), ("ses.example", 443)
        failures = await asyncio.gather(*(dialler.dial(place) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(failure, ConnectionRefusedError) for failure in failures)
        assert asked == [place]

        found = [yes]
        for connected in await asyncio.gather(*(dialler.dial(place) for _ in range(5))):
            connected.close()
        (await dialler.dial(place)).close()
        assert asked == [place, place]

        monkeypatch.setattr(dialling, "NAME_SECONDS", -1.0)
        for _ in range(2):
            (await Dialler().dial(place)).close()
        assert len(asked) == 4
