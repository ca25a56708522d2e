"""
The pace's script by itself, on a clock of the test: what it grants, to relays that ask as they like.

The script under test is the one that runs, but for its question for the time.
"""

import json
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from relay.shared.scripts import script_of
from tests.shared.servers import RedisServer

CLOCK = "redis.call('TIME')"
TEXT = script_of("pace").text
TICK = 0.1
#: What may go at once; what may be granted beyond the pace: what was saved up, and what is given ahead; in seconds.
BURST, SAVED, AHEAD = 0.1, 0.3, 0.15


@dataclass
class Asker:
    """One relay: its delegates' needs a second, and what it was granted, with the moment."""

    name: str
    needs: dict[str, float]
    granted: list[tuple[float, float]] = field(default_factory=list)
    scarce: bool = False
    rate: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)

    def between(self, begin: float, end: float) -> float:
        return sum(amount for at, amount in self.granted if begin <= at < end)


class Scene:
    """Relays that ask, on a clock that only the test moves."""

    def __init__(self, server: RedisServer, **told: float) -> None:
        self._redis = Redis(unix_socket_path=str(server.socket), protocol=2)
        assert TEXT.count(CLOCK) == 1
        self._script = self._redis.register_script(TEXT.replace(CLOCK, "cjson.decode(ARGV[12])"))
        self._redis.flushall()
        self.now = 1_800_000_000.0
        self.told = told
        self.askers: list[Asker] = []

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()

    def join(self, **needs: float) -> Asker:
        asker = Asker(f"relay{len(self.askers)}", needs)
        self.askers.append(asker)
        return asker

    def ask(
        self,
        asker: Asker,
        *,
        head: float = 1.0,
        throttled: bool = False,
        leaving: bool = False,
        back: float = 0.0,
        accepted: int | None = None,
        wanted: float | None = None,
    ) -> float:
        """Ask once for what is needed until the next tick and a half; what was granted counts as sent at once."""
        total = sum(asker.needs.values())
        args = [
            asker.name,
            self.told.get("told", ""),
            self.told.get("wanted", ""),
            int(asker.granted[-1][1]) if accepted is None and asker.granted else accepted or 0,
            int(throttled),
            0 if leaving else total * 1.5 * TICK if wanted is None else wanted,
            0 if leaving else head,
            back,
            json.dumps([[name, need, 1] for name, need in asker.needs.items()]),
            int(leaving),
            BURST,
            json.dumps([str(int(self.now)), str(round(self.now % 1 * 1e6))]),
        ]
        amount, rate, scarce, relays, of_all, pause, _, of = json.loads(
            self._script(keys=["{x}:1", "{x}:2", "{x}:3"], args=args)
        )
        assert amount >= 0
        assert 0 < pause <= 1
        asker.granted.append((self.now, amount))
        asker.rate, asker.scarce, asker.parts = rate, bool(scarce), dict(of or ())
        self.of_all, self.relays = of_all, relays
        return float(amount)

    def run(self, seconds: float, chance: random.Random | None = None) -> None:
        """Let all ask, each tick, in any order and somewhat late."""
        for _ in range(round(seconds / TICK)):
            askers = list(self.askers)
            begin = self.now
            if chance is not None:
                chance.shuffle(askers)
            for asker in askers:
                self.now += TICK / len(askers) * (1.0 if chance is None else chance.uniform(0.0, 1.2))
                self.ask(asker)
            self.now = max(self.now, begin + TICK)

    def between(self, begin: float, end: float) -> float:
        return sum(each.between(begin, end) for each in self.askers)


@pytest.fixture(scope="session")
def server(_server: RedisServer) -> RedisServer:
    return _server


NEEDS = st.lists(
    st.dictionaries(st.sampled_from(("a", "b", "c")), st.floats(0.1, 3000), min_size=1, max_size=3),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25)
@given(needs=NEEDS, rate=st.floats(1, 2000), seed=st.integers(0, 2**32))
def test_never_more_than_the_pace_whatever_is_asked(server, needs, rate, seed):
    """
    In any span no more is granted than the pace, what was saved up, what is given ahead, and a message of each relay.
    """
    with Scene(server, wanted=rate) as scene:
        for each in needs:
            scene.join(**each)
        scene.run(2.0, random.Random(seed))
        moments = [at for asker in scene.askers for at, _ in asker.granted]
        begin = min(moments)
        for end in sorted(moments)[:: max(1, len(moments) // 20)]:
            most = rate * (end - begin + SAVED + AHEAD) + 1 + len(needs)
            assert scene.between(begin, end) <= most + 1e-6


@settings(max_examples=25)
@given(needs=NEEDS, rate=st.floats(50, 2000), seed=st.integers(0, 2**32))
def test_nothing_is_left_over_that_somebody_needs(server, needs, rate, seed):
    """In the long run all is granted that is needed, up to the pace."""
    with Scene(server, wanted=rate) as scene:
        for each in needs:
            scene.join(**each)
        scene.run(1.0, random.Random(seed))
        begin = scene.now
        scene.run(3.0, random.Random(seed + 1))
        needed = sum(sum(each.values()) for each in needs)
        assert scene.between(begin, scene.now) >= min(needed, rate) * (scene.now - begin) * 0.9 - 2 * len(needs)


@settings(max_examples=25)
@given(needs=NEEDS, rate=st.floats(50, 2000))
def test_delegates_first_then_relays(server, needs, rate):
    """
    No delegate gets less than another that gets more than it needs less of, and of one delegate no relay either.
    """
    with Scene(server, wanted=rate) as scene:
        for each in needs:
            scene.join(**each)
        scene.run(0.5)
        delegates = {name for each in needs for name in each}
        parts = {name: sum(asker.parts.get(name, 0.0) for asker in scene.askers) for name in delegates}
        needed = {name: sum(each.get(name, 0.0) for each in needs) for name in delegates}
        assert sum(parts.values()) <= rate * (1 + 1e-6)
        for one in delegates:
            if parts[one] < needed[one] * 0.999:
                assert all(parts[other] <= parts[one] * 1.001 for other in delegates)
        for name in delegates:
            for asker in scene.askers:
                mine = asker.parts.get(name, 0.0)
                if name in asker.needs and mine < asker.needs[name] * 0.999:
                    assert all(each.parts.get(name, 0.0) <= mine * 1.001 + 1e-6 for each in scene.askers)


def test_who_says_nothing_any_more_leaves_its_part_to_the_others_within_two_seconds(server):
    with Scene(server, wanted=400) as scene:
        stays = scene.join(a=1000)
        dies = scene.join(a=1000)
        scene.run(1.0)
        assert stays.rate == pytest.approx(200)
        scene.askers.remove(dies)
        scene.run(2.0)
        assert stays.rate == pytest.approx(400)


def test_who_leaves_does_so_at_once_and_gives_back(server):
    with Scene(server, wanted=400) as scene:
        stays, leaves = scene.join(a=1000), scene.join(a=1000)
        scene.run(1.0)
        scene.ask(leaves, leaving=True, back=10)
        scene.ask(stays)
        assert stays.rate == pytest.approx(400)
        assert scene.relays == 1


def test_who_joins_has_its_part_within_two_ticks(server):
    with Scene(server, wanted=400) as scene:
        scene.join(a=1000)
        scene.run(1.0)
        late = scene.join(a=1000)
        scene.run(0.2)
        assert late.rate == pytest.approx(200)


def test_of_many_that_come_at_once_each_has_its_part_within_two_ticks(server):
    """More than are divided among at once."""
    with Scene(server, wanted=400) as scene:
        for _ in range(80):
            scene.join(a=100)
        for asker in scene.askers:
            scene.ask(asker)
        scene.run(2 * TICK)
        assert all(asker.rate == pytest.approx(5) for asker in scene.askers)


def test_a_message_of_more_recipients_than_a_tick_passes_and_is_paid_off(server):
    with Scene(server, wanted=14) as scene:
        asker = scene.join(a=500)
        begin = scene.now
        assert scene.ask(asker, head=50, wanted=50) == 50
        scene.now += 1.0
        assert scene.ask(asker, head=50, wanted=50) == 0
        while not scene.ask(asker, head=50, wanted=50):
            scene.now += TICK
        assert scene.now - begin == pytest.approx(50 / 14, abs=0.6)


def test_throttling_slows_all_at_once_and_the_pace_comes_back(server):
    """What SES throttles at one relay is the other's pace at its next question."""
    with Scene(server, told=400) as scene:
        one, other = scene.join(a=1000), scene.join(a=1000)
        scene.run(3.0)
        fast = scene.of_all
        assert fast == pytest.approx(392)
        scene.ask(one, throttled=True)
        scene.ask(other)
        assert scene.of_all < fast * 0.96
        scene.run(20.0)
        assert scene.of_all == pytest.approx(392)


def test_a_call_throttled_at_an_idle_moment_is_forgotten_within_a_minute(server):
    """A message got through in the second before: that is no rate to go by for long."""
    with Scene(server, told=200) as scene:
        asker = scene.join(a=1)
        scene.run(1.0)
        scene.ask(asker, throttled=True, accepted=1)
        assert scene.of_all < 10
        scene.run(60.0)
        assert scene.of_all == 100, "with which it begins"


def test_a_fleet_that_was_told_nothing_begins_slowly(server):
    with Scene(server) as scene:
        asker = scene.join(a=100_000)
        scene.ask(asker)
        assert scene.of_all == 100
        scene.run(6.0)
        assert scene.of_all > 1000


def test_clocks_of_relays_do_not_matter_and_the_servers_may_step_back(server):
    with Scene(server, wanted=100) as scene:
        asker = scene.join(a=1000)
        scene.run(1.0)
        scene.now -= 3600
        begin = scene.now
        scene.run(1.0)
        assert asker.between(begin, scene.now) <= 100 * (1 + SAVED + AHEAD) + 2


def test_when_the_servers_clock_steps_back_mail_goes_on(server):
    """A replica that is promoted has a clock of its own, and a lane that was written by another."""
    with Scene(server, told=100) as scene:
        one, gone = scene.join(a=1000), scene.join(b=1000)
        scene.run(2.0)
        scene.ask(one, throttled=True)
        scene.askers.remove(gone)
        scene.now -= 3600
        begin = scene.now
        scene.run(30.0)
        assert one.between(begin + 20.0, scene.now) == pytest.approx(980, rel=0.1)
        assert scene.relays == 1


def test_when_the_servers_clock_steps_back_ses_is_asked_again(server):
    """Or nobody would hear of another rate for as long."""
    with Redis(unix_socket_path=str(server.socket), protocol=2) as redis:
        redis.flushall()
        quota = redis.register_script(script_of("quota").text)
        assert quota(keys=["{x}:1", "{x}:2"], args=[50, 10]) == b"ask"
        assert quota(keys=["{x}:1", "{x}:2"], args=[50, 10, 14, 200, 7]) == [b"14", b"200", b"7"]
        for name in ("at", "asked"):
            redis.hset("{x}:2", name, int(redis.time()[0]) + 3600)
        assert quota(keys=["{x}:1", "{x}:2"], args=[50, 10]) == b"ask"
        assert quota(keys=["{x}:1", "{x}:2"], args=[50, 10]) == b"wait"


def test_when_the_servers_clock_steps_back_relays_that_are_gone_are_not_counted(server):
    with Redis(unix_socket_path=str(server.socket), protocol=2) as redis:
        redis.flushall()
        redis.zadd("{x}:1", {"gone": int(redis.time()[0]) + 3600})
        assert redis.register_script(script_of("relays").text)(keys=["{x}:1"], args=["here", 0]) == 1
