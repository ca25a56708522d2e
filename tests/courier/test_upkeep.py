"""Counting, sweeping, and clocks that jump."""

import asyncio
import shutil
from pathlib import Path

import pytest

from relay.courier.clock import Steady
from relay.observe.events import Event, Noted, SpoolCounted
from relay.spool.entries import State
from relay.spool.ports import Full
from relay.words.unavailable import Unavailable
from tests.clockwork import clockwork
from tests.courier.scene import DEMO, DOWN, entry, keep, scene
from tests.spool.building import NOON

YEAR = 365 * 86400.0


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies."""
    return Path(shutil.copytree(DEMO / "policies", tmp_path / "policies"))


def test_what_is_in_the_spool_is_told_every_few_seconds(policies: Path) -> None:
    """
    And whether it can be used.
    """

    async def story() -> None:
        async with scene(policies, lambda _: DOWN, upkeeps=True) as one:
            await keep(one.spool, entry("m1"), entry("m2", accepted_at=NOON - 60), entry("h", state=State.HELD))
            await asyncio.sleep(5)
            counted = one.of(SpoolCounted)[-1]
            usable = one.upkeep.problem
            one.spool.full = Full("max_bytes")
            await asyncio.sleep(5)
            full = one.upkeep.problem
            one.spool.trouble = Unavailable("EIO")
            await asyncio.sleep(5)
            broken = one.upkeep.problem
            one.spool.trouble = one.spool.full = None
            await asyncio.sleep(5)

        assert counted.messages["held"] == 1
        assert counted.messages["due"] + counted.messages["sending"] == 2
        assert counted.oldest == NOON - 60
        assert (usable, full, broken, one.upkeep.problem) == (None, "max_bytes", "EIO", None)

    clockwork(story())


def test_failed_messages_are_forgotten_when_they_were_kept_long_enough(policies: Path) -> None:
    """
    Each is told.
    """

    async def story() -> None:
        async with scene(policies, upkeeps=True) as one:
            await keep(one.spool, entry("f", state=State.FAILED, due_at=NOON + 100))
            await asyncio.sleep(90)
            before = set(one.kept)
            await asyncio.sleep(100)

        assert before == {"f"}
        assert not one.kept
        assert [note.event for note in one.of(Noted)] == ["spool.swept"]

    clockwork(story())


@pytest.mark.parametrize("jump", [86400.0, YEAR])
def test_a_message_of_a_clock_that_was_ahead_is_not_stuck(policies: Path, jump: float) -> None:
    """
    It is brought near at the next round, and sent.
    """

    async def story() -> None:
        async with scene(policies, upkeeps=True) as one:
            await keep(one.spool, entry("far", accepted_at=NOON + jump, due_at=NOON + jump), entry("near"))
            await one.idle()
            took = asyncio.get_running_loop().time()

        assert sorted(one.ses.sent) == ["far", "near"]
        assert took < 60 + 900
        assert [note.details["count"] for note in one.of(Noted)] == [1]

    clockwork(story())


@pytest.mark.parametrize("jump", [-YEAR, -86400.0, 86400.0, YEAR])
def test_time_for_stamps_does_not_jump(jump: float) -> None:
    """
    A jump is told once and not followed; small corrections are; when the jump is undone all is as before.
    """
    wall, monotonic, told = [NOON], [50.0], list[Event]()
    clock = Steady(lambda: wall[0], lambda: monotonic[0], told.append)

    def pass_by(seconds: float) -> None:
        wall[0] += seconds
        monotonic[0] += seconds

    pass_by(10)
    assert clock.now() == NOON + 10
    wall[0] += 2
    assert clock.now() == NOON + 12
    wall[0] += jump
    pass_by(100)
    assert clock.now() == NOON + 112
    pass_by(100)
    assert clock.now() == NOON + 212
    wall[0] -= jump
    assert clock.now() == NOON + 212

    assert [event.details for event in told if isinstance(event, Noted)] == [{"seconds": round(jump)}]
