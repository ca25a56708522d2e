"""
Several relays' pacers at one redis-server, in real time: one pace, fair, with Redis and without it.

Never more than SES bears is held closely; that it is nearly reached, with room for a busy machine. Exact figures
are held by the script's own test, on a clock of the test.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from relay.observe.events import SharedFound, SharedLost
from relay.sending.pace.shares import Share
from relay.sending.ports import NotNow
from relay.words.endings import Reason
from tests.shared.pacers import HardSes, Mailer, mailer
from tests.shared.servers import RedisServer
from tests.shared.waiting import until

RATE = 400.0
Relays = Callable[..., Awaitable[list[Mailer]]]


@pytest.fixture
async def relays() -> AsyncIterator[Relays]:
    """Make relays r0, r1, ... at a server; closed after the test."""
    async with AsyncExitStack() as stack:

        async def make(server: RedisServer, ses: HardSes, number: int, **further: Any) -> list[Mailer]:
            return [await stack.enter_async_context(mailer(server.url, ses, f"r{n}", **further)) for n in range(number)]

        yield make


def calls(server: RedisServer) -> int:
    """How many scripts the server has run."""
    lines = (line for line in server.tell("INFO", "commandstats").splitlines() if line.startswith("cmdstat_evalsha:"))
    return sum(int(line.partition("calls=")[2].partition(",")[0]) for line in lines)


async def test_four_relays_at_full_load_send_what_ses_allows_and_no_more(redis_server: RedisServer, relays: Relays):
    """
    Under the limit, hardly a call throttled, each relay within 20 % of its share; SES is asked once for its
    quota, and Redis a few times a second, not once a message.
    """
    ses = HardSes(RATE)
    four = await relays(redis_server, ses, 4)
    for each in four:
        each.send_all_the_time()
    await asyncio.sleep(1.5)
    asked, begin = calls(redis_server), time.monotonic()
    await asyncio.sleep(4)
    end = time.monotonic()
    scripts = calls(redis_server) - asked

    assert RATE * 0.6 <= ses.rate_between(begin, end) <= RATE * 1.03
    assert len(ses.throttled) < len(ses.taken) / 25
    fair = ses.rate_between(begin, end) * (end - begin) / 4
    assert all(fair * 0.8 <= sent <= fair * 1.2 for sent in ses.by_relay(begin, end).values())
    assert ses.asked == 1
    assert scripts < len(ses.between(begin, end)) / 5


async def test_a_limit_far_below_what_ses_tells_costs_few_calls_and_is_kept_to(
    redis_server: RedisServer, relays: Relays
):
    """SES tells fifty times what it bears: four relays meet the limit once, hard, and hardly ever again."""
    ses = HardSes(200.0, told=10_000.0)
    four = await relays(redis_server, ses, 4)
    for each in four:
        each.send_all_the_time()
    await asyncio.sleep(8)
    end = time.monotonic()

    assert 0 < len(ses.throttled) < 120
    assert len([at for at in ses.throttled if at > end - 4]) < 40
    assert 200 * 0.7 <= ses.rate_between(end - 4, end) <= 200 * 1.1


async def test_delegates_have_equal_shares_wherever_their_mail_comes_in(redis_server: RedisServer, relays: Relays):
    """One delegate floods three relays, another sends through one of them: each gets a half."""
    ses = HardSes(RATE)
    three = await relays(redis_server, ses, 3)
    for each in three:
        each.send_all_the_time("flood", clients=20)
    three[0].send_all_the_time("quiet", clients=20)
    await asyncio.sleep(1.5)
    begin = time.monotonic()
    await asyncio.sleep(2.5)
    end = time.monotonic()

    sent = ses.by_delegate(begin, end)
    fair = sum(sent.values()) / 2
    assert fair * 0.8 <= sent["flood"] <= fair * 1.2
    assert fair * 0.8 <= sent["quiet"] <= fair * 1.2


async def test_a_limit_that_ses_tells_nobody_is_found_by_all_together(redis_server: RedisServer, relays: Relays):
    ses = HardSes(RATE * 0.75, told=RATE)
    three = await relays(redis_server, ses, 3)
    for each in three:
        each.send_all_the_time()
    await asyncio.sleep(9)
    end = time.monotonic()

    assert ses.throttled
    assert len(ses.throttled) < len(ses.taken) / 20
    assert ses.rate_between(end - 2.5, end) >= RATE * 0.75 * 0.6


async def test_who_comes_has_its_share_within_two_seconds_and_who_goes_leaves_it(
    redis_server: RedisServer, relays: Relays
):
    ses = HardSes(RATE)
    one, other = await relays(redis_server, ses, 2)
    one.send_all_the_time()
    await asyncio.sleep(1.5)
    other.send_all_the_time()
    await asyncio.sleep(1.0)
    both = time.monotonic()
    await asyncio.sleep(1.5)
    apart = time.monotonic()
    await one.be_quiet()
    await asyncio.sleep(1.5)
    alone = time.monotonic()
    await asyncio.sleep(1.0)

    sent = ses.by_relay(both, apart)
    assert 0.7 <= sent["r0"] / sent["r1"] <= 1.4
    assert ses.rate_between(alone, alone + 1.0) >= RATE * 0.6
    assert len(ses.throttled) < len(ses.taken) / 25


@pytest.mark.parametrize("fall", ["pause", "kill"])
async def test_without_redis_each_keeps_to_its_part_and_nothing_bursts_when_it_is_back(
    own_server: Callable[..., RedisServer], relays: Relays, fall: str
):
    server, ses = own_server(), HardSes(RATE)
    three = await relays(server, ses, 3)
    for each in three:
        each.send_all_the_time()
    await asyncio.sleep(3.0)
    away = time.monotonic()
    getattr(server, fall)()
    await asyncio.sleep(2.5)
    back = time.monotonic()
    if fall == "pause":
        server.resume()
    else:
        server.start()
    await asyncio.sleep(3.0)
    end = time.monotonic()

    assert RATE * 0.5 <= ses.rate_between(away + 0.5, back) <= RATE * 1.02
    fair = ses.rate_between(away + 0.5, back) * (back - away - 0.5) / 3
    assert all(fair * 0.8 <= sent <= fair * 1.2 for sent in ses.by_relay(away + 0.5, back).values())
    assert RATE * 0.5 <= ses.rate_between(back, end) <= RATE * 1.15
    assert len(ses.throttled) < len(ses.taken) / 50
    for each in three:
        changes = [type(event) for event in each.events if isinstance(event, SharedFound | SharedLost)]
        assert changes[:2] == [SharedFound, SharedLost]
        assert changes[-1] is SharedFound


async def test_a_relay_that_never_found_redis_paces_itself(own_server: Callable[..., RedisServer], relays: Relays):
    server, ses = own_server(), HardSes(RATE)
    server.kill()
    (one,) = await relays(server, ses, 1)
    assert await one.send_one() is None
    assert ses.taken


async def test_a_lone_message_waits_for_one_answer_at_most(redis_server: RedisServer, relays: Relays):
    ses = HardSes(RATE, latency=0)
    (one,) = await relays(redis_server, ses, 1)
    for _ in range(5):
        assert await one.send_one(patience=1.0) is None
        await asyncio.sleep(0.02)


async def test_a_slow_account_is_shared_message_by_message(redis_server: RedisServer, relays: Relays):
    """At ten recipients a second three relays do not send three times a burst, and messages of many are paid off."""
    ses = HardSes(10)
    three = await relays(redis_server, ses, 3)
    assert await three[0].send_one() is None
    await asyncio.sleep(0.1)
    for each in three:
        each.send_all_the_time(clients=2)
    three[2].send_all_the_time("list", clients=1, recipients=5)
    begin = time.monotonic()
    await asyncio.sleep(4)
    end = time.monotonic()

    assert sum(each[3] for each in ses.between(begin, end)) <= 10 * (end - begin + 1) + 5
    assert ses.rate_between(begin, end) >= 6
    assert len(ses.throttled) <= 8


async def test_a_delegates_rate_holds_for_all_relays_together(redis_server: RedisServer, relays: Relays):
    ses = HardSes(RATE)
    three = await relays(redis_server, ses, 3, shares={"billing": Share(rate=30.0)})
    begin = time.monotonic()
    for each in three:
        each.send_all_the_time(clients=4)
    await asyncio.sleep(4)
    end = time.monotonic()

    assert sum(each[3] for each in ses.between(begin, end)) <= 30 * (end - begin + 1) + 10
    assert ses.rate_between(begin + 1, end) >= 20


async def test_a_delegates_day_holds_for_all_relays_together_and_is_known_to_each(
    redis_server: RedisServer, relays: Relays
):
    ses = HardSes(RATE)
    three = await relays(redis_server, ses, 3, shares={"billing": Share(daily=100)})
    for each in three:
        each.send_all_the_time(clients=4)
    await asyncio.sleep(2.5)

    assert len(ses.taken) == 100
    assert [each.pacer.shares.sent_today("billing", 0.0) for each in three] == [100, 100, 100]
    refused = await three[0].send_one()
    assert isinstance(refused, NotNow)
    assert refused.reason is Reason.QUOTA
    assert "delegate billing may send to 100 recipients in 24 hours" in refused.reply.text
    assert refused.seconds > 80_000


async def test_a_day_outlives_the_relays(redis_server: RedisServer):
    ses, shares = HardSes(RATE), {"billing": Share(daily=10)}
    async with mailer(redis_server.url, ses, "first", shares) as first:
        for _ in range(7):
            assert await first.send_one() is None
    async with mailer(redis_server.url, ses, "second", shares) as second:
        answers = [await second.send_one() for _ in range(5)]
        assert [answer is None for answer in answers] == [True] * 3 + [False] * 2


async def test_what_ses_did_not_take_does_not_count_for_the_day(redis_server: RedisServer):
    ses, shares = HardSes(RATE), {"billing": Share(daily=5)}
    async with mailer(redis_server.url, ses, "one", shares) as one:
        ses._room = -1e9
        for _ in range(3):
            assert await one.send_one() is None
        ses._room = RATE
        assert [await one.send_one() is None for _ in range(6)] == [True] * 5 + [False]


async def test_a_day_goes_on_without_redis_and_counts_once_when_it_is_back(
    own_server: Callable[..., RedisServer], relays: Relays
):
    """Each relay keeps to its part of what was left; what it counted alone is told once."""
    server, ses = own_server(), HardSes(RATE)
    one, other = await relays(server, ses, 2, shares={"billing": Share(daily=40)})
    for each in (one, other):
        for _ in range(5):
            assert await each.send_one() is None
    await asyncio.sleep(1.5)
    server.pause()
    alone = [await one.send_one(patience=1) for _ in range(30)]
    assert 10 <= alone.count(None) <= 20
    server.resume()
    await until(lambda: other.pacer.shares.sent_today("billing", 0.0) == len(ses.taken))
    left = 40 - len(ses.taken)
    answers = [await other.send_one() for _ in range(left + 2)]
    assert answers.count(None) == left
