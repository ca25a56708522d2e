"""Resolvers in turn, and for how long."""

import asyncio

import pytest

from relay.dns.answers import Absent, Answer, Fault, Found, Referral, Trouble
from relay.dns.resolver import Resolver
from relay.dns.servers import Server

ONE, TWO, THREE = (Server(f"192.0.2.{number}") for number in (1, 2, 3))
FOUND = Found(("192.0.2.80",), 60)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer | float]:
    """What each server answers, or after how many seconds nothing; told by its address."""
    answers: dict[str, Answer | float] = {}

    async def ask(server: Server, name: str, kind: str, *, recursive: bool, seconds: float) -> Answer:
        assert recursive
        order.append(server.address)
        answer = answers[server.address]
        if isinstance(answer, float):
            clock.now += min(answer, seconds)
            return Trouble(Fault.SILENT, f"no answer within {seconds:g} s")
        return answer

    order.clear()
    clock.now = 0.0
    monkeypatch.setattr("relay.dns.resolver.ask", ask)
    return answers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


clock = Clock()
order: list[str] = []


def resolver(*servers: Server) -> Resolver:
    return Resolver(lambda: servers, one_try=2.0, all_tries=3.0, monotonic=clock)


async def test_the_one_that_answered_last_is_asked_first(asked):
    asked.update({ONE.address: 9.0, TWO.address: FOUND})
    both = resolver(ONE, TWO)

    assert [await both.ask("example.com", "A") for _ in range(3)] == [FOUND] * 3
    assert order == [ONE.address, TWO.address, TWO.address, TWO.address]


async def test_all_together_have_a_bound(asked):
    """Three that are silent: two seconds, one second, none."""
    asked.update({each.address: 9.0 for each in (ONE, TWO, THREE)})

    assert await resolver(ONE, TWO, THREE).ask("example.com", "A") == Trouble(
        Fault.SILENT, f"{TWO}: no answer within 1 s"
    )
    assert (order, clock.now) == ([ONE.address, TWO.address], 3.0)


@pytest.mark.parametrize(
    "trouble", [Trouble(Fault.SERVFAIL, "SERVFAIL"), Trouble(Fault.REFUSED, "REFUSED"), Referral("com", ("a.example",))]
)
async def test_another_is_asked_where_one_does_not_know(asked, trouble):
    asked.update({ONE.address: trouble, TWO.address: Absent(name_exists=False)})

    assert await resolver(ONE, TWO).ask("example.com", "A") == Absent(name_exists=False)


async def test_no_such_name_is_an_answer(asked):
    asked.update({ONE.address: Absent(name_exists=False), TWO.address: FOUND})

    assert await resolver(ONE, TWO).ask("example.com", "A") == Absent(name_exists=False)
    assert order == [ONE.address]


async def test_what_the_system_says_may_change(asked):
    asked.update({ONE.address: FOUND, TWO.address: Found(("192.0.2.81",), 60)})
    servers = [ONE]
    changing = Resolver(lambda: servers)
    await changing.ask("example.com", "A")
    servers[:] = [TWO]

    assert await changing.ask("example.com", "A") == asked[TWO.address]


async def test_without_servers_there_is_trouble_and_no_wait():
    async with asyncio.timeout(1):
        answer = await Resolver(tuple).ask("example.com", "A")

    assert answer == Trouble(Fault.UNREACHABLE, "no server is configured")
