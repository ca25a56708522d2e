"""The whole of it, against SQS: what is in the queue is counted once, for its delegate, and told with what it means."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.feedback import counting as room
from relay.feedback.feedback import Feedback
from relay.feedback.ledger import Ledger, LedgerProblem
from relay.feedback.options import FeedbackOptions
from relay.feedback.queues import Letter, Queue
from relay.feedback.standing import Tolerance
from relay.observe.events import FeedbackHeard, Noted, QueueRead, StandingChanged
from relay.words.endings import Reason
from relay.words.standings import Standing, Thresholds
from relay.words.unavailable import Unavailable
from tests.feedback.conftest import Seen, Sqs, until
from tests.feedback.telling import by_eventbridge, by_sns, event

TOLERANCE = Tolerance(Thresholds(0.05, 0.08, 0.1), Thresholds(0.001, 0.002, 0.005), minimum=10, suspend_for=60.0)
TOLERANCES = {"billing": TOLERANCE, "news": TOLERANCE}

Run = Callable[..., Any]


@pytest.fixture
async def run(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    """A starter of feedback, which is closed at the end."""
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(room, "SUM_SECONDS", 0.05)
    async with AsyncExitStack() as stack:

        async def start(sqs: Sqs, path: Path | None = None, **more: Any) -> Feedback:
            options = FeedbackOptions((Queue(sqs.url),), path, TOLERANCES)
            feedback = Feedback(options, seen, **more)
            await feedback.start()
            stack.push_async_callback(feedback.close)
            return feedback

        yield start


def told(*kinds: str, first: int = 0, delegate: str | None = "billing") -> list[str]:
    """One event of each kind, about messages that were sent now."""
    now = time.time() - 1
    return [event(kind, number, at=now, delegate=delegate) for number, kind in enumerate(kinds, first)]


def heard(seen: Seen) -> list[tuple[str, str]]:
    return sorted((each.delegate, each.kind) for each in seen.of(FeedbackHeard))


async def test_sums_that_take_long_are_made_more_rarely(sqs, run, monkeypatch):
    """A week of the mail of a thousand delegates takes seconds, in which nothing else is counted."""
    summed: list[float] = []

    def slow(_ledger: Ledger, now: float) -> dict[str, Any]:
        summed.append(now)
        time.sleep(0.1)
        return {}

    monkeypatch.setattr(room, "windows_of", slow)
    await run(sqs)
    await until(lambda: summed, "sums")
    await asyncio.sleep(0.8)

    assert len(summed) == 1


async def test_what_is_in_the_queue_is_counted_for_its_delegate(sqs, run, seen):
    """Whatever is around it; an unknown delegate and mail without our tag are other's."""
    bodies = [*told("Send", "Delivery"), by_sns(told("Bounce")[0]), by_eventbridge(told("Complaint")[0])]
    sqs.put(*bodies, *told("Send", first=4, delegate="gone"), *told("Send", first=5, delegate=None))
    feedback = await run(sqs)
    await until(lambda: len(heard(seen)) == 6, "six")
    await until(lambda: sqs.waiting == 0, "an empty queue")

    assert heard(seen) == [
        ("billing", "bounce"),
        ("billing", "complaint"),
        ("billing", "delivery"),
        ("billing", "send"),
        ("other", "send"),
        ("other", "send"),
    ]
    await until(lambda: feedback.told_of("billing")["windows"], "sums")
    day = feedback.told_of("billing")["windows"]["24h"]
    assert (day["sent"], day["delivered"], day["bounced"], day["complained"]) == (1, 1, 1, 1)
    assert (day["bounce_rate"], day["complaint_rate"]) == (1.0, 1.0)
    assert feedback.told_of("news") == {"standing": "good", "since": None, "until": None, "why": None, "windows": {}}
    record = next(each.record for each in seen.of(FeedbackHeard) if each.kind == "bounce")
    assert record["ses_id"] == "0100-0"
    assert record["recipients"] == ["b@example.net"]


async def test_mail_without_our_tag_is_found_by_its_id(sqs, run, seen):
    sqs.put(*told("Bounce", delegate=None))
    await run(sqs, sender_of={"0100-0": "news"}.get)

    await until(lambda: heard(seen) == [("news", "bounce")])


async def test_what_comes_twice_counts_once(sqs, run, seen, tmp_path):
    """From the queue again, and after a restart; it is deleted all the same."""
    sqs.put(*told("Bounce", "Bounce"), *[by_sns(body) for body in told("Bounce", "Bounce")])
    feedback = await run(sqs, tmp_path / "feedback.db")
    await until(lambda: sqs.waiting == 0)
    await feedback.close()
    sqs.put(*told("Bounce", "Bounce", "Bounce"))
    feedback = await run(sqs, tmp_path / "feedback.db")
    await until(lambda: sqs.waiting == 0)

    assert len(seen.of(FeedbackHeard)) == 3
    await until(lambda: feedback.told_of("billing")["windows"].get("24h", {}).get("bounced") == 3, "three")


async def test_malformed_events_hold_up_nobody(sqs, run, seen):
    """Each is counted, told by the id of its message, and deleted; what is good among them is counted."""
    bad = [body[: 20 + number] for number, body in enumerate(told(*["Bounce"] * 50))]
    sqs.show_again_after(30)
    sqs.put(*bad[:25], *told("Send"), *bad[25:])
    await run(sqs)
    # What was in an answer that is lost, as on a machine under load, is shown again after those 30 seconds; a letter
    # whose deletion was lost is told of again.
    await until(lambda: len(heard(seen)) + len(named(malformed(seen))) == 51, "all", seconds=50)
    await until(lambda: sqs.waiting == 0, "an empty queue")

    assert {each.details["why"] for each in malformed(seen)} == {"no JSON"}
    assert len([each for each in seen.of(QueueRead) if each.result == "malformed"]) == len(malformed(seen))
    assert heard(seen) == [("billing", "send")]


async def test_a_thousand_malformed_events_are_taken_at_once(sqs, run, seen):
    """SQS of tests is too slow to carry so many; they are read as if it had."""
    feedback = await run(sqs)
    bodies = [body[: number % 300] for number, body in enumerate(told(*["Complaint"] * 1000))]
    events = feedback._counting._take([Letter(str(number), body, "") for number, body in enumerate(bodies)])

    assert len([each for each in events if isinstance(each, QueueRead) and each.result == "malformed"]) == 1000
    assert len(malformed(Seen(events))) == 1000


def malformed(seen: Seen) -> list[Noted]:
    return [each for each in seen.of(Noted) if each.event == "feedback.malformed"]


def named(lines: list[Noted]) -> set[Any]:
    """The letters that these lines are about."""
    return {each.details["message"] for each in lines}


async def test_what_cannot_be_counted_stays_in_the_queue(sqs, run, seen, monkeypatch):
    """Nothing is even asked for while the ledger takes nothing."""

    def full(_self: Ledger, *_more: object) -> None:
        raise LedgerProblem("disk is full")

    sqs.put(*told("Send", "Bounce"))
    with monkeypatch.context() as torn:
        torn.setattr(Ledger, "count", full)
        feedback = await run(sqs)
        await until(feedback.troubles)
        torn.setattr(Ledger, "check", full)
        assert "disk is full" in feedback.troubles()[0]
        assert sqs.waiting == 2
        assert heard(seen) == []
    await until(lambda: sqs.waiting == 0)

    assert heard(seen) == [("billing", "bounce"), ("billing", "send")]
    assert feedback.troubles() == []


async def test_what_was_counted_is_told_and_judged_whatever_the_ledger_takes_then(sqs, run, seen, monkeypatch):
    """It is known when it comes again: whoever waited for that would wait for ever."""
    with monkeypatch.context() as torn:
        torn.setattr(Ledger, "keep", _full)
        feedback = await run(sqs)
        sqs.put(*told(*["Send"] * 10), *told("Bounce"))
        await until(lambda: sqs.waiting == 0, "an empty queue")
        assert [kind for _, kind in heard(seen)].count("bounce") == 1
        assert feedback.restraint("billing") is None
    await until(lambda: standing(seen) == [Standing.SUSPENDED], "a standing")


async def test_the_word_of_an_operator_is_not_lost_with_a_disk_that_is_full(sqs, run, seen, monkeypatch, tmp_path):
    """It was taken from the file; what came of it could not be written there."""
    feedback = await run(sqs, tmp_path / "feedback.db")
    sqs.put(*told(*["Send"] * 10), *told("Bounce"))
    await until(lambda: standing(seen) == [Standing.SUSPENDED], "a suspension")
    with monkeypatch.context() as torn:
        torn.setattr(Ledger, "keep", _full)
        with closing(Ledger(tmp_path / "feedback.db")) as beside:
            beside.ask_to_resume("billing", time.time())
        await until(lambda: not words(tmp_path / "feedback.db"), "a word that is taken")
        assert await feedback.resume("billing") == Unavailable("disk is full")
    await until(lambda: feedback.restraint("billing") is None, "an end")


def words(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT delegate FROM resumed").fetchall()


def _full(_self: Ledger, *_more: object) -> None:
    raise LedgerProblem("disk is full")


async def test_a_queue_that_is_away_is_told_once_and_read_when_it_is_back(sqs, run, seen):
    sqs.delete()
    feedback = await run(sqs)
    await until(lambda: len([each for each in seen.of(QueueRead) if each.result == "failed"]) >= 3)
    assert sqs.name in feedback.troubles()[0]
    assert len([each for each in seen.of(Noted) if each.event == "queue.away"]) == 1
    sqs.make()
    sqs.put(*told("Send"))
    await until(lambda: heard(seen) == [("billing", "send")] and feedback.troubles() == [])

    assert [each.event for each in seen.of(Noted)] == ["queue.away", "queue.back"]


def standing(seen: Seen) -> list[Standing]:
    return [each.standing for each in seen.of(StandingChanged) if each.delegate == "billing" and each.is_news]


async def test_a_delegate_is_warned_slowed_suspended_and_comes_back(sqs, run, seen):
    """By its complaints, seen from the way of its mail; the other delegate goes on as ever."""
    now = [time.time()]
    feedback = await run(sqs, clock=lambda: now[0])
    sqs.put(*told(*["Send"] * 20), *told("Bounce"))
    await until(lambda: standing(seen) == [Standing.WARNED])
    assert feedback.restraint("billing") is None

    sqs.put(*told(*["Send"] * 5, first=30), *told("Bounce", first=1))
    await until(lambda: standing(seen)[-1] is Standing.SLOWED)
    slowed = feedback.restraint("billing")
    assert slowed is not None
    assert (slowed.rate, slowed.barred) == (1.0, None)

    sqs.put(*told("Bounce", first=2))
    await until(lambda: standing(seen)[-1] is Standing.SUSPENDED)
    barred = feedback.barred("billing")
    assert barred is not None
    assert (barred.reply.code, barred.reply.status, barred.reason) == (454, "4.7.1", Reason.RATE)
    assert "bounce rate 12 % of 25 recipients in 24 h, suspended from 10 %" in barred.reply.text
    assert 0 < barred.seconds <= 60
    assert feedback.troubles() == [barred.reply.text]
    assert feedback.restraint("news") is None

    now[0] += 61
    assert feedback.barred("billing") is None
    await until(lambda: standing(seen)[-1] is Standing.SLOWED)
    sqs.put(*[event("Send", 100 + number, at=now[0] + 1) for number in range(10)])
    now[0] += 2
    await until(lambda: standing(seen)[-1] is Standing.GOOD)
    assert feedback.restraint("billing") is None


async def test_a_suspension_survives_a_restart_and_an_operator_ends_it(sqs, run, seen, tmp_path):
    """By word left in the file, as the command does, or at once."""
    path = tmp_path / "feedback.db"
    feedback = await run(sqs, path)
    sqs.put(*told(*["Send"] * 20), *told(*["Complaint"] * 2))
    await until(lambda: feedback.barred("billing"))
    await feedback.close()
    assert feedback.barred("billing") is None
    feedback = await run(sqs, path)
    assert feedback.barred("billing") is not None

    other = Ledger(path)
    other.ask_to_resume("billing", time.time())
    other.close()
    await until(lambda: feedback.barred("billing") is None)
    assert seen.of(StandingChanged)[-1].why == "resumed by an operator"

    sqs.put(*told(*["Complaint"] * 2, first=5))
    await until(lambda: sqs.waiting == 0)
    assert feedback.barred("billing") is None
    assert await feedback.resume("billing")
    assert not await feedback.resume("nobody")


async def test_other_thresholds_and_queues_are_taken_over(sqs, run, seen, moto):
    feedback = await run(sqs)
    sqs.put(*told(*["Send"] * 20), *told(*["Complaint"] * 2))
    await until(lambda: feedback.barred("billing"))
    lenient = replace(TOLERANCE, bounces=Thresholds(), complaints=Thresholds())
    other = Sqs(moto)
    await feedback.renew(FeedbackOptions((Queue(other.url),), None, {"billing": lenient}))
    assert feedback.barred("billing") is None

    other.put(*told("Reject"))
    await until(lambda: ("billing", "reject") in heard(seen))
    sqs.put(*told("Reject", first=7))
    await feedback.renew(FeedbackOptions((), None, {"billing": lenient}))
    assert not feedback.is_read
    assert feedback.told_of("billing") is None
    assert sqs.waiting == 1

    await feedback.renew(FeedbackOptions((Queue(sqs.url),), None, {"billing": lenient}))
    await until(lambda: sqs.waiting == 0)
    assert heard(seen).count(("billing", "reject")) == 2


async def test_the_standing_of_who_is_judged_no_more_is_told_as_good(sqs, run, seen):
    """And as it was kept, once it is judged again; none of it is news."""
    feedback = await run(sqs)
    sqs.put(*told(*["Send"] * 20), *told(*["Complaint"] * 2))
    await until(lambda: feedback.barred("billing"))
    queues = (Queue(sqs.url),)
    seen.clear()

    await feedback.renew(FeedbackOptions(queues, None, {"news": TOLERANCE}))
    await feedback.renew(FeedbackOptions(queues, None, TOLERANCES))
    await feedback.renew(FeedbackOptions(queues, None, TOLERANCES))
    assert feedback.barred("billing") is not None
    await feedback.renew(FeedbackOptions())
    changes = [(each.delegate, each.standing, each.is_news) for each in seen.of(StandingChanged)]
    suspended, good = ("billing", Standing.SUSPENDED, False), ("billing", Standing.GOOD, False)
    assert changes == [good, suspended, good, ("news", Standing.GOOD, False)]


async def test_a_file_that_cannot_be_used_is_told_and_counts_are_in_memory(sqs, run, seen, tmp_path):
    path = tmp_path / "feedback.db"
    path.write_bytes(b"no database" * 1000)
    sqs.put(*told("Send"))
    feedback = await run(sqs, path)

    await until(lambda: heard(seen) == [("billing", "send")])
    assert "counted in memory" in feedback.troubles()[0]
    assert path.read_bytes() == b"no database" * 1000


async def test_without_a_queue_nobody_is_judged(seen, tmp_path):
    feedback = Feedback(FeedbackOptions((), tmp_path / "feedback.db", TOLERANCES), seen)
    await feedback.start()

    assert feedback.restraint("billing") is None
    assert feedback.told_of("billing") is None
    assert seen == []
    assert not list(tmp_path.iterdir())
    await feedback.close()
