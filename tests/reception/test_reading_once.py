"""A message that was kept is judged again; what is read in it may be remembered, and must not be told from memory."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay import walk as walks
from relay.mail.facts import MessageFacts
from relay.mail.memory import LONGEST, Readings
from relay.mail.profile import Profile
from relay.mail.reading import read_facts
from relay.walk import Prepared, Walk
from relay.words.endings import Reason
from relay.words.transactions import Ending
from tests.clockwork import clockwork
from tests.courier.scene import DEMO, Scene, entry, scene
from tests.mail.letters import attacks, letter, messages
from tests.spool.building import NOON, RAW

SMALL = [each["raw"] for each in attacks() + messages() if len(each["raw"]) < 2000]
READABLE = [raw for raw in SMALL if isinstance(read_facts(raw), MessageFacts)]
MINE = RAW.replace(
    b"\r\n\r\n", b"\r\nX-SES-SOURCE-ARN: arn:aws:ses:us-east-1:888888888888:identity/example.com\r\n\r\n"
)
Between = Callable[[Scene], None]


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies."""
    return Path(shutil.copytree(DEMO / "policies", tmp_path / "policies"))


async def first(walk: Walk, raw: bytes, *, comes_again: bool) -> Prepared | Ending:
    made = entry(raw=raw)
    return await walk.prepare(made.session, made.envelope, raw, is_checked=True, comes_again=comes_again)


async def second(walk: Walk, raw: bytes, when: float = NOON) -> Prepared | Ending:
    made = entry(raw=raw)
    return await walk.prepare(made.session, made.envelope, raw, when)


def told(result: Prepared | Ending) -> dict[str, Any]:
    """All of it but the time that judging took."""
    known = dict(result.known if isinstance(result, Prepared) else result.facts)
    known.pop("timings", None)
    if isinstance(result, Ending):
        return {"outcome": result.outcome, "reason": result.reason, "reply": result.reply, "known": known}
    mail = replace(result.mail, raw=memoryview(bytes(result.mail.raw)))
    return {"mail": mail, "permit": result.permit, "judged": result.judged, "lane": result.lane, "known": known}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*READABLE, RAW, MINE, letter(author="billing@example.com")]),
    st.sampled_from([*SMALL, RAW, MINE]) | st.none(),
    st.sampled_from([0.0, 0.4, 3600.0]),
)
def test_who_remembers_answers_as_who_reads_anew(raw: bytes, other: bytes | None, later: float) -> None:
    """Whether the same octets come again or others, in the same second or not."""

    async def story(folder: Path) -> None:
        async with scene(folder, starts=False) as one, scene(folder, starts=False) as two:
            again = raw if other is None else other
            remembers = await first(one.walk, raw, comes_again=True)
            forgets = await first(two.walk, raw, comes_again=False)
            assert told(remembers) == told(forgets)
            assert told(await second(one.walk, again, NOON + later)) == told(
                await second(two.walk, again, NOON + later)
            )

    with tempfile.TemporaryDirectory() as folder:
        clockwork(story(Path(shutil.copytree(DEMO / "policies", Path(folder) / "policies"))))


def test_what_was_read_a_moment_ago_is_not_read_again(policies: Path) -> None:
    """Nor rewritten; a third time it is."""

    async def story() -> None:
        async with scene(policies, starts=False) as one:
            await first(one.walk, RAW, comes_again=True)
            with patch.object(walks, "read_message", None), patch.object(walks, "rewrite_head", None):
                assert isinstance(await second(one.walk, RAW), Prepared)
                with pytest.raises(TypeError):
                    await second(one.walk, RAW)

    clockwork(story())


def test_what_is_judged_as_it_was_is_not_made_again(policies: Path) -> None:
    """It is the same call to SES; but not where SES may have it, and a field says so."""

    async def story() -> None:
        async with scene(policies, starts=False) as one:
            made = entry(raw=RAW)
            for maybe_sent in (False, True):
                before = await first(one.walk, RAW, comes_again=True)
                after = await one.walk.prepare(made.session, made.envelope, RAW, NOON, maybe_sent=maybe_sent)
                assert isinstance(after, Prepared)
                assert (after is before) is not maybe_sent
                assert after.mail.head.startswith(b"X-Relay-Attempt: maybe-duplicate") is maybe_sent

    clockwork(story())


def withdraw(one: Scene) -> None:
    """The owner changed a policy."""
    one.deny()


def reload(one: Scene) -> None:
    """The operator reloaded other settings."""
    one.walk.house = replace(one.walk.house, profile=Profile(fields=1))


@pytest.mark.parametrize(
    ("between", "reason"),
    [(withdraw, Reason.POLICY_NOT_ALLOWED), (reload, Reason.SIZE)],
    ids=["policy", "bounds"],
)
def test_what_changed_meanwhile_counts(policies: Path, between: Between, reason: Reason) -> None:
    """The message is judged by what holds now, and by the bounds of now."""

    async def story() -> None:
        async with scene(policies, starts=False) as one:
            assert isinstance(await first(one.walk, RAW, comes_again=True), Prepared)
            between(one)
            ending = await second(one.walk, RAW)
            assert isinstance(ending, Ending)
            assert ending.reason is reason
            assert ending.reply.is_permanent

    clockwork(story())


def test_the_memory_is_short() -> None:
    """The oldest go first; what is large is not remembered at all."""

    made, small = entry(), letter()
    by = (Profile(), made.session, "relay.example", made.envelope, 0)
    memory = Readings[str](most_octets=2 * len(small))
    for name in ("a", "b", "b", "c"):
        memory.keep(name, small, by, name)
    memory.keep("d", letter(body=b"a\r\n" * LONGEST), by, "d")
    assert [memory.take(name, small, by) for name in "abcdb"] == [None, "b", "c", None, None]
    memory.keep("e", small, by, "e")
    assert memory.take("e", small + b"\r\n", by) is None
    memory.keep("f", small, by, "f")
    assert memory.take("f", small, (*by[:-1], 1)) is None
