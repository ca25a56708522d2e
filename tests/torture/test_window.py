"""The window in which a crash makes a duplicate: from SES's answer to our durable note of it."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.clients import Answers, conversation
from tests.torture.field import FULL, Field, Ses, kill
from tests.torture.figures import Figures
from tests.torture.reckoning import milliseconds, reckon

pytestmark = pytest.mark.system


@pytest.fixture(params=["disk", "memory"])
def field(request: pytest.FixtureRequest, tmp_path: Path, ses: Ses) -> Iterator[Field]:
    """A spool on the disk of the tests, and one in memory, which shows what the code costs."""
    if request.param == "memory" and not Path("/dev/shm").is_dir():
        pytest.skip("no file system in memory")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if request.param == "memory" else tmp_path) as folder:
        made = Field(Path(folder) / "field", ses)
        yield made
        for relay in made.relays:
            kill(relay)


def test_the_window_of_a_relay_that_is_not_overrun(
    field: Field, figures: Figures, request: pytest.FixtureRequest
) -> None:
    """
    Twenty messages of all sizes a second, mode spool: each is sent once; how long the window was open is printed (C7).
    """
    answers, number = Answers(), 1000 if FULL else 60

    async def steadily(address: tuple[str, int]) -> None:
        async with conversation(address) as talk:
            for each in range(number):
                await talk.hand_over(f"m{each}-any", answers)
                await asyncio.sleep(0.05)

    with field.running() as relay:
        asyncio.run(steadily(relay.smtp))
        relay.wait_until(field.is_drained, "delivery")
    reckoning = reckon(0, answers, field.ses.book(), field.relays)
    bare = syncs(field.folder / "bare", number)
    rows = [*list(reckoning.rows())[-1:], ("the same disk bare, append and fdatasync", milliseconds(bare))]
    figures.add(f"the window, 20 messages a second, spool on {request.node.callspec.params['field']}", rows)
    reckoning.check()
    assert reckoning.duplicated == 0
    assert len(reckoning.windows) == len(answers.accepted) == number


def syncs(path: Path, number: int) -> list[float]:
    """How long this disk takes to make 2 KB durable."""
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(number):
            began = time.perf_counter()
            file.write(bytes(2048))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return taken
