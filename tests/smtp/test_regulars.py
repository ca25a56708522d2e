"""One pod with an old password, and the fifty applications behind the same address."""

import asyncio
import tracemalloc
from dataclasses import replace

from relay.observe.events import AuthTried
from relay.smtp.budgets import Guesses, Prefix
from relay.smtp.ports import ClientAddress
from relay.smtp.regulars import Regulars
from relay.words.unavailable import Unavailable
from tests.smtp.stage import PLAIN, QUICK, b64, plain, stage

NAT: Prefix = (4, 1)
ELSEWHERE: Prefix = (4, 2)
DAY = 86_400


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def spend_the_budget(on, name: str = "app2", password: str = "old") -> None:
    """As one pod does that nobody has told of the new password."""
    for _ in range(4):
        client = await on.greeted("plain")
        await client.says(plain(name, password))
        await client.close()


async def test_one_pod_with_an_old_password_locks_nobody_out(authority):
    """Who was let in before goes on; who was not is told to come again, right or wrong; nobody else's is looked at."""
    async with stage(authority, PLAIN, auth_failures_per_minute=4) as on:
        await on.authenticated("plain")
        await spend_the_budget(on)
        asked = len(on.delegates.asked)
        for _ in range(50):
            await (await on.authenticated("plain")).close()

        strangers = [await on.greeted("plain") for _ in range(3)]
        answers = [await strangers[0].says(plain("app2", "s3cret-app2")), await strangers[0].says(plain("app2", "old"))]
        answers += [await strangers[1].says(plain("nobody", "x")), await strangers[2].says(plain("app1", "wrong"))]

    assert [answer[:9] for answer in answers] == ["454 4.7.0"] * 4
    assert on.delegates.asked[asked:] == ["app1"] * 50
    assert [event.result for event in on.of(AuthTried)][-4:] == ["throttled"] * 4


async def test_who_waits_for_others_to_fail_is_not_locked_out_with_them(authority, monkeypatch):
    """Guesses that are still open decide whether the budget is spent; who was let in before only waits for that."""
    async with stage(authority, PLAIN, auth_failures_per_minute=4) as on:
        await on.authenticated("plain")
        verify, all_open, may_end = on.delegates.verify, asyncio.Barrier(5), asyncio.Event()

        async def slowly(name: str, password: str, client: ClientAddress) -> str | Unavailable | None:
            if password == "old":
                await all_open.wait()
                await may_end.wait()
            return await verify(name, password, client)

        monkeypatch.setattr(on.delegates, "verify", slowly)
        pods = [await on.greeted("plain") for _ in range(4)]
        failing = [asyncio.create_task(pod.says(plain("app2", "old"))) for pod in pods]
        await all_open.wait()
        regular = await on.greeted("plain")
        coming_in = asyncio.create_task(regular.says(plain("app1", "s3cret-app1")))
        await asyncio.sleep(0.1)
        may_end.set()

        assert {answer[:3] for answer in await asyncio.gather(*failing)} == {"535"}
        assert (await coming_in).startswith("235")


async def test_the_same_by_login(authority):
    async with stage(authority, PLAIN, auth_failures_per_minute=4) as on:
        await on.authenticated("plain")
        await spend_the_budget(on)
        client = await on.greeted("plain")

        assert await client.says("AUTH LOGIN") == "334 " + b64(b"Username:")
        await client.says(b64(b"app1"))
        assert (await client.says(b64(b"s3cret-app1"))).startswith("235")


async def test_a_password_that_is_right_no_more_is_wrong(authority):
    """What was right before is checked as ever: only whether it is looked at hangs on the past."""
    async with stage(authority, PLAIN, auth_failures_per_minute=4) as on:
        await on.authenticated("plain")
        await spend_the_budget(on)
        on.delegates.secrets = {"app1": "new"}
        client = await on.greeted("plain")

        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("535")
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("454")


async def test_success_gives_back_the_failures_of_its_name(authority):
    """So the pods of one application with the new password lift the lock that the one with the old has set."""
    async with stage(authority, PLAIN, auth_failures_per_minute=4) as on:
        await on.authenticated("plain")
        await spend_the_budget(on, "app1")
        await on.authenticated("plain")
        client = await on.greeted("plain")

        assert (await client.says(plain("app2", "s3cret-app2"))).startswith("235")


async def test_guesses_at_a_known_name_are_bounded_past_the_budget(authority):
    """Ten different ones a day, with a day's budget of ten: then the right one is no answer either."""
    async with stage(authority, PLAIN, auth_failures_per_minute=4, auth_failures_per_day=10, errors=100) as on:
        await on.authenticated("plain")
        await spend_the_budget(on)
        client = await on.greeted("plain")
        for number in range(9):
            assert (await client.says(plain("app1", f"guess{number}"))).startswith("454")
        for _ in range(30):
            assert (await client.says(plain("app1", "guess0"))).startswith("454")
        await (await on.authenticated("plain")).close()
        assert (await client.says(plain("app1", "guess9"))).startswith("454")

        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("454")


def test_what_was_right_is_known_for_a_day_and_from_its_own_address():
    clock = Clock()
    regulars = Regulars(clock)
    regulars.welcome(NAT, "app1", "right")

    def known(prefix: Prefix = NAT, name: str = "app1", password: str = "right") -> bool:
        return regulars.knows(prefix, name, password, most=50)

    assert known()
    assert not known(ELSEWHERE)
    assert not known(name="app2")
    assert not known(name="app1right", password="")
    assert not known(password="wrong")
    clock.now = DAY - 1
    assert known()
    clock.now = DAY
    assert not known()


def test_two_passwords_of_one_name_are_known_together():
    regulars = Regulars(Clock())
    for password in ("old", "new"):
        regulars.welcome(NAT, "app1", password)

    assert all(regulars.knows(NAT, "app1", password, most=50) for password in ("old", "new"))
    regulars.forget(NAT, "app1", "old")
    assert not regulars.knows(NAT, "app1", "old", most=50)
    assert regulars.knows(NAT, "app1", "new", most=50)


def test_no_password_is_kept():
    regulars = Regulars(Clock())
    regulars.welcome(NAT, "app1", "canary")
    regulars.knows(NAT, "app1", "canary-wrong", most=50)

    assert "canary" not in repr(regulars._known)
    other = Regulars(Clock())
    other.welcome(NAT, "app1", "canary")
    assert repr(other._known) != repr(regulars._known)


def test_a_flood_costs_a_bounded_memory():
    """More addresses than are kept, each with failures of ever new and long names, and many that were right once."""
    tracemalloc.start()
    guesses, regulars = Guesses(Clock()), Regulars(Clock())
    for number in range(52_000):
        prefix = (6, number)
        for failure in range(2):
            guesses.failed(prefix, f"name{number}{failure}" * 50)
        if number % 5 == 0:
            regulars.welcome(prefix, f"name{number}", "right")
            regulars.knows(prefix, f"name{number}", "wrong", most=50)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 64 << 20
    assert (len(guesses._failures), len(regulars._known)) == (50_000, 10_000)


def test_one_address_that_never_stops_costs_a_bounded_memory():
    guesses = Guesses(Clock())
    for number in range(10_000):
        guesses.failed(NAT, f"name{number}")

    assert len(guesses._failures[NAT]) == guesses._count == 1000


async def test_guessing_is_bounded_while_not_all_passwords_can_be_read(authority, monkeypatch):
    """A wrong one may be right in a file that is away: it is no failure of the day, but a guess within the minute."""
    clock, limits = Clock(), replace(QUICK, auth_failures_per_minute=4, auth_failures_per_day=5, errors=100)
    async with stage(authority, PLAIN, monotonic=clock, limits=limits) as on:

        async def unsure(name: str, password: str, client: ClientAddress) -> str | Unavailable | None:
            on.delegates.asked.append(name)
            return name if password == "s3cret-app1" else Unavailable("one of its files is away", is_guess=True)

        monkeypatch.setattr(on.delegates, "verify", unsure)
        client = await on.greeted("plain")
        for number in range(40):
            assert (await client.says(plain("app1", f"guess {number}"))).startswith("454 4.7.0")
        assert len(on.delegates.asked) == 4
        clock.now += 61
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("235")


async def test_what_could_not_be_compared_is_no_guess(authority):
    async with stage(authority, PLAIN, auth_failures_per_minute=4, errors=100) as on:
        on.delegates.away = True
        client = await on.greeted("plain")
        for _ in range(10):
            await client.says(plain("app1", "s3cret-app1"))

    assert len(on.delegates.asked) == 10
