"""What nothing stands before is sent from memory as soon as it is kept; all else waits in the spool."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relay.courier.intake import PromptIntake
from relay.courier.slots import Bounds
from relay.sending.outcomes import Mail, Outcome
from relay.sending.ports import AtOnce, NotNow, Turn
from relay.spool.entries import Entry, State
from relay.spool.ports import Damaged, Full
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.unavailable import Unavailable
from tests.clockwork import clockwork
from tests.courier.scene import (
    DEMO,
    DOWN,
    NOT_LET,
    REFUSED,
    SILENT,
    Scene,
    crash,
    entry,
    in_order,
    keep,
    scene,
    taken,
)
from tests.spool.building import NOON, RAW
from tests.spool.memory import MemorySpool


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies, to be changed."""
    return Path(shutil.copytree(DEMO / "policies", tmp_path / "policies"))


class Heard(MemorySpool):
    """Remembers which messages were read from it, and in which state entries came."""

    def __init__(self) -> None:
        super().__init__()
        self.pause = 0.001
        self.read: list[str] = []
        self.came: dict[str, Entry] = {}

    async def commit(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        await asyncio.sleep(self.pause)
        self.came[entry.id] = entry
        return await super().commit(entry, raw)

    async def due(
        self, now: float, *, limit: int, per_delegate: int, busy: Collection[str] = ()
    ) -> Sequence[Entry] | Unavailable:
        found = await super().due(now, limit=limit, per_delegate=per_delegate, busy=busy)
        await asyncio.sleep(0.01)
        return found

    async def body(self, entry: Entry) -> bytes | Damaged | Unavailable:
        self.read.append(entry.id)
        return await super().body(entry)


@asynccontextmanager
async def open_to_mail(
    policies: Path, answer: Callable[[Mail], Outcome | Awaitable[Outcome]] = taken, **options: object
) -> AsyncIterator[tuple[Scene, Heard, PromptIntake]]:
    """A courier that has looked around and found nothing, and the way in."""
    spool = Heard()
    async with scene(policies, answer, spool=spool, **options) as one:  # type: ignore[arg-type]  # those of scene
        await asyncio.sleep(0.1)
        yield one, spool, PromptIntake(spool, one.courier)


def test_one_transaction_registers_what_another_would(policies: Path) -> None:
    """
    Kept as *sending*, sent without being read again, removed; 250 may be said before SES is asked.
    """

    async def story() -> None:
        async with open_to_mail(policies) as (one, spool, intake):
            assert await intake.commit(entry(), RAW) is None
            intake.look()
            asked = list(one.ses.calls)
            await one.idle()

        assert not asked
        assert (spool.came["a1"].state, spool.came["a1"].attempts) == (State.SENDING, 1)
        assert spool.steps == [("commit", "a1"), ("remove", "a1")]
        assert spool.read == []
        assert one.results == ["sent"]
        assert one.records[0]["attempt"] == 1
        assert one.ses.sent == ["a1"]
        assert b"X-Relay-Attempt" not in one.ses.calls[0][1].head

    clockwork(story())


def test_all_of_a_group_are_answered_before_anything_is_sent(policies: Path) -> None:
    """
    Whose message was kept at the same time hears 250 before SES is asked about any of them.
    """

    async def story() -> None:
        async with open_to_mail(policies) as (one, _, intake):

            async def ask(name: str) -> int:
                assert await intake.commit(entry(name), RAW) is None
                return len(one.ses.calls)

            asked = await asyncio.gather(*map(ask, ("a1", "b2", "c3", "d4")))
            await one.idle()

        assert asked == [0, 0, 0, 0]
        assert sorted(one.ses.sent) == ["a1", "b2", "c3", "d4"]

    clockwork(story())


def test_what_is_handed_in_as_sending_and_has_to_wait_is_due(policies: Path) -> None:
    """
    So reception hands it in; a crash before its first attempt leaves it unmarked.
    """

    async def story() -> None:
        async with open_to_mail(policies, bounds=Bounds(calls=1)) as (one, spool, intake):
            for name in ("a1", "b2"):
                await intake.commit(entry(name, state=State.SENDING, attempts=1), RAW)
            await one.idle()

        came = [(spool.came[name].state, spool.came[name].attempts) for name in ("a1", "b2")]
        assert came == [(State.SENDING, 1), (State.DUE, 0)]
        assert [record["attempt"] for record in one.records] == [1, 1]

    clockwork(story())


@pytest.mark.parametrize(
    ("trouble", "result"), [(DOWN, "deferred"), (SILENT, "ambiguous"), (REFUSED, "refused")], ids=str
)
def test_what_ses_does_not_take_goes_on_as_any_other(policies: Path, trouble: Outcome, result: str) -> None:
    """
    It waits in the spool for its next attempt, read from there; what SES will never take is kept as failed.
    """

    async def story() -> None:
        async with open_to_mail(policies, in_order(trouble)) as (one, spool, intake):
            await intake.commit(entry(), RAW)
            await one.idle()

        if result == "refused":
            assert spool._entries["a1"].state is State.FAILED
            return
        assert one.results == [result, "sent"]
        assert spool.read == ["a1"]

    clockwork(story())


def test_it_is_judged_as_before_any_attempt(policies: Path) -> None:
    """
    A permission withdrawn between 250 and the call counts.
    """

    async def story() -> None:
        async with open_to_mail(policies) as (one, spool, intake):
            one.deny()
            await intake.commit(entry(), RAW)
            await one.until(lambda: one.results)

        assert one.results == ["withdrawn"]
        assert one.ses.calls == []
        assert spool._entries["a1"].state is State.FAILED

    clockwork(story())


def test_what_was_taken_up_is_found_after_a_crash(policies: Path) -> None:
    """
    As every attempt whose end nobody wrote down: tried again, marked.
    """

    async def story() -> None:
        async def never(_: Mail) -> Outcome:
            await asyncio.sleep(1000)
            raise AssertionError("the relay is dead")

        async with open_to_mail(policies, never) as (one, _, intake):
            await intake.commit(entry(), RAW)
            await asyncio.sleep(1)
            left = crash(one)
        async with scene(policies, spool=left) as after:
            await after.idle()

        assert after.ses.sent == ["a1"]
        assert after.ses.calls[0][1].head.startswith(b"X-Relay-Attempt: maybe-duplicate; id=a1\r\n")

    clockwork(story())


def test_a_commit_that_fails_is_answered_and_frees_its_slot(policies: Path) -> None:
    """
    Nothing is sent, and at a gate that only lets a probe through the next one may be it.
    """

    async def story() -> None:
        async with open_to_mail(policies, in_order(NOT_LET), bounds=Bounds(calls=1)) as (one, spool, intake):
            await intake.commit(entry("a1"), RAW)
            await asyncio.sleep(1)
            await spool.remove(entry("a1"))
            await asyncio.sleep(1000)  # the gate is shut, and may be probed
            spool.full = Full("no room")
            full = await intake.commit(entry("b2"), RAW)
            spool.full = None
            assert await intake.commit(entry("c3"), RAW) is None
            await one.idle()

        assert isinstance(full, Full)
        assert one.ses.sent == ["c3"]
        assert spool.came["c3"].state is State.SENDING

    clockwork(story())


def test_a_mistake_in_the_commit_is_told_to_who_asked(policies: Path) -> None:
    """
    The next message finds the slot free.
    """

    async def story() -> None:
        async with open_to_mail(policies, bounds=Bounds(calls=1)) as (one, spool, intake):
            del spool.came
            with pytest.raises(AttributeError):
                await intake.commit(entry("a1"), RAW)
            spool.came = {}
            await intake.commit(entry("b2"), RAW)
            await one.idle()

        assert spool.came["b2"].state is State.SENDING
        assert one.ses.sent == ["b2"]

    clockwork(story())


def test_whoever_asked_may_go_away(policies: Path) -> None:
    """
    What was begun is brought to its end.
    """

    async def story() -> None:
        async with open_to_mail(policies) as (one, spool, intake):
            asked = asyncio.ensure_future(intake.commit(entry(), RAW))
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.sleep(1)
            await one.idle()

        assert one.ses.sent == ["a1"]
        assert spool._entries == {}

    clockwork(story())


def test_without_a_slot_it_waits(policies: Path) -> None:
    """
    Kept as due, until one is free; once nobody waits any more the way is open again.
    """

    async def story() -> None:
        async with open_to_mail(policies, bounds=Bounds(calls=2)) as (one, spool, intake):
            for name in ("a1", "b2", "c3", "d4"):
                await intake.commit(entry(name), RAW)
            await one.idle()
            await asyncio.sleep(0.1)
            await intake.commit(entry("e5"), RAW)
            await one.idle()

        assert {name: each.state.value for name, each in spool.came.items()} == {
            "a1": "sending",
            "b2": "sending",
            "c3": "due",
            "d4": "due",
            "e5": "sending",
        }
        assert sorted(one.ses.sent) == ["a1", "b2", "c3", "d4", "e5"]
        assert one.ses.most <= 2

    clockwork(story())


def test_a_crowd_does_not_close_the_way_for_good(policies: Path) -> None:
    """
    However many come at once, also while the courier asks what is due: none is forgotten until the next glance, and
    behind them the way is open again.
    """

    async def story() -> None:
        async with open_to_mail(policies, bounds=Bounds(calls=4)) as (one, spool, intake):
            for number in range(100):
                await intake.commit(entry(f"n{number}"), RAW)
                if number % 10 == 0:
                    one.courier.look()
            await one.until(lambda: len(one.ses.sent) == 100)
            took = asyncio.get_running_loop().time()
            await asyncio.sleep(0.1)
            await intake.commit(entry("last"), RAW)

        assert took < 2
        assert len(set(one.ses.sent)) == 101
        assert one.ses.most == 4
        assert spool.came["last"].state is State.SENDING

    clockwork(story())


@pytest.mark.parametrize("why", ["halted", "not started", "octets", "gate", "person"])
def test_when_nobody_is_taken_up(policies: Path, why: str) -> None:
    """
    While the courier takes nothing, more is under way than memory is for, the gate is shut, or somebody changed
    something in the spool that was not looked at yet.
    """

    async def story() -> None:
        answer = in_order(NOT_LET) if why == "gate" else taken
        bounds = Bounds(octets=2 * len(RAW) - 1 if why == "octets" else 1 << 20)
        async with open_to_mail(policies, answer, bounds=bounds, starts=why != "not started") as (one, spool, intake):
            if why in ("octets", "gate"):
                await intake.commit(entry("first"), RAW)
                await asyncio.sleep(0.01 if why == "octets" else 1)
            if why == "halted":
                one.courier.halt()
            if why == "person":
                one.courier.look()
            await intake.commit(entry("a1"), RAW)

        assert (spool.came["a1"].state, spool.came["a1"].attempts) == (State.DUE, 0)

    clockwork(story())


def test_while_one_waits_for_its_turn_nobody_is_taken_up(policies: Path) -> None:
    """
    What would only wait is kept as due: a crash meanwhile leaves it unmarked. The one whose turn does not come goes
    back into the spool.
    """

    async def story() -> None:
        class Slow(AtOnce):
            turns = 0

            async def take(self, turn: Turn, *, patience: float) -> NotNow | None:
                self.turns += 1
                if self.turns > 1:
                    return None
                await asyncio.sleep(patience)
                return NotNow(40.0, Reply(454, (4, 7, 0), "Throttling failure"), Reason.RATE)

        async with open_to_mail(policies, pace=Slow()) as (one, spool, intake):
            await intake.commit(entry("a1"), RAW)
            await asyncio.sleep(1)
            await intake.commit(entry("b2"), RAW)
            await asyncio.sleep(6)
            waits = spool._entries["a1"]
            await one.idle()

        assert spool.came["b2"].state is State.DUE
        assert waits.state is State.DUE
        assert waits.due_at == pytest.approx(NOON + 45, abs=1)
        assert one.ses.sent == ["b2", "a1"]

    clockwork(story())


def test_stopping_waits_for_what_was_taken_up(policies: Path) -> None:
    """
    Also while it is being committed; broken off before the call it is due again.
    """

    async def story() -> None:
        async with open_to_mail(policies) as (one, spool, intake):
            asked = asyncio.ensure_future(intake.commit(entry(), RAW))
            await asyncio.sleep(0)
            assert await one.courier.stop(10)
            assert await asked is None

        assert one.ses.sent == ["a1"]
        assert spool._entries == {}

    clockwork(story())


def test_stopping_does_not_wait_for_ever_for_a_disk(policies: Path) -> None:
    """
    A commit that does not end is broken off, and who waits for it is told of nothing.
    """

    async def story() -> None:
        async with open_to_mail(policies) as (one, spool, intake):
            spool.pause = 1000.0
            asked = asyncio.ensure_future(intake.commit(entry(), RAW))
            await asyncio.sleep(0)
            assert not await one.courier.stop(10)
            await asyncio.wait([asked])

        assert asked.cancelled()
        assert one.ses.sent == []

    clockwork(story())


async def test_what_waits_already_goes_first(policies: Path) -> None:
    """
    A courier that has not looked into its spool yet takes nothing up.
    """
    spool = Heard()
    await keep(spool, entry("old"))
    async with scene(policies, spool=spool) as one:
        await PromptIntake(spool, one.courier).commit(entry("new"), RAW)

    assert spool.came["new"].state is State.DUE
