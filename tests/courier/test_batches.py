"""Messages to more recipients than one call takes: batches, each with its own fate."""

import asyncio
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from relay.courier.attempts import open_batches
from relay.courier.recovery import MOST_CRASHES
from relay.sending.outcomes import Deferred, Mail, Outcome, Sent
from relay.sending.ports import NOT_MADE, NotNow, Turn
from relay.spool.entries import Batch, Entry, State
from relay.words.addresses import parse_address
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.transactions import batches_of
from relay.words.unavailable import Unavailable
from tests.clockwork import clockwork
from tests.courier.scene import DEMO, REFUSED, SILENT, THROTTLED, crash, entry, keep, scene
from tests.spool.memory import MemorySpool

ODD = Deferred("Odd", "this batch is odd", Reply(451, (4, 3, 0), "Odd"), Reason.SES_REFUSED)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies, to be changed."""
    return Path(shutil.copytree(DEMO / "policies", tmp_path / "policies"))


def to_many(number: int, name: str = "a1") -> Entry:
    """A message to so many recipients, divided as reception divides it."""
    made = entry(name)
    paths = tuple(parse_address(f"r{n}@example.net") for n in range(number))
    batches = tuple(Batch(tuple(map(str, batch))) for batch in batches_of(paths))
    return replace(made, envelope=replace(made.envelope, forward_paths=paths), batches=batches)


def first_of(mail: Mail) -> str:
    return mail.destinations[0].partition("@")[0]


def taken_by(calls: list[tuple[float, Mail]]) -> Counter[str]:
    return Counter(recipient for _, mail in calls for recipient in mail.destinations)


def taken(mail: Mail) -> Sent:
    return Sent(f"0100-{first_of(mail)}")


def test_a_thousand_recipients_go_in_twenty_calls_of_one_message(policies: Path) -> None:
    """
    Each is in exactly one of them, and the message is the same octets in all.
    """

    async def story() -> None:
        async with scene(policies, taken) as one:
            await keep(one.spool, to_many(1000))
            await one.idle()

        assert taken_by(one.ses.calls) == Counter(f"r{n}@example.net" for n in range(1000))
        assert [len(mail.destinations) for _, mail in one.ses.calls] == [50] * 20
        assert len({mail.head + mail.raw for _, mail in one.ses.calls}) == 1
        assert b"r0@example.net" not in one.ses.calls[0][1].head, "one recipient learns of another"
        assert one.results == ["sent"]
        assert len(one.records[0]["ses_ids"]) == 20
        assert not one.kept

    clockwork(story())


def test_a_batch_that_fails_again_and_again_keeps_no_other_back(policies: Path) -> None:
    """
    Each attempt begins with another batch, so all the others are through at the second.
    """

    async def story() -> None:
        def answer(mail: Mail) -> Outcome:
            return SILENT if first_of(mail) == "r50" and len(one.ses.calls) < 8 else taken(mail)

        async with scene(policies, answer) as one:
            await keep(one.spool, to_many(250))
            await one.until(lambda: len(one.results) == 2)
            between = one.kept["a1"]
            await one.idle()

        assert [batch.is_open for batch in between.batches] == [False, True, False, False, False]
        assert one.results[-1] == "sent"
        counts = taken_by(one.ses.calls)
        assert all(count == 1 for recipient, count in counts.items() if not 50 <= int(recipient[1:-12]) < 100)

    clockwork(story())


def test_one_refused_batch_is_told_and_the_others_go(policies: Path) -> None:
    async def story() -> None:
        def answer(mail: Mail) -> Outcome:
            return REFUSED if first_of(mail) == "r50" else taken(mail)

        async with scene(policies, answer) as one:
            await keep(one.spool, to_many(120))
            await one.idle()

        ((told, why),) = one.notices.owed
        assert why == "554 5.6.0 Message rejected"
        assert [batch.refused for batch in told.batches] == [None, why, None]
        assert one.kept["a1"].state is State.FAILED
        assert one.results == ["refused"]

    clockwork(story())


def test_a_refusal_is_the_reason_whatever_the_others_waited_for(policies: Path) -> None:
    """
    The third batch is throttled after the second was refused, and goes at the next attempt: not that failed.
    """
    answers: list[Outcome] = [Sent("0100-1"), REFUSED, THROTTLED, Sent("0100-2")]

    async def story() -> None:
        async with scene(policies, lambda _: answers.pop(0)) as one:
            await keep(one.spool, to_many(150))
            await one.idle()

        assert one.results == ["deferred", "refused"]
        assert [each["reason"] for each in one.records] == ["ses-throttled", "ses-refused"]
        assert (one.kept["a1"].reason, one.kept["a1"].last) == (Reason.SES_REFUSED, "554 5.6.0 Message rejected")

    clockwork(story())


def test_the_turn_is_waited_for_between_batches_and_that_is_no_failure(policies: Path) -> None:
    """
    Where SES's rate lets one batch through at a time, pauses do not grow: they are as long as the pace says.
    """

    class Slow:
        def __init__(self) -> None:
            self.asked: list[int] = []

        async def take(self, turn: Turn, *, patience: float) -> NotNow | None:
            self.asked.append(turn.recipients)
            if len(self.asked) % 2:
                return None
            return NotNow(50.0, Reply(454, (4, 7, 0), "Throttling failure"), Reason.RATE)

        def told(self, turn: Turn, outcome: Outcome) -> None:
            """Learn nothing."""

    async def story() -> None:
        pace = Slow()
        async with scene(policies, taken, pace=pace) as one:
            await keep(one.spool, to_many(220))
            await one.until(lambda: one.results)
            waits = one.kept["a1"]
            await one.idle()

        assert (waits.reason, waits.last) == (Reason.RATE, "waits for its turn")
        assert one.results == ["deferred"] * 4 + ["sent"]
        gaps = [after - before for before, after in zip(one.ses.times, one.ses.times[1:], strict=False)]
        assert gaps == pytest.approx([50.0] * 4, abs=6.0)
        assert set(taken_by(one.ses.calls).values()) == {1}

    clockwork(story())


def test_an_attempt_stops_at_a_gate_that_was_shut_meanwhile(policies: Path) -> None:
    """
    SES throttles: the batches behind do not ask it once more each.
    """

    async def story() -> None:
        def answer(mail: Mail) -> Outcome:
            return THROTTLED if len(one.ses.calls) == 2 else taken(mail)

        async with scene(policies, answer) as one:
            await keep(one.spool, to_many(500))
            await one.until(lambda: one.results)
            calls = len(one.ses.calls)
            await one.idle()

        assert calls == 2
        assert one.results == ["deferred", "sent"]

    clockwork(story())


def test_after_a_crash_only_open_batches_go_on_and_what_gets_on_is_no_poison(policies: Path) -> None:
    """
    Killed in the second call of each life, more often than a poison may kill: what SES took it is not given again, and
    whatever a later life sends is marked.
    """

    async def story() -> None:
        accepted: list[tuple[float, Mail]] = []
        spool = None
        for number in range(MOST_CRASHES + 3):
            reached = asyncio.Event()

            async def answer(mail: Mail) -> Outcome:
                if len(one.ses.calls) == 2:
                    reached.set()  # noqa: B023 - of this life
                    await asyncio.Event().wait()
                return taken(mail)

            async with scene(policies, answer, spool=spool) as one:
                if spool is None:
                    await keep(one.spool, to_many(400))
                await reached.wait()
                accepted += one.ses.calls[:1]
                spool = crash(one)
                assert sum(batch.is_open for batch in spool._entries["a1"].batches) == 7 - number
        async with scene(policies, taken, spool=spool) as one:
            await one.idle()
            accepted += one.ses.calls

        assert taken_by(accepted) == Counter(f"r{n}@example.net" for n in range(400))
        assert one.results == ["sent"]
        assert [b"X-Relay-Attempt" in mail.head for _, mail in accepted] == [False] + [True] * 7

    clockwork(story())


@pytest.mark.parametrize("where", ["turn", "write", "call"])
def test_a_stop_between_two_calls_takes_nothing_back(policies: Path, where: str) -> None:
    """
    What SES took is on disk, the rest is due, and only a call that was broken off is marked.
    """

    class Turns:
        """The third one takes for ever."""

        def __init__(self) -> None:
            self.taken = 0
            self.given_back = 0

        async def take(self, turn: Turn, *, patience: float) -> NotNow | None:
            self.taken += 1
            await asyncio.sleep(1e6 if where == "turn" and self.taken == 3 else 0)
            return None

        def told(self, turn: Turn, outcome: Outcome) -> None:
            self.given_back += outcome is NOT_MADE

    class SlowSpool(MemorySpool):
        """The second change takes ten seconds, and succeeds."""

        changes = 0

        async def change(self, changed: Entry) -> Entry | Unavailable | None:
            self.changes += 1
            if where == "write" and self.changes == 2:
                await asyncio.sleep(10)
            return await super().change(changed)

    async def story() -> None:
        async def answer(mail: Mail) -> Outcome:
            if where == "call" and len(one.ses.calls) == 3:
                await asyncio.sleep(1e6)
            return taken(mail)

        turns = Turns()
        async with scene(policies, answer, spool=SlowSpool(), pace=turns) as one:
            await keep(one.spool, to_many(400))
            await one.until(lambda: len(one.ses.sent) == 2)
            await one.courier.stop(1.0)
            await asyncio.sleep(20)
            left = one.kept["a1"]

        assert [batch.is_open for batch in left.batches] == [False] * 2 + [True] * 6
        assert left.state is State.DUE
        assert left.maybe == (where == "call")
        assert turns.given_back == 0
        assert one.results == ["ambiguous" if where == "call" else "deferred"]

    clockwork(story())


def test_a_failed_message_that_is_tried_again_sends_only_what_is_open(policies: Path) -> None:
    """
    Where a person puts it back although nothing is, it fails as before, and SES is not called.
    """

    async def story() -> None:
        settled = to_many(100)
        batches = (replace(settled.batches[0], ses_id="0100"), replace(settled.batches[1], refused="554 5.6.0 no"))
        async with scene(policies, taken) as one:
            await keep(one.spool, replace(settled, batches=batches))
            await one.idle()

        assert one.ses.calls == []
        assert one.results == ["refused"]
        assert one.kept["a1"].state is State.FAILED

    clockwork(story())


def test_the_first_batch_of_an_attempt_follows_from_how_many_were_made() -> None:
    many = to_many(200)
    done = replace(many, batches=(replace(many.batches[0], ses_id="x"), *many.batches[1:]))

    assert open_batches(many, is_begun=False) == [0, 1, 2, 3]
    assert open_batches(replace(many, attempts=1)) == [0, 1, 2, 3]
    assert open_batches(replace(many, attempts=1), is_begun=False) == open_batches(replace(many, attempts=2))
    assert open_batches(replace(many, attempts=6)) == [1, 2, 3, 0]
    assert open_batches(replace(done, attempts=2)) == [2, 3, 1]
    assert open_batches(replace(many, batches=(replace(many.batches[0], ses_id="x"),))) == []
