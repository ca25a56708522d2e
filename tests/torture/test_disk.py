"""A whole relay on a disk that is full, that fails, that is slow; and one without files to open."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from tests.system.relays import RunningRelay
from tests.torture.clients import Answers, conversation, hand_over
from tests.torture.field import Field, MakeField, tampered, with_few_files
from tests.torture.reckoning import reckon

pytestmark = pytest.mark.system


@pytest.fixture
def on_small_disk(tool: Callable[[str], str]) -> Callable[[Field], list[str]]:
    """Wrap a relay so that its spool lies on a disk of 24 MiB, which dies with it."""

    def wrapper(field: Field) -> list[str]:
        mount = f'mount -t tmpfs -o size=24m tmpfs "{field.spool.parent}"; exec "$@"'
        return [tool("unshare"), "--map-root-user", "--mount", "sh", "-c", mount, "sh"]

    return wrapper


def inside(relay: RunningRelay, path: Path) -> Path:
    """A path as the relay sees it."""
    return Path(f"/proc/{relay.process.pid}/root{path}")


@pytest.mark.parametrize("filled_by", ["mail", "others"])
def test_a_full_disk(make_field: MakeField, on_small_disk: Callable[[Field], list[str]], filled_by: str) -> None:
    """
    SES is away, and the disk of the spool fills up: with mail, or with files of somebody else, to the last octet. 452
    before the message is sent, readiness says so; when SES is back everything leaves, once, and mail is taken again
    with nothing restarted (C10).
    """
    field, answers = make_field("spool"), Answers()
    field.ses.be(down=True)
    with field.running(on_small_disk(field)) as relay:
        ballast = inside(relay, field.spool.with_name("ballast"))
        try:
            fill(relay, answers, ballast if filled_by == "others" else None)
            refusals = set(answers.refused.values())
            if filled_by == "others":
                relay.wait_until(lambda: not relay.is_ready(), "readiness")
            field.ses.be()
            with suppress(FileNotFoundError):
                ballast.unlink()
            relay.wait_until(lambda: set(answers.accepted) <= set(field.ses.names()), "delivery", 50)
            relay.wait_until(relay.is_ready, "readiness")
            (again,) = hand_over(relay.smtp, "again-large", answers=answers)
            relay.wait_until(lambda: "again-large" in field.ses.names(), "delivery")
        except PermissionError as error:
            pytest.skip(f"another namespace cannot be looked into here: {error}")

    assert all(refusal.startswith("452 4.3.1 No room") for refusal in refusals)
    assert again.startswith("250")
    assert len(field.ses.names()) == len(set(field.ses.names()))


def fill(relay: RunningRelay, answers: Answers, ballast: Path | None) -> None:
    """Hand messages over until one is refused; with *ballast*, ten, and let the ballast take the rest of the disk."""
    number = 0
    if ballast is not None:
        hand_over(
            relay.smtp, *(f"m{number}-{'large' if number % 2 else 'small'}" for number in range(10)), answers=answers
        )
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 14)):
                pass
    while not answers.refused:
        number += 1
        hand_over(relay.smtp, *(f"n{number}.{each}-large" for each in range(20)), answers=answers)


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_a_disk_that_fails(make_field: MakeField, tracer: str, call: str) -> None:
    """
    Syncs fail with EIO: 451 or 452 until the disk is seen to work, not longer; nothing that had a 250 is lost (C11).
    """
    field, answers = make_field("spool"), Answers()
    numbers = count()

    def new_name() -> str:
        return f"m{next(numbers)}-large"

    with field.running() as relay:
        hand_over(relay.smtp, "before-small", "before-large", answers=answers)
        with tampered(relay, tracer, call, "error=EIO:when=1..3"):
            relay.wait_until(lambda: hand_over(relay.smtp, new_name(), answers=answers)[0][0] == "4", "refusal")
            relay.wait_until(lambda: hand_over(relay.smtp, new_name(), answers=answers)[0][0] == "2", "mended disk")
        relay.wait_until(lambda: field.is_drained() and set(answers.accepted) <= set(field.ses.names()), "delivery", 50)
        relay.wait_until(relay.is_ready, "readiness")
        assert {reply[:9] for reply in answers.refused.values()} <= {"451 4.3.0", "452 4.3.1"}
    reckon(0, answers, field.ses.book(), field.relays).check()


def test_a_relay_without_files_to_open(make_field: MakeField) -> None:
    """
    More clients than the process may have files: some wait, none stops the relay, and when they leave all is as
    before; nothing that had a 250 is lost (C12).
    """
    field, answers = make_field("spool"), Answers()

    async def siege(address: tuple[str, int]) -> None:
        async def one(number: int) -> None:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(4), conversation(address) as talk:
                    await talk.hand_over(f"m{number}-{'large' if number % 2 else 'small'}", answers)
                    await asyncio.sleep(2)

        await asyncio.gather(*map(one, range(120)))

    with field.running(with_few_files(64)) as relay:
        asyncio.run(siege(relay.smtp))
        assert len(answers.accepted) > 10
        relay.wait_until(
            lambda: hand_over(relay.smtp, f"later{len(answers.refused)}-large", answers=answers)[0][0] == "2"
        )
        relay.wait_until(lambda: field.is_drained() and set(answers.accepted) <= set(field.ses.names()), "delivery", 50)
    reckon(0, answers, field.ses.book(), field.relays).check()
