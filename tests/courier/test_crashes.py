"""What a start makes of a relay that was killed."""

import asyncio
import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from relay.courier.recovery import MOST_CRASHES, POISON, after_crash, after_loss
from relay.courier.schedule import Schedule
from relay.observe.events import AttemptsFound
from relay.sending.outcomes import Mail, Outcome
from relay.spool.details import ALONE
from relay.spool.entries import Entry, State
from relay.words.unavailable import Unavailable
from tests.clockwork import clockwork
from tests.courier.scene import DEMO, THROTTLED, crash, entry, in_order, keep, name_of, scene, taken
from tests.spool.building import NOON
from tests.spool.memory import MemorySpool

QUICK = Schedule(unsure=2)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies."""
    return Path(shutil.copytree(DEMO / "policies", tmp_path / "policies"))


class Forgetful(MemorySpool):
    """Says once that *lost* is sending, whose end it lost, unless it is told that it is under way."""

    lost = ""
    is_shared = True

    async def unattended(self, busy: Collection[str]) -> Sequence[Entry] | Unavailable:
        found = self._sorted(lambda one: one.id == self.lost and one.id not in busy)
        self.lost = "" if found else self.lost
        return found


async def left_sending(*names: str) -> MemorySpool:
    """A spool in which these were being sent."""
    spool = MemorySpool()
    await keep(spool, *(entry(name, state=State.SENDING, attempts=1) for name in names))
    return spool


def test_attempts_without_an_end_are_tried_again_one_at_a_time_and_marked(policies: Path) -> None:
    """
    They wait a while, they are counted, and while one of them is sent nothing else is; other mail goes meanwhile.
    """

    async def story() -> None:
        spool = await left_sending("s1", "s2", "s3")
        async with scene(policies, spool=spool) as one:
            await keep(one.spool, *(entry(f"m{n}") for n in range(5)))
            one.courier.look()
            await one.until(lambda: len(one.ses.sent) == 5)
            first_pause = asyncio.get_running_loop().time()
            await asyncio.sleep(20)
            await keep(one.spool, *(entry(f"later{n}", due_at=NOON + 20 + n / 50) for n in range(500)))
            await one.idle()

        (found,) = one.of(AttemptsFound)
        assert sorted(found.queue_ids) == ["s1", "s2", "s3"]
        assert first_pause < 1
        depths = {name_of(mail): depth for (_, mail), depth in zip(one.ses.calls, one.ses.depths, strict=True)}
        starts = {name_of(mail): at for at, mail in one.ses.calls}
        for name in ("s1", "s2", "s3"):
            assert depths[name] == 1, "nothing else was under way"
            others = [at for other, at in starts.items() if other != name and starts[name] <= at < starts[name] + 0.05]
            assert not others, "nothing else was begun"
        marked = {name_of(mail) for _, mail in one.ses.calls if mail.head.startswith(b"X-Relay-Attempt")}
        assert marked == {"s1", "s2", "s3"}
        assert len(one.ses.sent) == len(set(one.ses.sent)) == 508

    clockwork(story())


def test_those_left_by_a_crash_do_not_take_all_the_time(policies: Path) -> None:
    """
    SES takes a minute for each of them: between two of them others have as long.
    """

    async def story() -> None:
        async def answer(mail: Mail) -> Outcome:
            await asyncio.sleep(60 if name_of(mail).startswith("s") else 0)
            return taken(mail)

        spool = await left_sending("s1", "s2")
        async with scene(policies, answer, spool=spool, schedule=QUICK) as one:
            await one.until(lambda: one.ses.running == 1)
            await keep(one.spool, *(entry(f"m{n}", due_at=NOON + 1) for n in range(5)))
            await one.until(lambda: len(one.ses.sent) >= 6)
            took = asyncio.get_running_loop().time()
            await one.idle()

        assert took < 70, "the five go as soon as the first is done"
        assert one.ses.sent[0].startswith("s")
        assert one.ses.sent[-1].startswith("s")
        assert one.ses.calls[-1][0] >= 120

    clockwork(story())


def test_only_what_was_alone_at_three_deaths_is_quarantined(policies: Path) -> None:
    """
    A message that kills the relay whenever it is sent, among others that do not: those are sent, it is set aside.
    """

    async def story() -> None:
        spool, deaths, sent = MemorySpool(), 0, []
        await keep(spool, *(entry(f"m{n}") for n in range(6)), entry("poison"))

        for _ in range(10):
            dying = asyncio.Event()

            async def answer(mail: Mail, dying: asyncio.Event = dying) -> Outcome:
                if name_of(mail) == "poison":
                    dying.set()
                    await asyncio.sleep(3600)
                return taken(mail)

            async with scene(policies, answer, spool=spool, schedule=QUICK) as one:
                with suppress(TimeoutError):
                    async with asyncio.timeout(100):
                        await dying.wait()
                left = crash(one)
                sent += one.ses.sent
            if not dying.is_set():
                break
            spool, deaths = left, deaths + 1

        assert deaths in (MOST_CRASHES, MOST_CRASHES + 1), "the first may not have been alone"
        assert one.kept["poison"].state is State.QUARANTINED
        assert one.kept["poison"].last == POISON
        assert one.results.count("quarantined") == 1
        assert set(one.kept) == {"poison"}
        assert {f"m{n}" for n in range(6)} <= set(sent)

    clockwork(story())


def test_after_a_crash_a_message_that_was_tried_since_is_as_any_other(policies: Path) -> None:
    """
    An attempt with an end takes the suspicion away.
    """

    async def story() -> None:
        spool = await left_sending("s1")
        async with scene(policies, in_order(THROTTLED), spool=spool, schedule=QUICK) as one:
            await one.until(lambda: one.results)
            waits = one.kept["s1"]
            await one.idle()

        assert ALONE not in waits.details
        assert (waits.crashes, waits.maybe) == (1, 1)

    clockwork(story())


def test_deaths_with_several_under_way_accuse_nobody() -> None:
    """
    However often: all are tried again, all may be duplicates.
    """
    found = tuple(entry(name, state=State.SENDING, crashes=2) for name in ("a", "b"))

    after = after_crash(found, Schedule(), NOON, 0.5)

    assert [each.state for each in after] == [State.DUE, State.DUE]
    assert [(each.crashes, each.maybe) for each in after] == [(2, 1), (2, 1)]
    assert after_crash(found[:1], Schedule(), NOON, 0.5)[0].state is State.QUARANTINED


def test_after_each_death_alone_it_waits_longer() -> None:
    """
    So a relay that is killed every few seconds by somebody else accuses nobody; the longest pause is a bound.
    """
    schedule = Schedule(unsure=30, longest=900)

    def wait(crashes: int) -> float:
        (after,) = after_crash((entry("a", state=State.SENDING, crashes=crashes),), schedule, NOON, 0)
        return after.due_at - NOON

    assert [wait(crashes) for crashes in range(MOST_CRASHES - 1)] == [120, 480]
    several = after_crash([entry(name, state=State.SENDING) for name in "ab"], schedule, NOON, 0)
    assert [each.due_at - NOON for each in several] == [30, 30]


@pytest.mark.parametrize("chance", [0, 0.5, 0.999])
@pytest.mark.parametrize("found", [after_crash, after_loss])
def test_what_ses_may_have_waits_for_spool_retry_unsure_at_least(
    found: Callable[[Sequence[Entry], Schedule, float, float], tuple[Entry, ...]], chance: float
) -> None:
    """
    Whatever is drawn, after a death and after what the spool lost alike.
    """
    for after in found([entry(name, state=State.SENDING) for name in "ab"], Schedule(unsure=30), NOON, chance):
        assert 30 <= after.due_at - NOON <= 45


def test_a_damaged_message_is_reported_and_never_sent(policies: Path) -> None:
    """
    The spool sets it aside; the others go.
    """

    async def story() -> None:
        async with scene(policies) as one:
            await keep(one.spool, entry("broken"), entry("whole"))
            one.spool.damage("broken")
            await one.until(lambda: len(one.results) == 2)
            await asyncio.sleep(1000)

        assert sorted(one.results) == ["quarantined", "sent"]
        assert one.ses.sent == ["whole"]
        assert one.kept["broken"].state is State.QUARANTINED

    clockwork(story())


def test_what_the_spool_lost_the_end_of_is_sent_and_marked(policies: Path) -> None:
    """
    Nobody died of it: it does not go alone, nor does it count as a crash.
    """

    async def story() -> None:
        async with scene(policies, spool=Forgetful()) as one:
            await asyncio.sleep(1)
            await keep(one.spool, entry("s1", state=State.SENDING, attempts=1))
            one.spool.lost = "s1"  # type: ignore[attr-defined]  # as it was made above
            await one.until(lambda: one.ses.sent == ["s1"])
            mail = one.ses.calls[0][1]
            assert b"maybe-duplicate" in mail.head
            assert [each.queue_ids for each in one.events if isinstance(each, AttemptsFound)][-1] == ("s1",)

    clockwork(story())
