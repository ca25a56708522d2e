"""
Relays in a network, each with an address of its own, at one Redis with TLS and a user of few rights: killed, cut
off, made slow, full and deposed under load.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.shared.spools import DURABLE
from tests.system.relays import RunningRelay
from tests.torture.clients import Answers, Crowd
from tests.torture.far_ses import Taken
from tests.torture.field import FULL, REST, far_ses, kill
from tests.torture.figures import Figures
from tests.torture.fleet import NAME, PORT, SECRETS, Fleet, Store
from tests.torture.network import Network
from tests.torture.reckoning import reckon
from tests.torture.slow_wire import SlowWire
from tests.torture.test_kills import STORM

pytestmark = [pytest.mark.system, pytest.mark.timeout(0 if FULL else 120)]

RELAYS = 4 if FULL else 3
RATE = 200 if FULL else 100
SECONDS = 60 if FULL else 5
WINDOW = 5 if FULL else 2
KILLS = 30 if FULL else 2
CLIENTS = 6 if FULL else 4
#: Of the pace, when something is wrong: a short look sees it less exactly, and what SES saved up counts for more in it.
LEAST = 0.6 if FULL else 0.5
MOST = 1.15 if FULL else 1.5
#: How far from equal shares may be.
UNFAIR = 0.2 if FULL else 0.3
MORE = 30 if FULL else 20  # 250s between two kills
MakeFleet = Callable[..., Fleet]


@pytest.fixture
def make_fleet(ground: Network, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeFleet]:
    """Makes the fleet's folder and its SES, which takes mail at the test's own address."""
    made: list[Fleet] = []
    with far_ses(request.node.name, ground.address(1)) as ses:

        def make(**how: bool) -> Fleet:
            made.append(Fleet(ground, ses, tmp_path, **how))
            return made[-1]

        yield make
        for fleet in made:
            fleet.end()


@pytest.fixture
def make_store(ground: Network, tool: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Makes a Redis at a place of its own, started; further arguments are lines of redis.conf."""
    made: list[Store] = []

    def make(last: int, **options: str) -> Store:
        store = Store(tool("redis-server"), ground.place(last), tmp_path, options)
        made.append(store)
        store.server.start()
        return store

    yield make
    for store in made:
        store.server.close()


class Crowds:
    """As many clients as all relays can bear, the same number at each."""

    def __init__(self, fleet: Fleet, number: int, *, kind: str = "small", pause: float = 0.0) -> None:
        self.fleet = fleet
        self.each = [
            Crowd(f"r{relay}", number, kind=kind, pause=pause, sources=fleet.sources)
            for relay in range(len(fleet.relays))
        ]
        self.point()

    def point(self) -> None:
        """Lead each to its relay, or to nobody where that is dead."""
        for crowd, relay in zip(self.each, self.fleet.relays, strict=True):
            crowd.address = relay.smtp if relay.process.poll() is None else None

    @contextmanager
    def busy(self) -> Iterator[None]:
        with ExitStack() as stack:
            for crowd in self.each:
                stack.enter_context(crowd.busy())
            yield

    @property
    def answers(self) -> Answers:
        all_of_them = Answers()
        for crowd in self.each:
            all_of_them.accepted |= crowd.answers.accepted
            all_of_them.refused |= crowd.answers.refused
            all_of_them.unanswered |= crowd.answers.unanswered
        return all_of_them


@contextmanager
def watched(fleet: Fleet) -> Iterator[list[Taken]]:
    """Gather what SES takes while the block runs."""
    began, found = time.time(), list[Taken]()
    yield found
    ended = time.time()
    found += [each for each in fleet.ses.book().taken if each.at is not None and began <= each.at < ended]


def shares(taken: list[Taken], column: int) -> list[int]:
    """How much each relay (0) or delegate (1) had, least first."""
    return sorted(Counter(each.name.split("-")[column] for each in taken).values())


def is_fair(counts: list[int]) -> bool:
    fair = sum(counts) / len(counts)
    return (1 - UNFAIR) * fair <= counts[0] and counts[-1] <= (1 + UNFAIR) * fair


def is_up(relay: RunningRelay) -> bool:
    return relay.count("ses_relay_shared_up", use="shared") == 1


def shared_line(relay: RunningRelay) -> str:
    return next(line for line in relay.readiness().splitlines() if " shared" in line)


def test_one_pace_whatever_becomes_of_redis(
    make_fleet: MakeFleet, make_store: Callable[..., Store], figures: Figures
) -> None:
    """
    SES tells 10,000 and bears less; ``max_send_rate`` is unset. Close under the limit, hardly a call throttled, fair to
    relays and delegates; then without Redis at one relay and at all, with a slow and a full one: never faster than SES
    bears, no 5xx, and each state has a name.
    """
    fleet, store = make_fleet(spool=False), make_store(2)
    fleet.ses.be(rate=RATE, slow=0.04)
    wire = SlowWire((fleet.network.address(1), PORT), (store.place.address, PORT))
    for _ in range(RELAYS):
        fleet.add(fleet.network.address(1), "direct", budget="5s")
    rows: list[tuple[str, str]] = []

    with wire.up():
        fleet.start_all()
        crowds = Crowds(fleet, 16 if FULL else 10)
        with crowds.busy():
            _steady(fleet, store, rows)
            _cut_off(fleet, rows)
            _slow(fleet, wire, rows)
            _full(fleet, store, rows)
        book, said = fleet.ses.book(), fleet.said()
    rows.append(("throttled in all", f"{book.throttled} of {book.calls}, {100 * book.throttled / book.calls:.2f} %"))
    figures.add(f"{RELAYS} relays in namespaces, SES bears {RATE} a second and tells 10,000", rows)

    reckoning = reckon(0, crowds.answers, book, fleet.all_that_ran())
    assert book.throttled < 0.05 * book.calls
    assert not reckoning.lost
    assert not reckoning.duplicated
    assert {reply[0] for reply in crowds.answers.refused.values()} <= {"4"}
    assert [secret for secret in SECRETS if secret in said] == []


def _steady(fleet: Fleet, store: Store, rows: list[tuple[str, str]]) -> None:
    time.sleep(6)  # the limit is found
    before, asked = fleet.ses.book(), store.calls()
    with watched(fleet) as taken:
        time.sleep(SECONDS)
    after, calls = fleet.ses.book(), store.calls()
    rate, throttled = len(taken) / SECONDS, (after.throttled - before.throttled) / (after.calls - before.calls)
    scripts = calls["evalsha"] - asked["evalsha"]
    commands = sum(calls.values()) - sum(asked.values())
    rows += [
        ("sent a second", f"{rate:.1f}"),
        ("calls throttled", f"{100 * throttled:.2f} %"),
        ("each relay's part", " ".join(map(str, shares(taken, 0)))),
        ("each delegate's part", " ".join(map(str, shares(taken, 1)))),
        ("scripts, commands a message", f"{scripts / len(taken):.2f}, {commands / len(taken):.1f}"),
    ]
    assert (0.95 if FULL else 0.8) * RATE <= rate <= (1.03 if FULL else 1.2) * RATE  # of five seconds
    assert throttled < (0.01 if FULL else 0.05)  # a try now and then, of fewer calls
    assert is_fair(shares(taken, 0))
    assert is_fair(shares(taken, 1))


def _cut_off(fleet: Fleet, rows: list[tuple[str, str]]) -> None:
    """One relay hears nothing of Redis any more, then none does."""
    one, *others = fleet.relays
    fleet.places[0].deafen(PORT)
    one.wait_until(lambda: not is_up(one), "loss", 10)
    assert "is away" in shared_line(one)
    assert f"this relay goes by itself, at 1/{RELAYS} of the pace" in shared_line(one)
    assert one.is_ready()
    assert all(map(is_up, others))
    with watched(fleet) as taken:
        time.sleep(WINDOW)
    rows.append(("a second, one relay without Redis", f"{len(taken) / WINDOW:.1f}: {shares(taken, 0)}"))
    assert LEAST * RATE <= len(taken) / WINDOW <= MOST * RATE

    for place in fleet.places[1:]:
        place.deafen(PORT)
    for relay in others:
        relay.wait_until(lambda: not is_up(relay), "loss", 10)  # noqa: B023  asked at once
    with watched(fleet) as taken:
        time.sleep(WINDOW)
    rows.append(("a second, all without Redis", f"{len(taken) / WINDOW:.1f}: {shares(taken, 0)}"))
    assert LEAST * RATE <= len(taken) / WINDOW <= MOST * RATE
    for place in fleet.places:
        place.heal()
    _is_back(fleet, rows, "a second, after that")


def _slow(fleet: Fleet, wire: SlowWire, rows: list[tuple[str, str]]) -> None:
    """Redis is 200 ms away."""
    wire.delay = 0.1
    time.sleep(1)
    with watched(fleet) as taken:
        time.sleep(WINDOW)
    rows.append(("a second, Redis 200 ms away", f"{len(taken) / WINDOW:.1f}: {shares(taken, 0)}"))
    assert LEAST * RATE <= len(taken) / WINDOW <= MOST * RATE
    wire.delay = 0.0


def _full(fleet: Fleet, store: Store, rows: list[tuple[str, str]]) -> None:
    """Redis has no room for a single octet more."""
    assert store.server.ask("CONFIG", "SET", "maxmemory", "1") == b"+OK"
    for relay in fleet.relays:
        relay.wait_until(lambda: "declines what it is asked: OOM" in shared_line(relay), "a line", 10)  # noqa: B023
    with watched(fleet) as taken:
        time.sleep(WINDOW)
    rows.append(("a second, Redis is full", f"{len(taken) / WINDOW:.1f}: {shares(taken, 0)}"))
    assert LEAST * RATE <= len(taken) / WINDOW <= MOST * RATE
    assert store.server.ask("CONFIG", "SET", "maxmemory", "0") == b"+OK"


def _is_back(fleet: Fleet, rows: list[tuple[str, str]], what: str) -> None:
    for relay in fleet.relays:
        relay.wait_until(partial(is_up, relay), "Redis", 10)
    with watched(fleet) as taken:
        time.sleep(WINDOW)
    rows.append((what, f"{len(taken) / WINDOW:.1f}: {shares(taken, 0)}"))
    assert (0.75 if FULL else 0.65) * RATE <= len(taken) / WINDOW <= MOST * RATE


def test_relays_and_redis_die_under_load(
    make_fleet: MakeFleet, make_store: Callable[..., Store], figures: Figures, faked: Callable[..., dict[str, str]]
) -> None:
    """
    All they share, the spool too, at a Redis with a replica; clocks of relays an hour apart. Relays are killed with -9,
    Redis is killed and back with its log, then deposed by its replica. No message that was answered 250 is lost, few
    are sent twice: calls that were cut off, and what was removed when the primary died; nothing is refused for good.
    """
    rng = random.Random("fleet")
    fleet = make_fleet(spool=True)
    primary, replica = (make_store(last, **DURABLE) for last in (2, 3))
    replica.follow(primary)
    clocks = ["+0", "+1h", "-1h"]
    for _ in clocks:
        fleet.add(primary.place.address, "spool", read_timeout="1s", ses_options='connect_timeout = "500ms"')
    fleet.start_all(lambda number: faked(clocks[number], jumps=False))
    fleet.relays[0].wait_until(replica.is_in_step, "replica")
    fleet.ses.be(**{**STORM, "throttle": 0.0})  # the pace is looked at above

    crowds, kills = Crowds(fleet, CLIENTS, pause=REST), 0
    with crowds.busy():
        for kills in range(1, KILLS + 1):
            _until_more(crowds)
            time.sleep(rng.random() * 0.3)
            which = rng.randrange(len(clocks))
            crowds.each[which].address = None
            kill(fleet.relays[which])
            relay = fleet.launch(which, faked(clocks[which], jumps=False))
            if kills % 3 == 1:
                primary.server.kill()
                time.sleep(0.3)
                primary.server.start()
            relay.addresses = relay.wait_for("relay.ready")
            crowds.point()
        _until_more(crowds)
        fleet.relays[0].wait_until(replica.is_in_step, "replica")
        _depose(fleet, primary, replica)
        _until_more(crowds)
    fleet.ses.be()
    fleet.relays[0].wait_until(lambda: _is_drained(replica), "empty spool", 90)
    said = fleet.said()
    for relay in fleet.relays:
        assert relay.signalled(signal.SIGTERM, 40) == 0, relay.text[-3000:]

    reckoning = reckon(kills, crowds.answers, fleet.ses.book(), fleet.all_that_ran())
    figures.add("relays killed, Redis killed, deposed; one spool", list(reckoning.rows())[:-1])  # clocks differ
    assert not reckoning.lost
    assert not reckoning.changed
    assert reckoning.quarantined == 0
    # What was removed in the last moment comes back with a replica that lacks it.
    assert reckoning.duplicated <= reckoning.unsettled + reckoning.answers_lost + len(clocks) * CLIENTS
    assert {reply[:3] for reply in crowds.answers.refused.values()} <= {"451", "452"}
    assert [secret for secret in SECRETS if secret in said] == []


def _until_more(crowds: Crowds) -> None:
    """Wait for more 250s."""
    enough = len(crowds.answers.accepted) + MORE
    living = next(relay for relay in crowds.fleet.relays if relay.process.poll() is None)
    living.wait_until(lambda: len(crowds.answers.accepted) >= enough, "250s", 60)


def _depose(fleet: Fleet, primary: Store, replica: Store) -> None:
    """The primary dies, its replica takes over, the name leads there, and what was the primary follows."""
    primary.server.kill()
    replica.lead()
    for place in fleet.places:
        place.knows(**{NAME.replace(".", "_"): replica.place.address})
    primary.server.start()
    primary.follow(replica)


def _is_drained(store: Store) -> bool:
    return all(store.server.ask("ZCARD", f"{{ses-relay:spool}}:state:{state}") == b":0" for state in ("due", "sending"))
