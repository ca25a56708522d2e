"""Policies from SES: what is known, what is waited for, and what becomes of both when SES or its owners change."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from relay.background import call_off
from relay.identities.known import NOT_READ, VERIFIED_SINCE
from relay.identities.ses_answers import Clocks
from relay.identities.ses_directory import Books, SesDirectory
from relay.identities.several import SeveralDirectories
from relay.judgement.verdicts import Verdict
from relay.observe.events import Noted, PoliciesRefreshed, RevocationStated, SesCalled
from relay.words.arns import IdentityArn
from relay.words.freshness import Terms
from tests.identities.account import FakeAccounts, World, away, denied, throttled
from tests.judgement.building import OWNER, REGION, allow, deny, facts, judge

EXAMPLE = IdentityArn("aws", REGION, OWNER, "example.com")
FAST = Terms(refresh_interval=0.2, max_stale=3600.0, budget=400.0)


def named(number: int) -> IdentityArn:
    return IdentityArn("aws", REGION, OWNER, f"{number}.example")


@asynccontextmanager
async def running(accounts: FakeAccounts, terms: Terms = FAST) -> AsyncIterator[SesDirectory]:
    """A directory with its loops, by the real clock."""
    directory = SesDirectory([(OWNER, REGION)], accounts, terms, lambda _event: None)  # type: ignore[arg-type]
    await asyncio.to_thread(directory.refresh)
    task = asyncio.create_task(directory.run())
    try:
        yield directory
    finally:
        await call_off(task)


async def until(holds: Any, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0.005)


# --- freshness --------------------------------------------------------------------------------------------------------


def test_a_withdrawn_permission_ends_within_the_stated_time():
    """Whatever the moment of the withdrawal, for mail that goes on all the time."""
    world = World()
    world.accounts.put("example.com", allow())
    world.run(120, each=world.judge)
    for moment in (1, 13, 29, 44):
        world.run(60 + moment, each=world.judge)
        (state,) = world.directory.places()
        assert world.verdict() == "allowed"
        world.accounts.held["example.com"].clear()
        withdrawn = world.now
        while world.verdict() == "allowed":
            world.run(1)
        assert world.now - withdrawn <= (state.revocation or 0)
        world.accounts.put("example.com", allow())
        world.run(70, each=world.judge)


def test_a_policy_that_is_put_on_a_silent_identity_counts_as_soon():
    """An address that is verified without policies has no say; with its first policy it has."""
    world = World()
    world.accounts.put("example.com", allow())
    world.accounts.put("app@example.com")
    world.run(120, each=world.judge)
    assert world.verdict() == "allowed"
    world.accounts.put("app@example.com", deny())
    world.run(61, each=world.judge)

    assert world.verdict() == "denied"


def test_a_permission_that_was_just_given_counts_after_the_first_refusal():
    """Nobody waits half an hour for a permission: a refusal by an old reading has it read again."""
    world = World()
    for number in range(200):
        world.accounts.put(f"{number}.example")
    world.accounts.put("example.com")
    world.run(1200)
    world.accounts.put("example.com", allow())
    world.run(1)
    assert world.verdict() == "not-allowed"
    world.run(5)

    assert world.verdict() == "allowed"


def test_ten_thousand_identities_cost_what_one_does():
    """The budget is kept, the list is known after seconds, and what mail asks for is read within seconds."""
    world = World()
    for number in range(10_000):
        world.accounts.put(f"{number}.example", allow())
    world.run(60)
    assert len(world.directory.catalog.owners[OWNER, REGION].by_folded_name) == 10_000
    assert world.verdict("app@9999.example") == "undecided"
    flight = [place.rounds.want("9999.example", "app", world.seconds) for place in world.directory._places.values()]
    assert flight == [True]
    world.run(4)
    assert world.verdict("app@9999.example") == "allowed"
    world.run(300, each=lambda: world.verdict("app@9999.example"))

    assert world.now - world.identity("9999.example").read_at <= 62
    assert len(world.accounts.asked) <= 0.5 * 364 + 4


# --- existence --------------------------------------------------------------------------------------------------------


def test_existence_is_answered_by_the_list_and_never_by_a_lookup():
    world = World()
    world.accounts.put("example.com", allow())
    world.run(60)
    asked = len(world.accounts.asked)
    for number in range(500):
        assert world.judge(facts(f"a@guess{number}.example")).reply.code == 554
    world.run(30)

    assert {name for name in world.accounts.asked[asked:] if name.startswith("guess")} == set()


def test_what_is_listed_and_was_not_read_is_undecided():
    world = World()
    world.accounts.put("example.com", allow())
    world.accounts.trouble = lambda name: away() if name != "list" else None
    world.run(5)

    assert world.judge().reply.code == 451
    assert world.identity("example.com").problem == NOT_READ
    assert world.told().problems == {}, "that it was not read yet is no fault of its policies"


def test_an_identity_that_is_made_later_counts_within_the_list_interval():
    world = World()
    world.accounts.put("example.com")
    world.run(60)
    world.accounts.put("new.example", allow())
    world.run(75, each=lambda: world.verdict("app@new.example"))

    assert world.verdict("app@new.example") == "allowed"


def test_who_is_not_verified_neither_grants_nor_is_asked_about():
    world = World()
    world.accounts.put("example.com", allow())
    world.accounts.put("app@example.com", deny())
    world.accounts.pending.add("app@example.com")
    world.run(200, each=world.judge)

    assert world.verdict() == "allowed"
    assert "app@example.com" not in world.accounts.asked


def test_who_is_verified_later_decides_within_the_list_interval():
    """A domain that waits for its DNS records, with its policy attached already."""
    world = World()
    world.accounts.put("example.com", allow())
    world.accounts.pending.add("example.com")
    world.run(60)
    assert world.judge().reply.code == 554
    world.accounts.pending.clear()
    world.run(70, each=world.judge)

    assert world.verdict() == "allowed"


def test_what_was_unverified_when_it_was_read_is_undecided_once_the_list_says_otherwise():
    world = World()
    world.accounts.put("example.com", allow())
    world.run(60, each=world.judge)
    world.accounts.pending.add("example.com")
    world.run(100, each=world.judge)
    assert world.judge().reply.code == 554
    world.accounts.pending.clear()
    world.accounts.trouble = lambda name: denied() if name != "list" else None
    world.run(100)

    assert world.judge().reply.code == 451
    assert (world.identity("example.com").problem or "").startswith(("sesv2", VERIFIED_SINCE))


def test_who_is_deleted_is_not_asked_about_for_five_minutes():
    """Get says that it is gone while the list has it still: 451, and no lookup for each message."""
    world = World()
    world.accounts.put("example.com", allow())
    world.run(60, each=world.judge)
    held = world.accounts.held["example.com"]
    asked: list[str] = []

    def gone(name: str) -> None:
        asked.append(name)
        if name == "list":
            world.accounts.held["example.com"] = held
        else:
            world.accounts.held.pop("example.com", None)

    world.accounts.trouble = gone
    world.run(290, each=world.judge)

    assert asked.count("example.com") == 1
    assert world.judge().reply.code in (451, 554)


def test_names_that_no_mail_could_be_sent_under_are_passed_over_and_told():
    world = World()
    world.accounts.put("example.com", allow())
    world.accounts.put("localhost")
    world.run(30)

    assert world.verdict() == "allowed"
    assert "localhost is passed over" in world.told().why


def test_regions_and_accounts_do_not_wait_for_each_other():
    other = ("999999999999", "eu-west-1")
    world = World(places=((OWNER, REGION), other))
    world.accounts.put("example.com", allow())
    world.accounts.trouble = lambda _name: None
    call = world.accounts.call

    def refusing(account: str, region: str, operation: str, **parameters: Any) -> Any:
        if account == other[0]:
            raise denied()
        return call(account, region, operation, **parameters)

    world.accounts.call = refusing  # type: ignore[method-assign]  # one account refuses
    world.run(60)

    assert world.directory.catalog.owners[other].problem is not None
    assert world.judge().reply.code == 451, "it might be verified there too"
    assert judge(world.directory.catalog, facts(source_arn=str(EXAMPLE)), now=world.now).permit is not None


# --- what SES does ----------------------------------------------------------------------------------------------------


def test_who_may_not_read_is_told_what_is_needed_and_old_readings_stay_until_they_are_too_old():
    world = World()
    world.accounts.put("example.com", allow())
    world.run(60, each=world.judge)
    world.accounts.trouble = lambda _name: denied()
    world.run(1800, each=world.judge)
    (state,) = world.directory.places()
    assert any('"ses:GetEmailIdentity"' in trouble and "AccessDenied" in trouble for trouble in state.troubles)
    assert world.verdict() == "allowed"
    world.run(1900, each=world.judge)
    assert world.judge().reply.code == 451
    world.accounts.trouble = lambda _name: None
    world.run(120, each=world.judge)

    assert world.verdict() == "allowed"
    assert world.directory.places()[0].troubles == ()


def test_one_identity_that_may_not_be_read_is_a_problem_of_its_own():
    world = World()
    world.accounts.put("example.com", allow())
    world.accounts.put("secret.example", allow())
    world.accounts.trouble = lambda name: denied() if name == "secret.example" else None
    world.run(120)

    assert world.verdict() == "allowed"
    assert world.verdict("app@secret.example") == "undecided"
    assert world.told().problems == {"arn:aws:ses:us-east-1:888888888888:identity/secret.example": 1}
    assert world.accounts.asked.count("secret.example") <= 4


def test_readings_are_told_with_their_ages_and_calls_with_their_results():
    world = World()
    world.accounts.put("example.com", allow())
    world.run(30)
    world.accounts.trouble = lambda _name: throttled()
    world.run(90)
    world.accounts.trouble = lambda _name: away()
    world.run(90)
    results = [(event.operation, event.result) for event in world.events if isinstance(event, SesCalled)]
    readings = [event for event in world.events if isinstance(event, PoliciesRefreshed)]

    assert results[:2] == [("ListEmailIdentities", "sent"), ("GetEmailIdentity", "sent")]
    assert {result for _, result in results[2:]} == {"throttled", "unavailable"}
    assert [reading.result for reading in readings[:2]] == ["ok", "ok"]
    assert {reading.result for reading in readings[2:]} == {"failed"}
    assert readings[1].read_at == {str(EXAMPLE): world.identity("example.com").read_at}
    assert readings[1].source == "ses 888888888888 us-east-1"


def test_to_be_throttled_now_and_then_is_no_trouble_and_for_long_it_is():
    """Other tools of the owner share the one call a second."""
    world = World()
    world.accounts.put("example.com", allow())
    world.run(60, each=world.judge)
    told = len([event for event in world.events if isinstance(event, PoliciesRefreshed)])
    world.accounts.trouble = lambda _name: throttled() if world.chance.random() < 0.1 else None
    world.run(300, each=world.judge)
    assert world.directory.places()[0].troubles == ()
    assert {e.result for e in world.events if isinstance(e, PoliciesRefreshed)} == {"ok"}
    assert len([event for event in world.events if isinstance(event, PoliciesRefreshed)]) > told
    world.accounts.trouble = lambda _name: throttled()
    world.run(300, each=world.judge)

    assert "throttles" in world.directory.places()[0].troubles[0]


def test_a_clock_that_jumps_leaves_undecided_until_all_is_read_again():
    for jump in (7200.0, -7200.0):
        world = World()
        world.accounts.put("example.com", allow())
        world.run(60, each=world.judge)
        world.start += jump
        assert world.judge().reply.code == 451
        world.run(75)

        assert world.verdict() == "allowed"


def test_too_many_in_use_for_max_stale_is_told_loudly():
    world = World(terms=Terms(60.0, 120.0, 0.5))
    for number in range(80):
        world.accounts.put(f"{number}.example", allow())

    (place,) = world.directory._places.values()

    def send_all() -> None:
        for number in range(80):
            place.rounds.use(f"{number}.example", world.seconds)

    world.run(600, each=send_all)
    world.directory.state_revocation(place)
    (state,) = world.directory.places()

    assert state.revocation is not None
    assert state.revocation > 120
    assert "policies.max_stale is 120 s" in state.troubles[-1]
    assert [e.event for e in world.events if isinstance(e, Noted)] == ["policies.too-many-in-use"]
    assert [e for e in world.events if isinstance(e, RevocationStated)][-1].seconds == pytest.approx(state.revocation)


# --- messages that wait -----------------------------------------------------------------------------------------------


async def test_a_message_waits_for_an_identity_that_was_not_read():
    accounts = FakeAccounts()
    for number in range(3000):
        accounts.put(f"{number}.example", allow())
    async with running(accounts) as directory:
        assert directory.catalog.find(named(2999)) is not None
        assert await directory.look("app", [named(2999)], 5)

        assert (
            judge(directory.catalog, facts("a@2999.example"), now=time.time()).decisions[0].verdict is Verdict.ALLOWED
        )


async def test_there_is_one_lookup_for_all_who_wait():
    accounts = FakeAccounts()
    for number in range(2000):
        accounts.put(f"{number}.example", allow())
    async with running(accounts) as directory:
        found = await asyncio.gather(*[directory.look(str(number), [named(1999)], 5) for number in range(100)])

    assert all(found)
    assert accounts.asked.count("1999.example") == 1


async def test_a_message_waits_no_longer_than_it_has_patience():
    accounts, answering = FakeAccounts(), threading.Event()
    accounts.put("0.example", allow())
    accounts.put("1.example", allow())
    accounts.trouble = lambda name: answering.wait(30) if name != "list" else None
    async with running(accounts) as directory:
        began = time.monotonic()
        assert not await directory.look("app", [named(0), named(1)], 0.05)
        assert time.monotonic() - began < 5
        answering.set()
        await until(lambda: directory.catalog.find(named(0)).problem is None)  # type: ignore[union-attr]  # it is there


async def test_nobody_waits_for_an_ses_that_is_away():
    accounts = FakeAccounts()
    accounts.put("0.example", allow())
    accounts.trouble = lambda name: away() if name != "list" else None
    async with running(accounts, Terms(60.0, 3600.0, 0.5)) as directory:
        await until(lambda: directory.places()[0].troubles)
        began = time.monotonic()
        assert not await directory.look("app", [named(0)], 30)

        assert time.monotonic() - began < 1


async def test_nobody_waits_for_what_is_not_listed_or_not_ours():
    accounts = FakeAccounts()
    accounts.put("0.example", allow())
    async with running(accounts) as directory:
        assert not await directory.look("app", [named(7), IdentityArn("aws", "eu-west-1", "1", "0.example")], 30)


async def test_a_delegate_that_asks_for_everything_waits_for_little():
    """Its share is used up: the others' lookups go on."""
    accounts = FakeAccounts()
    for number in range(3000):
        accounts.put(f"{number}.example", allow())
    terms = Terms(60.0, 3600.0, 2.0)
    async with running(accounts, terms) as directory:
        looks = [directory.look("greedy", [named(number)], 0.01) for number in range(1000, 3000)]
        await asyncio.gather(*looks)
        wanted = next(iter(directory._places.values())).rounds._wanted
        assert len(wanted) <= 5
        assert await directory.look("billing", [named(999)], 10)


async def test_what_was_used_is_known_a_moment_later():
    accounts = FakeAccounts()
    accounts.put("example.com", allow())
    async with running(accounts) as directory:
        await until(lambda: judge(directory.catalog, now=time.time()).permit is not None)
        directory.used("app", judge(directory.catalog, now=time.time()).decisions)
        await until(lambda: directory.places()[0].in_use == {"example.com"})


async def test_a_fault_of_ours_ends_one_turn_and_no_more(monkeypatch):
    monkeypatch.setattr("relay.identities.ses_directory.AFTER_FAULT", 0.01)
    accounts = FakeAccounts()
    accounts.put("example.com", allow())
    broken = iter([KeyError("ours")])

    def once(name: str) -> None:
        if name != "list" and (error := next(broken, None)) is not None:
            raise error

    accounts.trouble = once
    async with running(accounts) as directory:
        await until(lambda: judge(directory.catalog, now=time.time()).permit is not None)

    assert list(broken) == []  # it was met


# --- several sources --------------------------------------------------------------------------------------------------


async def test_owners_of_several_sources_are_one_catalog():
    """It is put together when one of them has changed; what one does not know, the whole does not know."""
    here, there = World(), World(places=(("999999999999", "eu-west-1"),))
    several = SeveralDirectories([here.directory, there.directory])
    here.accounts.put("example.com", allow())
    here.run(30)
    assert set(several.catalog.owners) == {(OWNER, REGION), ("999999999999", "eu-west-1")}
    assert several.catalog is several.catalog
    assert judge(several.catalog, now=here.now).reply.code == 451
    there.run(30)

    assert judge(several.catalog, now=here.now).permit is not None
    assert [state.account for state in several.places()] == [OWNER, "999999999999"]
    assert set(several.sources) == {"ses 888888888888 us-east-1", "ses 999999999999 eu-west-1"}
    assert several.invalidate(EXAMPLE)
    assert not several.fetch([EXAMPLE])
    assert not await several.look("app", [EXAMPLE, named(1)], 1)


# --- by hand, and at a reload -----------------------------------------------------------------------------------------


def test_invalidating_an_identity_has_it_read_at_once():
    world = World()
    world.accounts.put("example.com", allow())
    world.run(60, each=world.judge)
    world.accounts.held["example.com"].clear()
    assert world.directory.invalidate(EXAMPLE)
    world.run(3)

    assert world.verdict() == "not-allowed"


def test_invalidating_one_that_is_not_known_has_the_list_read():
    world = World()
    world.accounts.put("example.com", allow())
    world.run(60)
    world.accounts.put("new.example", allow())
    assert world.directory.invalidate(IdentityArn("aws", REGION, OWNER, "new.example"))
    world.run(8)

    assert world.verdict("app@new.example") == "allowed"


def test_fetching_reads_in_the_calling_thread():
    world = World()
    world.accounts.put("example.com", allow())
    world.directory.refresh()
    assert world.judge().reply.code == 451
    assert world.directory.fetch([EXAMPLE])

    assert world.verdict() == "allowed"
    assert not world.directory.fetch([EXAMPLE])


def test_fetching_what_cannot_be_had_ends():
    world = World()
    world.accounts.put("example.com", allow())
    world.directory.refresh()
    world.accounts.trouble = lambda _name: away()

    assert not world.directory.fetch([EXAMPLE])


def test_a_start_waits_for_the_lists_and_no_longer_than_a_few_seconds(monkeypatch):
    monkeypatch.setattr("relay.identities.ses_directory.FIRST_LISTS", 0.05)
    accounts, answering = FakeAccounts(), threading.Event()
    accounts.put("example.com", allow())
    accounts.trouble = lambda _name: answering.wait(30)
    directory = SesDirectory([(OWNER, REGION)], accounts, FAST, lambda _e: None, clocks=Clocks())  # type: ignore[arg-type]
    directory.refresh()
    assert directory.catalog.owners[OWNER, REGION].problem is not None
    answering.set()
    directory.refresh()

    assert directory.catalog.owners[OWNER, REGION].problem is None


def test_a_reload_keeps_what_is_known_and_drops_owners_that_are_gone():
    """No storm of 451 after SIGHUP."""
    other = ("999999999999", "eu-west-1")
    world = World(places=((OWNER, REGION), other))
    world.accounts.put("example.com", allow())
    world.run(60, each=world.judge)
    after = World(world.accounts, before=world, terms=Terms(30.0, 600.0, 0.5))
    after.seconds = world.seconds
    asked = len(world.accounts.asked)
    after.directory.refresh()

    assert after.verdict() == "allowed"
    assert set(after.directory.catalog.owners) == {(OWNER, REGION)}
    assert len(world.accounts.asked) == asked
    after.run(40, each=after.judge)
    assert after.now - after.identity("example.com").read_at <= 31


async def test_who_waited_when_the_loops_end_is_released():
    accounts, answering = FakeAccounts(), threading.Event()
    accounts.put("0.example", allow())
    accounts.trouble = lambda name: answering.wait(30) if name != "list" else None
    async with running(accounts) as directory:
        waiting = asyncio.create_task(directory.look("app", [named(0)], 30))
        await asyncio.sleep(0.05)
    answering.set()

    assert await waiting is False


async def test_what_is_written_at_the_end_waits_for_what_is_being_written():
    """The loops are called off, but not the thread that writes."""
    accounts, begun, may_end = FakeAccounts(), threading.Event(), threading.Event()
    accounts.put("example.com", allow())
    told: list[str] = []

    class Keeper:
        def keep(self, *_: object) -> None:
            told.append("begins")
            begun.set()
            may_end.wait(5)
            told.append("ends")

    directory = SesDirectory([(OWNER, REGION)], accounts, FAST, lambda _: None, books=Books(Keeper()))  # type: ignore[arg-type]
    await asyncio.to_thread(directory.refresh)
    task = asyncio.create_task(directory.run())
    await asyncio.to_thread(begun.wait, 5)
    asyncio.get_running_loop().call_later(0.1, may_end.set)
    await call_off(task)

    assert told == ["begins", "ends"] * 2


def test_texts_that_nobody_keeps_are_not_gathered():
    """Without a file for them, every text that an owner ever put would stay in memory until the relay is stopped."""
    world = World()
    for number in range(20):
        world.accounts.put("example.com", allow(StringEquals={"ses:FromAddress": f"{number}@example.com"}))
        world.run(120)

    assert world.identity("example.com").policies
    assert not any(place.texts for place in world.directory.all_places)
