"""Relays that read each account and region once for all of them."""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.identities.fellows import Told
from relay.identities.snapshot import Snapshot
from relay.judgement.verdicts import Verdict
from relay.shared.fellowship import FOLLOWING_TURN, LEASE
from relay.shared.policy_rows import write
from relay.words.freshness import Terms
from tests.identities.account import FakeAccounts, away
from tests.judgement.building import OWNER, REGION, allow, deny
from tests.shared.relays import Make, Relay, arn
from tests.shared.servers import RedisServer
from tests.shared.test_budgets import CLIENT, Door
from tests.shared.test_engine_access import PASSWORD, rights
from tests.shared.waiting import until

TAG = f"policies:{OWNER}:{REGION}"
META, KNOWN = (f"{{ses-relay:{TAG}}}:{name}" for name in ("meta", "known"))
#: Nothing is read again unless somebody asks for it.
RARELY = Terms(refresh_interval=600.0, max_stale=3600.0, budget=40.0)
Start = Callable[..., Awaitable[Relay]]


@pytest.fixture
def accounts() -> FakeAccounts:
    made = FakeAccounts()
    made.put("example.com", allow())
    return made


@pytest.fixture
async def start(accounts: FakeAccounts, redis_server: RedisServer, engine_at: Make) -> AsyncIterator[Start]:
    """Starts relays of one fleet."""
    relays: list[Relay] = []

    async def start(url: str = redis_server.url, **options: Any) -> Relay:
        relay = Relay(options.pop("accounts", accounts), await engine_at(url), **options)
        relays.append(relay)
        return await relay.start()

    yield start
    for relay in relays:
        await relay.stop()


async def allowed(*relays: Relay) -> None:
    await until(lambda: all(relay.verdict() is Verdict.ALLOWED for relay in relays))


async def told_all(server: RedisServer) -> None:
    """Come back when nothing new was written for a while."""
    last = b""
    while (now := server.ask("HINCRBY", META, "seq", "0") + server.ask("HLEN", KNOWN)) != last:
        last = now
        await asyncio.sleep(0.2)


async def test_one_relay_asks_and_all_know(start: Start, accounts: FakeAccounts):
    relays = [await start() for _ in range(4)]
    await allowed(*relays)

    assert [relay.leads for relay in relays] == [True, False, False, False]
    accounts.put("example.com", deny())
    await until(lambda: all(relay.verdict() is Verdict.DENIED for relay in relays))


async def test_four_relays_make_the_calls_of_one(start: Start, accounts: FakeAccounts):
    async def calls_a_second_of(count: int) -> float:
        relays = [await start() for _ in range(count)]
        await allowed(*relays)
        before, began = len(accounts.asked), time.monotonic()
        for _ in range(25):
            await asyncio.sleep(0.1)
            for relay in relays:
                relay.verdict()
        calls, seconds = len(accounts.asked) - before, time.monotonic() - began
        for relay in relays:
            await relay.stop()
        return calls / seconds

    one, four = await calls_a_second_of(1), await calls_a_second_of(4)
    assert 0 < four < 2 * one + 0.5  # by themselves, four would make four times as many


async def test_a_relay_that_starts_decides_at_once_by_what_others_know(
    start: Start, accounts: FakeAccounts, redis_server: RedisServer
):
    first = await start(terms=RARELY)
    await allowed(first)
    await told_all(redis_server)
    asked = len(accounts.asked)
    second = await start(terms=RARELY, accounts=FakeAccounts())

    assert second.verdict() is Verdict.ALLOWED
    assert second.accounts.asked == []
    assert len(accounts.asked) == asked


async def test_what_is_invalidated_at_one_relay_is_read_again_for_all_at_once(start: Start, accounts: FakeAccounts):
    relays = [await start(terms=RARELY) for _ in range(3)]
    await allowed(*relays)
    accounts.put("example.com", deny())
    async with asyncio.timeout(5):
        relays[2].directory.invalidate(arn("example.com"))
        await until(lambda: all(relay.verdict() is Verdict.DENIED for relay in relays))
    accounts.put("example.com", allow())
    async with asyncio.timeout(5):
        relays[1].directory.refresh_soon()
        await allowed(*relays)


async def test_identities_come_and_go_at_all_relays(start: Start, accounts: FakeAccounts):
    relays = [await start() for _ in range(2)]
    await allowed(*relays)
    accounts.put("app@example.com", deny())
    await until(lambda: all(relay.verdict() is Verdict.DENIED for relay in relays))
    del accounts.held["app@example.com"]
    await allowed(*relays)
    del accounts.held["example.com"]
    await until(lambda: all(relay.judge().reply for relay in relays))
    assert [relay.judge().reply.code for relay in relays] == [554, 554]


async def test_mail_that_waits_at_a_relay_that_only_follows_is_answered_by_the_one_that_asks(
    start: Start, accounts: FakeAccounts
):
    leader, follower = await start_slowly(start, accounts)
    assert follower.verdict("app@39.example") is Verdict.UNDECIDED

    assert await follower.directory.look("app", [arn("39.example")], 5)
    assert follower.verdict("app@39.example") is Verdict.ALLOWED
    assert leader.leads
    assert len(accounts.asked) < 20


async def test_nobody_waits_for_what_ses_does_not_answer(start: Start, accounts: FakeAccounts):
    _, follower = await start_slowly(start, accounts)
    accounts.trouble = lambda _name: away()
    async with asyncio.timeout(5):
        assert not await follower.directory.look("app", [arn("39.example")], 30)


async def start_slowly(start: Start, accounts: FakeAccounts) -> list[Relay]:
    """Start two relays that will have read everything in ten seconds only."""
    for number in range(40):
        accounts.put(f"{number}.example", allow())
    relays = [await start(terms=Terms(600.0, 3600.0, 4.0)) for _ in range(2)]
    await until(lambda: all(relay.place.rounds.is_listed for relay in relays))
    return relays


async def test_what_is_in_use_at_any_relay_is_read_again_first(start: Start, accounts: FakeAccounts):
    for number in range(30):
        accounts.put(f"{number}.example", allow())
    leader, follower = await start(terms=RARELY), await start(terms=RARELY)
    await until(lambda: len(follower.place.shelf.ages) == 31)
    both = {"7.example", "example.com"}  # of the author, and of the envelope

    def is_told() -> bool:
        follower.verdict("app@7.example")
        return set(leader.place.rounds.in_use) == both

    await until(is_told)


async def test_another_relay_asks_within_seconds_when_the_one_that_does_is_gone(start: Start, accounts: FakeAccounts):
    leader, *others = [await start() for _ in range(3)]
    await allowed(leader, *others)
    await leader.die()
    accounts.put("example.com", deny())
    async with asyncio.timeout(LEASE + FOLLOWING_TURN + 10):
        await until(lambda: all(relay.verdict() is Verdict.DENIED for relay in others))

    assert sum(relay.leads for relay in others) == 1


async def test_a_relay_that_leaves_hands_over_at_once(start: Start):
    leader, other = await start(), await start()
    await allowed(leader, other)
    await leader.stop()
    async with asyncio.timeout(LEASE - 0.5):
        await until(lambda: other.leads)


async def test_a_reload_asks_nothing_anew_and_goes_on_leading(start: Start, accounts: FakeAccounts):
    before = await start(terms=RARELY)
    await allowed(before)
    asked = len(accounts.asked)
    after = await start(terms=Terms(500.0, 3600.0, 40.0), before=before)
    assert after.verdict() is Verdict.ALLOWED
    assert not after.leads
    await before.stop()
    async with asyncio.timeout(LEASE - 0.5):
        await until(lambda: after.leads)

    assert len(accounts.asked) == asked


async def test_very_much_is_told_in_several_turns(
    start: Start, accounts: FakeAccounts, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    """So that the lease of the one that tells does not end meanwhile."""
    monkeypatch.setattr("relay.shared.policy_book.WRITING", 0.0)
    for number in range(500):
        accounts.put(f"{number}.example")
    leader = await start(terms=RARELY)
    await until(lambda: redis_server.ask("HLEN", KNOWN) == b":502")

    assert leader.leads


async def test_without_redis_each_goes_on_with_a_share_of_the_calls_and_comes_back_in_step(
    own_server: Callable[..., RedisServer], start: Start, accounts: FakeAccounts, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("relay.shared.fellowship.LEASE", 1.0)
    server = own_server()
    relays = [await start(server.url) for _ in range(2)]
    await allowed(*relays)
    await until(lambda: all(relay.relays == 2 for relay in relays))
    server.pause()
    await until(lambda: all(relay.leads for relay in relays))
    assert [relay.place.rounds.terms.budget for relay in relays] == [20.0, 20.0]
    (state,) = relays[1].directory.places()
    assert "asks SES by itself, at 1/2 of policies.api_rate" in state.troubles[0]
    accounts.put("example.com", deny())
    await until(lambda: all(relay.verdict() is Verdict.DENIED for relay in relays))

    server.resume()
    await until(lambda: sum(relay.leads for relay in relays) == 1)
    await until(lambda: not any(relay.directory.places()[0].troubles for relay in relays))
    accounts.put("example.com", allow())
    await allowed(*relays)


async def test_a_relay_that_starts_without_redis_goes_on_by_its_snapshot_and_by_ses(
    start: Start, accounts: FakeAccounts, tmp_path: Path
):
    snapshot = Snapshot(tmp_path / "policies")
    before = await start(snapshot=snapshot)
    await allowed(before)
    await before.stop()
    nowhere = f"unix://{tmp_path}/nobody.sock"
    silent = FakeAccounts()
    silent.trouble = lambda _name: away()
    relay = await start(nowhere, snapshot=snapshot, accounts=silent)
    assert relay.verdict() is Verdict.ALLOWED

    accounts.put("example.com", deny())
    relay = await start(nowhere)
    await until(lambda: relay.verdict() is Verdict.DENIED)


async def test_what_an_emptied_server_forgot_is_written_again_with_its_age(
    start: Start, accounts: FakeAccounts, redis_server: RedisServer
):
    leader, follower = await start(terms=RARELY), await start(terms=RARELY)
    await allowed(leader, follower)
    asked = len(accounts.asked)
    redis_server.ask("FLUSHALL")
    await until(lambda: redis_server.ask("HLEN", KNOWN) == b":2")
    third = await start(terms=RARELY, accounts=FakeAccounts())

    assert third.verdict() is Verdict.ALLOWED
    age = leader.age()
    assert third.age() >= age  # the later it is looked at, the older it is
    assert len(accounts.asked) == asked


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
async def test_ages_are_right_whatever_a_relays_clock_says(start: Start, ahead: float):
    """Never younger than it is, and hardly older: by the way of one answer and the step that a clock may take."""
    leader = await start(terms=RARELY, ahead=ahead)
    await allowed(leader)
    follower = await start(terms=RARELY)
    await allowed(follower)

    assert leader.age() <= follower.age() < leader.age() + 2.0


async def test_what_is_too_old_at_the_one_is_too_old_at_all(
    start: Start, accounts: FakeAccounts, redis_server: RedisServer
):
    leader = await start(terms=RARELY)
    await allowed(leader)
    accounts.trouble = lambda _name: away()
    old = replace(leader.place.shelf.known["example.com"], read_at=leader.now - 3601)
    leader.place.shelf.put(old)
    leader.place.fellows.learned(["example.com"])
    await told_all(redis_server)
    follower = await start(terms=RARELY)

    assert follower.verdict() is Verdict.UNDECIDED
    assert 3601 <= follower.age() < 3620


async def test_a_server_whose_clock_is_set_back_makes_nothing_younger(
    start: Start, accounts: FakeAccounts, redis_server: RedisServer
):
    """All is written again, by the clocks of relays: what the server kept would look younger than it is."""
    leader = await start(terms=RARELY)
    await allowed(leader)
    await told_all(redis_server)
    assert redis_server.ask("HSET", KNOWN, "left.example", "over") == b":1"
    redis_server.ask("HSET", META, "last", str(int((time.time() + 3600) * 1e6)))  # as it was an hour from now
    await until(lambda: redis_server.ask("HEXISTS", KNOWN, "left.example") == b":0")
    await until(lambda: redis_server.ask("HLEN", KNOWN) == b":2")
    follower = await start(terms=RARELY)

    assert follower.age() >= leader.age()


@pytest.mark.parametrize("row", ["", "x" * 600_000, "random", "version"])
async def test_what_is_no_row_is_passed_over_told_and_written_again(
    start: Start, accounts: FakeAccounts, redis_server: RedisServer, row: str
):
    leader = await start(terms=RARELY)
    await allowed(leader)
    poison = {"random": random.Random(1).randbytes(300).decode("latin-1"), "version": _other_version()}.get(row, row)
    await told_all(redis_server)
    redis_server.ask("HSET", KNOWN, "example.com", poison)
    follower = await start(terms=RARELY)
    await allowed(follower)

    assert len(follower.noted("policies.damaged")) == 1


async def test_rows_from_the_future_decide_nothing(start: Start, redis_server: RedisServer):
    leader = await start(terms=RARELY)
    await allowed(leader)
    identity = replace(leader.place.shelf.known["example.com"], read_at=time.time() + 60)
    await told_all(redis_server)
    row = write(TAG, "example.com", Told(identity, time.time()))
    redis_server.ask("HSET", KNOWN, "example.com", row.decode())
    follower = await start(terms=RARELY)

    assert follower.verdict() is Verdict.UNDECIDED


async def test_keys_of_another_kind_leave_each_relay_by_itself(
    start: Start, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("relay.shared.fellowship.LEASE", 0.5)
    redis_server.ask("SET", META, "nonsense")
    relay = await start()
    await allowed(relay)

    assert "WRONGTYPE" in relay.directory.places()[0].troubles[0]


async def test_the_user_of_the_page_may_do_all_that_this_needs(
    own_server: Callable[..., RedisServer], start: Start, accounts: FakeAccounts
):
    server = own_server()
    assert server.ask("ACL", "SETUSER", "ses-relay", "on", f">{PASSWORD}", *rights()) == b"+OK"
    assert server.ask("ACL", "SETUSER", "default", "off") == b"+OK"
    url = server.url.replace("unix://", f"unix://ses-relay:{PASSWORD}@")
    relays = [await start(url) for _ in range(2)]
    await allowed(*relays)
    relays[1].directory.invalidate(arn("example.com"))
    await relays[0].stop()
    await until(lambda: relays[1].leads)
    doors = [Door(relay.engine) for relay in relays]
    for door in doors:
        await door.open()
    doors[0].guesses.failed(CLIENT, "app")
    doors[1].crowd.enter(CLIENT)
    await until(lambda: doors[1].count == 1 and doors[0].crowd.of(CLIENT) == 1)
    for door in doors:
        await door.close()

    assert not any(relay.directory.places()[0].troubles for relay in relays)


async def test_relays_of_different_ses_do_not_mix(start: Start, accounts: FakeAccounts):
    other = FakeAccounts()
    other.put("example.com", deny())
    here, there = await start(), await start(accounts=other, endpoint="http://127.0.0.1:1")
    await allowed(here)
    await until(lambda: there.verdict() is Verdict.DENIED)

    assert here.leads
    assert there.leads


async def test_ten_pages_of_identities_reach_a_relay_that_starts(start: Start, accounts: FakeAccounts):
    for number in range(3000):
        accounts.put(f"{number}.example")
    leader = await start(terms=RARELY)
    follower = await start(terms=RARELY)
    await until(lambda: len(follower.place.shelf.known) == 3001 and follower.place.rounds.is_listed)

    assert not follower.leads
    assert leader.place.shelf.known.keys() == follower.place.shelf.known.keys()


def _other_version() -> str:
    text = json.dumps({"v": 2, "place": TAG, "name": "example.com", "gone": 1.0})
    return hashlib.sha256(text.encode()).hexdigest()[:32] + text
