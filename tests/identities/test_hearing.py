"""What another relay read counts as if it had been read here, unless more is known here already."""

import asyncio

import pytest

from relay.identities.fellows import News, Told
from relay.identities.hearing import hear
from relay.identities.known import KnownIdentity
from relay.identities.ses_place import Place
from relay.words.freshness import Terms
from tests.identities.account import FakeAccounts, World, text
from tests.judgement.building import allow, deny

NAME = "example.com"


@pytest.fixture
def world() -> World:
    """A relay that has read one identity, with a policy that allows."""
    accounts = FakeAccounts()
    accounts.put(NAME, allow())
    world = World(accounts, terms=Terms(refresh_interval=600.0)).run(5)
    assert world.verdict() == "allowed"
    return world.run(100)


@pytest.fixture
def place(world: World) -> Place:
    (place,) = world.directory.all_places
    return place


def told(name: str = NAME, *, read_at: float | None, as_of: float | None = None) -> Told:
    """An identity that forbids what the one that was read here allows."""
    policies = {} if read_at is None else {"p": text(deny(), name=name)}
    known = KnownIdentity(name, may_send=True, read_at=read_at, verified=read_at is not None, policies=policies)
    return Told(known, (read_at if as_of is None else as_of) or 0.0)


def heard(world: World, place: Place, news: News) -> str:
    hear(place, news, place._clocks)
    world.directory.publish()
    return world.verdict()


def test_what_is_younger_counts_and_is_as_old_as_it_is(world: World, place: Place):
    place.collecting = True
    assert heard(world, place, News([told(read_at=world.now - 50)])) == "denied"
    assert world.identity(NAME).read_at == world.now - 50
    assert place.texts


def test_what_is_older_does_not(world: World, place: Place):
    assert heard(world, place, News([told(read_at=world.now - 500)])) == "allowed"


def test_what_was_never_read_takes_nothing_from_what_was(world: World, place: Place):
    assert heard(world, place, News([told(read_at=None, as_of=world.now)])) == "allowed"


def test_what_the_list_here_does_not_have_is_not_brought_back_by_an_older_word(world: World, place: Place):
    assert heard(world, place, News([told("app@example.com", read_at=world.now - 3000)])) == "allowed"
    assert heard(world, place, News([told("app@example.com", read_at=world.now)])) == "denied"


def test_what_is_gone_is_gone_unless_it_was_seen_here_since(world: World, place: Place):
    seen_at = max(place.shelf.owned.listed_at, world.identity(NAME).read_at)
    assert heard(world, place, News(gone={NAME: seen_at - 2})) == "allowed"
    heard(world, place, News(gone={NAME: world.now, "nobody.example": world.now}))

    assert NAME not in place.shelf.known
    assert world.judge().reply.code == 554


def test_a_list_makes_what_is_known_the_whole(world: World):
    """A relay that has asked nothing knows an owner once it has heard of the list, and not before."""
    other = World(FakeAccounts())
    (place,) = other.directory.all_places
    assert heard(other, place, News([told(read_at=other.now)])) == "undecided"
    assert heard(other, place, News(listed=(other.now, 1))) == "denied"
    assert place.rounds.is_listed


def test_an_older_list_does_not_make_the_list_older(world: World, place: Place):
    listed_at = place.shelf.owned.listed_at
    heard(world, place, News(listed=(listed_at - 10, 7)))

    assert place.shelf.owned.listed_at == listed_at


async def test_who_waits_for_an_identity_need_not_any_longer(world: World, place: Place):
    other = World(FakeAccounts())
    (place,) = other.directory.all_places
    hear(place, News([told(read_at=None, as_of=other.now)], listed=(other.now, 1)), place._clocks)
    flight = place.flight(NAME, "app")
    assert flight is not None
    hear(place, News([told(read_at=other.now)]), place._clocks)

    assert await asyncio.wait_for(flight, 1)


def test_a_place_that_does_not_lead_asks_nothing_and_goes_on_where_others_are(world: World, place: Place):
    asked = len(world.accounts.asked)
    place.lead(None)
    world.run(1000)
    assert len(world.accounts.asked) == asked
    hear(place, News([told(read_at=world.now)], listed=(world.now, 1)), place._clocks)
    place.lead(world.terms)
    world.run(100)
    assert len(world.accounts.asked) == asked
    world.run(600)
    assert len(world.accounts.asked) > asked


def test_a_page_that_comes_when_another_asks_is_passed_over(place: Place, world: World):
    """It may be of a list that others have read since."""
    place.invalidate(None)
    step = place.next_step()
    place.begin(step)  # type: ignore[arg-type]  # it is a page: the list is due first
    place.lead(None)
    world.accounts.held.clear()
    place.take_over(step, place.ask(step))  # type: ignore[arg-type]  # the same

    assert NAME in place.shelf.known
