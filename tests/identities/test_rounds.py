"""The plan of what to ask SES next, by an accelerated clock: nobody sleeps here."""

import random
from collections.abc import Callable, Iterable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.identities.budget import BURST, LEAST, Budget
from relay.identities.rounds import IN_USE, LONGEST_PAUSE, NOT_THERE, Look, NextPage, Rounds, Step, Wait
from relay.words.freshness import Terms

LATENCY = 0.05


class World:
    """A plan, an account with so many identities, and a clock that goes as fast as the plan lets it."""

    def __init__(self, identities: int = 0, *, pages: int = 1, seed: int = 0, terms: Terms | None = None) -> None:
        self.terms = terms or Terms()
        self.now = 1000.0
        self.chance = random.Random(seed)
        self.rounds = Rounds(self.terms, self.now, self.chance.random)
        self.names = [f"{number}.example" for number in range(identities)]
        self.pages = pages
        self.calls: list[float] = []
        self.pages_read = 0
        self.listed: list[float] = []
        self.read: dict[str, float] = {}
        self.looks: list[str] = []
        self.answers = "ok"
        self.answer: Callable[[Step], str] = lambda _step: self.answers

    def run(self, seconds: float, *, each: Callable[[], object] = lambda: None) -> "World":
        """Go on for so many seconds; *each* is called before each step."""
        until = self.now + seconds
        while self.now < until:
            each()
            step = self.rounds.take(self.now)
            if isinstance(step, Wait):
                self.now = min(until, self.now + min(step.seconds, 1.0))
            else:
                self.calls.append(self.now)
                self.now += LATENCY
                self._answer(step)
        return self

    def _answer(self, step: NextPage | Look) -> None:
        match self.answer(step):
            case "throttled":
                self.rounds.throttled(step)
            case "away":
                self.rounds.away(step, self.now)
            case "refused":
                self.rounds.refused(step, self.now)
            case "gone" if isinstance(step, Look):
                self.rounds.not_there(step.name, self.now)
            case _ if isinstance(step, Look):
                self.rounds.looked(step.name, self.now)
                self.read[step.name] = self.now
                self.looks.append(step.name)
            case _:
                self._page()

    def _page(self) -> None:
        self.pages_read += 1
        is_last = self.pages_read % self.pages == 0
        self.rounds.page_read(is_last=is_last)
        if is_last:
            self.rounds.pages = self.pages
            self.rounds.listed(self.names, self.now)
            self.listed.append(self.now)

    def use(self, names: Iterable[str]) -> None:
        for name in names:
            self.rounds.use(name, self.now)

    def ages(self, names: Iterable[str]) -> list[float]:
        return [self.now - self.read[name] for name in names]


def most_within(calls: list[float], seconds: float) -> int:
    """The most calls in any such stretch of time."""
    most = first = 0
    for last, moment in enumerate(calls):
        while moment - calls[first] > seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy() -> World:
    """Ten thousand identities, three hundred of them in use, after three hours."""
    world = World(10_000, pages=10, terms=Terms(60.0, 3600.0, 0.5))
    world.run(60)
    for name in world.names[:300]:
        world.rounds.force(name)
    world.run(1500)
    world.looks.clear()
    world.run(3 * 3600, each=lambda: world.use(world.names[world.chance.randint(0, 9) : 300 : 3]))
    return world


def test_the_budget_is_never_exceeded(busy):
    """Half a call a second in any stretch of time, and never two within a second."""
    for seconds in (60, 600, 3600):
        assert most_within(busy.calls, seconds) <= seconds * 0.5 + BURST + 1
    assert min(b - a for a, b in zip(busy.calls, busy.calls[1:], strict=False)) >= 1.0


def test_the_budget_is_used(busy):
    assert len(busy.calls) > 0.45 * (busy.now - busy.calls[0])


def test_what_is_in_use_is_as_fresh_as_is_stated(busy):
    """With ten thousand identities, three hundred in use: read again within the stated time, which is minutes."""
    used = busy.names[:300]
    stated = busy.rounds.revocation(busy.now)

    assert set(busy.rounds.in_use) == set(used)
    assert stated == pytest.approx(Terms().revocation(300, pages=10), rel=0.2)
    assert 600 < stated < 1500
    assert max(busy.ages(used)) <= stated + 10 / 0.5


def test_nobody_starves(busy):
    """An eighth of the budget goes to those that nobody uses, however many are in use."""
    idle = [name for name in busy.looks if name not in set(busy.names[:300])]
    repeated = len(idle) - len(set(idle))

    assert len(idle) >= len(busy.looks) * 0.12
    assert repeated == 0, "one was read twice before all were read once"


def test_the_list_takes_a_quarter_at_most(busy):
    assert busy.pages_read <= len(busy.calls) * 0.26
    assert max(b - a for a, b in zip(busy.listed, busy.listed[1:], strict=False)) < 120


@given(
    idle=st.integers(0, 300),
    used=st.integers(1, 200),
    refresh=st.sampled_from([5.0, 60.0, 300.0]),
    budget=st.sampled_from([0.1, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=10, deadline=None)
def test_whoever_is_in_use_is_read_again_within_the_stated_time(idle, used, refresh, budget, seed):
    """Whatever the account, the intervals and the chance: seen at each moment of a long run."""
    world = World(idle + used, seed=seed, terms=Terms(refresh, 3600.0, budget))
    names = world.names[:used]
    bound = world.terms.revocation(used) + 8 / budget + 2
    world.run(2 * (idle + used) / (budget * 0.5) + refresh)
    for name in names:
        world.use([name])
    world.run(2 * bound, each=lambda: world.use(names[:: world.chance.randint(1, 5)]))
    late: list[float] = []

    def look() -> None:
        world.use(names[:: world.chance.randint(1, 5)])
        late.extend(age for age in world.ages(names) if age > bound)

    world.run(min(3 * bound, 3000), each=look)

    assert late == []
    assert most_within(world.calls, 100) <= 100 * budget + BURST + 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["use", "want", "force", "invalidate", "relist", "list", "run"]),
            st.integers(0, 12),
            st.sampled_from(["ok", "ok", "throttled", "away", "refused", "gone"]),
        ),
        max_size=40,
    ),
    st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_whatever_happens_the_plan_goes_on_within_its_budget(happens, seed):
    world = World(8, seed=seed)
    for what, number, answer in happens:
        name = f"{number}.example"
        world.answers = answer
        match what:
            case "use":
                world.use([name])
            case "want":
                world.rounds.want(name, "billing", world.now)
            case "force":
                world.rounds.force(name)
            case "invalidate":
                world.rounds.invalidate(world.now)
            case "relist":
                world.rounds.relist()
            case "list":
                world.names = [f"{each}.example" for each in range(number)]
            case _:
                world.run(number * 7)
    world.answers = "ok"
    world.run(2_000)

    assert most_within(world.calls, 60) <= 60 * 0.5 + BURST + 1
    assert set(world.names) <= set(world.read), "what is listed is read in the end"
    assert set(world.rounds.in_use) <= set(world.names)


# --- what comes first -----------------------------------------------------------------------------------------------


def test_the_list_comes_first_then_identities():
    world = World(3)

    assert isinstance(world.rounds.take(world.now), NextPage)
    world._page()
    world.run(20)

    assert sorted(world.read) == world.names


def test_a_page_does_not_wait_for_the_whole_list_nor_the_whole_list_for_identities():
    """In between the pages of a long list somebody else has a turn."""
    world = World(100, pages=5).run(100)
    before = len(world.calls), world.pages_read
    world.rounds.relist()
    world.run(30)

    assert world.pages_read == before[1] + 5
    assert len(world.calls) - before[0] >= 9


def test_what_a_message_waits_for_comes_before_the_others():
    world = World(500).run(60)
    unread = world.names[-1]
    assert unread not in world.read
    assert world.rounds.want(unread, "billing", world.now)
    world.run(3)

    assert unread in world.read


def test_lookups_on_demand_take_half_of_the_budget():
    """However many delegates ask for whatever is listed."""
    world = World(5000).run(30)
    used = list(world.read)[:2]
    world.use(used)
    unread = iter([name for name in world.names if name not in world.read])
    started = len(world.looks)
    wanted: set[str] = set()

    def ask_for_more() -> None:
        world.use(used)
        for delegate in range(50):
            name = next(unread)
            if world.rounds.want(name, str(delegate), world.now):
                wanted.add(name)

    world.run(60, each=ask_for_more)
    on_demand = [name for name in world.looks[started:] if name in wanted]
    world.run(60, each=lambda: world.use(used))

    assert len(on_demand) <= 60 * 0.25 + 5
    assert len(on_demand) >= 60 * 0.25 - 3
    assert max(world.ages(used)) < 70


def test_one_delegate_cannot_take_all_lookups():
    world = World(2000).run(30)
    unread = [name for name in world.names if name not in world.read]
    taken = [name for name in unread if world.rounds.want(name, "greedy", world.now)]

    assert len(taken) == 4
    assert world.rounds.want(unread[-1], "billing", world.now)


def test_a_lookup_that_is_wanted_twice_is_made_once():
    world = World(500).run(10)
    name = world.names[-1]
    for _ in range(100):
        assert world.rounds.want(name, "billing", world.now)
    world.run(60)

    assert world.looks.count(name) == 1


def test_what_mail_was_refused_by_is_read_again_if_it_was_read_long_ago():
    world = World(50).run(400)
    name = world.looks[0]
    assert world.rounds.want(name, "billing", world.now)
    world.run(5)
    assert world.looks[-1] == name or name in world.looks[-3:]

    assert not world.rounds.want(name, "billing", world.now), "it was read a moment ago"


def test_allowed_mail_puts_an_old_reading_first():
    """An identity of which nobody has heard for long is used: it is the oldest in use."""
    world = World(200).run(1200)
    name = world.looks[0]
    world.use([name])
    world.run(5)

    assert name in world.looks[-3:]


def test_who_is_not_used_any_more_leaves_the_round():
    world = World(5).run(60)
    world.use(world.names)
    assert len(world.rounds.in_use) == 5
    world.run(IN_USE + 120)

    assert len(world.rounds.in_use) == 0


def test_what_is_forced_is_read_soon_even_if_the_budget_is_spent():
    world = World(2000).run(30)
    used = list(world.read)
    world.use(used)
    world.run(600, each=lambda: world.use(used))
    name = world.looks[-1]
    assert world.rounds.force(name)
    before = len(world.looks)
    world.run(8, each=lambda: world.use(used))

    assert name in world.looks[before:]
    assert not world.rounds.force("unknown.example")


def test_invalidating_reads_all_again_those_in_use_first():
    world = World(20).run(120)
    world.use(world.names[:5])
    world.run(30)
    before, listed = len(world.looks), len(world.listed)
    world.rounds.invalidate(world.now)
    world.run(70)

    assert len(world.listed) > listed
    again = world.looks[before:]
    assert set(again[:6]) >= set(world.names[:5])
    assert set(again) == set(world.names)


# --- what SES does ----------------------------------------------------------------------------------------------------


def test_throttling_halves_the_budget_and_answers_give_it_back():
    budget = Budget(0.5, 0.0)
    budget.throttled()
    budget.throttled()
    assert budget.rate == 0.125
    for _ in range(100):
        budget.throttled()
    assert budget.rate == 0.5 * LEAST
    for _ in range(20):
        budget.answered()

    assert budget.rate == 0.5


def test_throttled_calls_are_made_again_and_the_stated_time_grows_meanwhile():
    world = World(30).run(120)
    world.use(world.names)
    stated = world.rounds.revocation(world.now)
    world.answer = lambda _step: "throttled"
    before = len(world.calls)
    world.run(600, each=lambda: world.use(world.names))
    slow = len(world.calls) - before
    assert slow < 20
    assert world.rounds.revocation(world.now) > 2 * stated
    world.answer = lambda _step: "ok"
    world.run(1800, each=lambda: world.use(world.names))

    assert world.rounds.revocation(world.now) < 1.3 * stated


def test_an_outage_is_waited_out_longer_each_time_and_ends_for_all():
    world = World(10).run(60)
    world.use(world.names)
    world.answer = lambda _step: "away"
    before = len(world.calls)
    world.run(1800)
    assert len(world.calls) - before < 10 + 1800 / (LONGEST_PAUSE / 2)
    assert not world.rounds.want(world.names[0], "billing", world.now), "nobody waits for who is away"
    world.answer = lambda _step: "ok"
    world.run(LONGEST_PAUSE * 1.5 + 60)

    assert max(world.ages(world.names)) < 60 + LONGEST_PAUSE * 1.5


def test_who_is_not_there_is_not_asked_for_again_for_five_minutes():
    world = World(3).run(30)
    world.answer = lambda step: "gone" if isinstance(step, Look) and step.name == "1.example" else "ok"
    world.rounds.force("1.example")
    world.run(10)
    asked: list[float] = []

    def note(step: Step) -> str:
        if isinstance(step, Look) and step.name == "1.example":
            asked.append(world.now)
        return "ok"

    world.answer, gone_at = note, world.now
    assert not world.rounds.want("1.example", "billing", world.now)
    world.run(NOT_THERE + 200)

    assert asked
    assert asked[0] - gone_at >= NOT_THERE - 10


def test_a_list_that_is_refused_is_not_asked_for_at_every_turn():
    world = World(3)
    world.answer = lambda step: "refused" if isinstance(step, NextPage) else "ok"
    world.run(600)

    assert not world.rounds.is_listed
    assert len(world.calls) < 25


def test_an_identity_that_is_refused_has_its_turn_again_with_the_others():
    world = World(3).run(30)
    world.use(world.names)
    world.answer = lambda step: "refused" if isinstance(step, Look) and step.name == "0.example" else "ok"
    world.run(300, each=lambda: world.use(world.names))

    assert max(world.ages(world.names[1:])) <= 62
    assert len(world.calls) < 300 * 0.5


def test_two_relays_do_not_beat_together():
    """The same account, the same settings, the same start: their calls drift apart."""
    one, other = (World(20, seed=seed).run(60) for seed in (1, 2))
    for world in (one, other):
        world.use(world.names)
        world.run(3600, each=partial(world.use, world.names))
    together = sum(any(abs(a - b) < 0.2 for b in other.calls[-100:]) for a in one.calls[-100:])

    assert together < 50


def test_the_stated_time_is_never_better_than_things_are():
    world = World(10).run(60)
    world.use(world.names)
    world.answer = lambda _step: "away"
    world.run(3600)

    assert world.rounds.revocation(world.now) >= 3600
