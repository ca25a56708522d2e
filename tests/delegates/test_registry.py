"""The registry: right, wrong, unknown and too busy, with real argon2 at small cost."""

import asyncio
import os
import threading
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from relay.delegates.credentials import Cost, cost_of
from relay.delegates.entries import Entry
from relay.delegates.passwords import Bounds, decoy, hash_password, verify_argon2
from relay.delegates.registry import Doors, Registry
from relay.smtp.ports import Delegates
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from tests.words.test_hashes import ARGON2

CHEAP = Cost(memory=8, passes=1)
HOME = ip_address("10.0.0.7")
ABROAD = ip_address("203.0.113.9")
PASSWORD = "correct horse battery staple"
HASH = hash_password(PASSWORD, CHEAP)


def entry(name: str = "billing", password_hash: str | None = HASH, **more) -> Entry:
    return Entry.of(Delegate(name, "111111111111"), password_hash=password_hash, **more)


class Bench:
    """A registry whose clock stands still and whose argon2 is counted."""

    def __init__(self, *entries: Entry, bounds: Bounds | None = None) -> None:
        self.now = 1000.0
        self.checked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.registry = Registry(
            entries,
            bounds=bounds,
            verify=self._verify,
            hash_file=partial(hash_password, cost=CHEAP),
            doors=Doors(monotonic=lambda: self.now),
        )

    def _verify(self, hashed: str, password: str) -> bool:
        self.gate.wait(10)
        self.checked.append(hashed)
        return verify_argon2(hashed, password)

    async def ask(self, name: str = "billing", password: str = PASSWORD, client=HOME):
        return await self.registry.verify(name, password, client)


@pytest.fixture
def bench():
    made: list[Bench] = []

    def make(*entries: Entry, **more) -> Bench:
        made.append(Bench(*entries, **more))
        return made[-1]

    yield make
    for each in made:
        each.gate.set()
        each.registry.close()


def test_it_is_what_the_street_door_asks(bench):
    """The type checker holds the registry to the door's port."""
    door: Delegates = bench(entry()).registry
    assert door.by_network(HOME) is None


async def test_the_right_password(bench):
    assert await bench(entry()).ask() == "billing"


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "ü\0\udcff", "x" * 5000])
async def test_a_wrong_password(bench, password):
    """No is None, whatever was typed."""
    assert await bench(entry()).ask(password=password) is None


@pytest.mark.parametrize(
    "question",
    [
        {"name": "nobody"},
        {"name": "nobody\udcff"},
        {"name": ""},
        {"name": "network-only"},
        {"client": ABROAD},
        {"password": "wrong"},
    ],
    ids=str,
)
async def test_every_no_costs_one_check(bench, question):
    """An unknown name, a name without password, a wrong network and a wrong password: one argon2 of the same cost."""
    home = (ip_network("10.0.0.0/8"),)
    tried = bench(entry(allowed_networks=home), entry("network-only", None, trusted_networks=home))

    assert await tried.ask(**question) is None

    assert [cost_of(hashed) for hashed in tried.checked] == [CHEAP]


async def test_a_wrong_network_is_no_even_for_a_known_password(bench):
    """What is remembered of home is not believed abroad, and abroad the right password is looked at for nothing."""
    tried = bench(entry(allowed_networks=(ip_network("10.0.0.0/8"),)))

    assert await tried.ask() == "billing"
    assert await tried.ask(client=ABROAD) is None
    assert await tried.ask(client=ip_address("::ffff:10.0.0.7")) == "billing"
    assert len(tried.checked) == 2


async def test_an_unknown_name_costs_what_some_delegate_costs(bench):
    """With hashes of two costs every unknown name sticks to one of them, so that asking twice tells nothing."""
    other = Cost(memory=16, passes=1)
    tried = bench(entry(), entry("news", hash_password("x", other)))
    for _ in range(2):
        for number in range(20):
            await tried.ask(name=f"nobody{number}")

    costs = [cost_of(hashed) for hashed in tried.checked]
    assert costs[:20] == costs[20:]
    assert set(costs) == {CHEAP, other}


def test_a_decoy_is_a_hash_that_costs_the_same():
    """It can be checked like any other, and nothing matches it."""
    for cost in (CHEAP, Cost(), Cost("i", 64, 3, 2, 11, 86)):
        assert cost_of(decoy(cost)) == cost
    assert verify_argon2(decoy(CHEAP), "") is False


async def test_a_right_password_is_remembered_for_five_minutes(bench):
    """The second time costs no argon2, until the time is over."""
    tried = bench(entry())
    for seconds in (0, 1, 298, 1):
        tried.now += seconds
        assert await tried.ask() == "billing"
    assert len(tried.checked) == 2


async def test_a_wrong_password_is_never_remembered(bench):
    tried = bench(entry())
    for _ in range(3):
        assert await tried.ask(password="wrong") is None
    assert len(tried.checked) == 3


async def test_what_is_remembered_is_bounded(bench):
    """Past the bound the oldest is forgotten."""
    names = ["a", "b", "c"]
    tried = bench(*map(entry, names), bounds=Bounds(remembered=2))
    for name in (*names, "c", "b", "a"):
        assert await tried.ask(name) == name
    assert len(tried.checked) == 4


async def test_what_was_right_a_short_while_ago_is_known_at_once(bench):
    """As long as asking would cost no check: for that very password, from where the delegate may be."""
    tried = bench(entry(allowed_networks=(ip_network("192.0.2.0/24"),)))
    inside, outside = ip_address("192.0.2.1"), ip_address("198.51.100.1")
    knows = tried.registry.knows
    assert not knows("billing", PASSWORD, inside)
    assert await tried.registry.verify("billing", PASSWORD, inside) == "billing"

    assert knows("billing", PASSWORD, inside)
    assert not knows("billing", PASSWORD, outside)
    assert not knows("billing", "wrong", inside)
    assert not knows("nobody", PASSWORD, inside)
    tried.now += 300
    assert not knows("billing", PASSWORD, inside)


async def test_memory_holds_no_password(bench):
    """Neither the password nor its hash is kept; only digests under this process's key."""
    tried = bench(entry())
    await tried.ask()
    kept = repr(tried.registry._checkpoint._remembered)
    assert PASSWORD not in kept
    assert HASH not in kept
    other = bench(entry())
    await other.ask()
    assert kept != repr(other.registry._checkpoint._remembered)
    assert HASH not in repr(entry())


def test_nothing_is_remembered_longer_than_five_minutes():
    with pytest.raises(ValueError, match="five minutes"):
        Bounds(remembered_seconds=301)


async def test_a_reload_forgets_what_has_changed(bench):
    """A new hash, or no delegate any more, holds at once; an unchanged one stays known."""
    tried = bench(entry())
    assert await tried.ask() == "billing"

    tried.registry.replace([entry(), entry("news")])
    assert await tried.ask() == "billing"
    assert len(tried.checked) == 1

    tried.registry.replace([entry(password_hash=hash_password("new", CHEAP))])
    assert await tried.ask() is None
    assert await tried.ask(password="new") == "billing"

    tried.registry.replace([])
    assert await tried.ask(password="new") is None
    assert tried.registry.get("billing") is None


def test_two_of_one_name_change_nothing(bench):
    """A broken replacement is refused as a whole."""
    tried = bench(entry())
    with pytest.raises(ValueError, match="one name"):
        tried.registry.replace([entry("news"), entry("news")])
    assert tried.registry.get("billing") == Delegate("billing", "111111111111")


async def test_too_many_at_once(bench):
    """One thread is busy, one check waits, the third is told to come again: never a no, never a longer queue."""
    tried = bench(entry(), bounds=Bounds(threads=1, waiting=1))
    tried.gate.clear()
    waiting = [asyncio.create_task(tried.ask(password=f"wrong{number}")) for number in range(3)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    assert [task.result() for task in done] == [Unavailable("too many password checks at once")]
    tried.gate.set()
    assert (await asyncio.gather(*waiting)).count(None) == 2
    assert await tried.ask() == "billing"


async def test_one_check_for_all_who_ask_the_same(bench):
    """Fifty connections with one password after a restart cost one argon2; one that leaves takes it from nobody."""
    tried = bench(entry(), bounds=Bounds(threads=1, waiting=1))
    tried.gate.clear()
    asking = [asyncio.create_task(tried.ask()) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    tried.gate.set()

    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert answers[1:] == ["billing"] * 49
    assert len(tried.checked) == 1


async def test_a_hash_that_cannot_be_checked(bench):
    """It is temporary, and the reason names no secret."""
    answer = await bench(entry(password_hash="$argon2id$nonsense")).ask()
    assert isinstance(answer, Unavailable)
    assert "nonsense" not in answer.why


class TestPasswordFiles:
    """A file with the password, or its hash."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "password"
        path.write_text(PASSWORD + "\n")
        return path

    @pytest.mark.parametrize(
        "text",
        [PASSWORD, PASSWORD + "\n", PASSWORD + "\r\n", HASH, HASH + "\n"],
        ids=["clear", "clear, LF", "clear, CRLF", "hash", "hash, LF"],
    )
    async def test_in_clear_or_hashed(self, bench, path, text):
        path.write_text(text)
        tried = bench(entry(password_hash=None, password_file=path))
        assert await tried.ask() == "billing"
        assert await tried.ask(password="wrong") is None

    async def test_clear_text_costs_a_check_too(self, bench, path):
        """Nobody can tell a password in clear from a hash, or from an unknown name, by what it costs."""
        tried = bench(entry(password_hash=None, password_file=path))
        await tried.ask(password="wrong")
        await tried.ask(name="nobody")
        assert [cost_of(hashed) for hashed in tried.checked] == [CHEAP, CHEAP]

    async def test_a_changed_file_counts(self, bench, path):
        """The new password is right within a second, and the old one is wrong though it was remembered."""
        tried = bench(entry(password_hash=None, password_file=path))
        assert await tried.ask() == "billing"

        path.write_text("another")
        os.utime(path, (1, 1))
        tried.now += 1

        assert await tried.ask() is None
        assert await tried.ask(password="another") == "billing"

    async def test_what_a_file_held_is_known_until_it_has_to_be_looked_at_again(self, bench, path):
        """A password that was taken out of it must not be let in unasked."""
        tried = bench(entry(password_hash=None, password_file=path))
        assert await tried.ask() == "billing"
        assert tried.registry.knows("billing", PASSWORD, HOME)
        tried.now += 1
        assert not tried.registry.knows("billing", PASSWORD, HOME)

    async def test_an_unchanged_file_keeps_what_is_remembered(self, bench, path):
        """The file is looked at again, not read and hashed again."""
        tried = bench(entry(password_hash=None, password_file=path))
        for _ in range(3):
            assert await tried.ask() == "billing"
            tried.now += 2
        assert len(tried.checked) == 1

    @pytest.mark.parametrize("spoil", [Path.unlink, lambda p: p.write_text(""), lambda p: p.write_bytes(b"\xff"),
                                       lambda p: p.write_text("$argon2id$canary"),
                                       lambda p: p.write_text(ARGON2.replace("m=19456", "m=9999999"))])  # fmt: skip
    async def test_a_file_that_cannot_be_used(self, bench, path, spoil):
        """
        It is temporary: the file may be on its way; and once it is there, it counts. A hash that takes gigabytes is
        never checked.
        """
        tried = bench(entry(password_hash=None, password_file=path))
        spoil(path)

        answer = await tried.ask()
        assert isinstance(answer, Unavailable)
        assert "canary" not in answer.why
        assert tried.checked == []

        path.write_text(PASSWORD)
        assert await tried.ask() == "billing"
