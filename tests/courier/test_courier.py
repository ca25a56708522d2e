"""What the courier does with one message, and with many, whatever SES says."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.courier.books import Books
from relay.courier.notices import undelivered
from relay.courier.schedule import Schedule, put_off_by
from relay.courier.slots import Bounds
from relay.judgement.rules import Rules
from relay.observe.events import Incident
from relay.sending.outcomes import Mail, Outcome, Sent
from relay.sending.ports import NotNow, Turn
from relay.spool.actions import Action, acted
from relay.spool.details import HOLD
from relay.spool.entries import Batch, Entry, State
from relay.words.addresses import parse_address
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.unavailable import Unavailable
from tests.clockwork import clockwork
from tests.courier.scene import (
    DEMO,
    DOWN,
    LANE,
    NO_KEY,
    NOT_LET,
    OVER_QUOTA,
    OWNED,
    REFUSED,
    SILENT,
    THROTTLED,
    Scene,
    entry,
    in_order,
    keep,
    name_of,
    scene,
    taken,
)
from tests.spool.building import NOON, RAW
from tests.spool.memory import MemorySpool

MARK = b"X-Relay-Attempt: maybe-duplicate; id=a1\r\n"


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies, to be changed."""
    return Path(shutil.copytree(DEMO / "policies", tmp_path / "policies"))


def test_what_is_due_is_sent_and_forgotten(policies: Path) -> None:
    """
    The attempt is on disk before the call, the entry is gone after it, and one event tells of both.
    """

    async def story() -> None:
        seen: list[Entry] = []

        async def answer(mail: Mail) -> Outcome:
            seen.append(one.kept["a1"])
            return taken(mail)

        async with scene(policies, answer) as one:
            await keep(one.spool, entry())
            one.courier.look()
            await one.until(lambda: not one.kept)

        assert (seen[0].state, seen[0].attempts) == (State.SENDING, 1)
        assert [step for step, _ in one.spool.steps] == ["commit", "begin", "remove"]
        assert one.results == ["sent"]
        assert one.records[0]["ses_ids"] == ["0100-a1"]
        assert one.ses.times == [0.0], "new mail does not wait for a glance"
        (_, mail) = one.ses.calls[0]
        assert mail.destinations == ("ann@example.net", "bob@example.net")
        assert b"X-Relay-Attempt" not in mail.head

    clockwork(story())


@pytest.mark.parametrize("trouble", [DOWN, THROTTLED, NOT_LET, NO_KEY])
def test_what_surely_failed_is_tried_again_unmarked(policies: Path, trouble: Outcome) -> None:
    """
    The entry says why it waits, when it is due, and how often it was tried.
    """

    async def story() -> None:
        async with scene(policies, in_order(trouble, trouble)) as one:
            await keep(one.spool, entry())
            await one.until(lambda: one.results)
            waits = one.kept["a1"]
            await one.idle()

        assert waits.state is State.DUE
        assert waits.attempts == 1
        assert waits.due_at > NOON
        assert waits.last.startswith(trouble.code)  # type: ignore[union-attr]  # none of them is Sent
        assert one.results == ["deferred", "deferred", "sent"]
        assert one.ses.sent == ["a1"]
        assert all(b"X-Relay-Attempt" not in mail.head for _, mail in one.ses.calls)

    clockwork(story())


def test_what_ses_may_have_waits_longer_and_is_marked(policies: Path) -> None:
    """
    The mark is the relay's alone: what the client wrote in its place is gone.
    """

    async def story() -> None:
        raw = b"X-Relay-Attempt: first\r\nFrom: billing@example.com\r\n\r\nYours.\r\n"
        async with scene(policies, in_order(SILENT)) as one:
            await keep(one.spool, entry(raw=raw), raw=raw)
            await one.idle()

        assert one.results == ["ambiguous", "sent"]
        first, second = one.ses.calls
        assert second[0] - first[0] >= Schedule().unsure
        assert b"X-Relay-Attempt" not in first[1].head
        assert second[1].head.startswith(MARK)
        assert second[1].head.count(b"X-Relay-Attempt") == 1

    clockwork(story())


def test_a_withdrawn_permission_counts_and_is_told(policies: Path) -> None:
    """
    Nothing is sent; the message is kept as failed, with the reason, and somebody is owed a notice, whatever becomes of
    that.
    """

    async def story() -> None:
        async with scene(policies, in_order(DOWN)) as one:
            one.notices.fails = True
            await keep(one.spool, entry())
            await one.until(lambda: one.results)
            one.deny()
            await one.until(lambda: len(one.results) == 2)
            await asyncio.sleep(10_000)

        failed = one.kept["a1"]
        assert one.results == ["deferred", "withdrawn"]
        assert one.ses.sent == []
        assert failed.state is State.FAILED
        assert failed.reason is Reason.POLICY_NOT_ALLOWED
        assert failed.last.startswith("554 5.7.1 ")
        assert [(each.id, why) for each, why in one.notices.owed] == [("a1", failed.last)]
        assert failed.due_at == pytest.approx(NOON + Schedule().keep_failed, abs=60)
        assert [type(each.error) for each in one.of(Incident)] == [RuntimeError]

    clockwork(story())


def test_what_nobody_can_decide_waits(policies: Path) -> None:
    """
    Policies too old: nothing is sent, nothing fails; fresh again it goes.
    """

    async def story() -> None:
        async with scene(policies, rules=Rules(max_stale=100)) as one:
            await asyncio.sleep(200)
            await keep(one.spool, entry(due_at=NOON + 200))
            await one.until(lambda: len(one.results) > 2)
            waits, calls = one.kept["a1"], len(one.ses.calls)
            one.directory.refresh()
            await one.until(lambda: one.ses.sent, 95)

        assert calls == 0
        assert waits.state is State.DUE
        assert waits.reason is Reason.POLICY_UNDECIDED
        assert set(one.results[:-1]) == {"deferred"}

    clockwork(story())


def test_the_mail_of_an_observed_delegate_goes(policies: Path) -> None:
    """
    What enforcing would refuse is only told, as at reception.
    """

    async def story() -> None:
        async with scene(policies) as one:
            await keep(one.spool, entry(delegate="observed"))
            await one.idle()

        assert one.results == ["sent"]

    clockwork(story())


def test_the_final_no_of_ses_is_final(policies: Path) -> None:
    """
    Kept as failed with SES's words, told, not tried again.
    """

    async def story() -> None:
        async with scene(policies, in_order(REFUSED)) as one:
            await keep(one.spool, entry())
            await one.until(lambda: one.results)
            await asyncio.sleep(10_000)

        assert one.results == ["refused"]
        assert len(one.ses.calls) == 1
        assert one.kept["a1"].state is State.FAILED
        assert one.kept["a1"].last == "554 5.6.0 Message rejected"
        assert len(one.notices.owed) == 1

    clockwork(story())


def test_after_its_time_a_message_is_given_up(policies: Path) -> None:
    """
    Not before, and only when it failed once more: a message is not lost because the relay was off for a week.
    """

    async def story() -> None:
        schedule = Schedule(max_age=3600)
        old = entry("old", accepted_at=NOON - 7 * 86400, due_at=NOON - 7 * 86400)
        async with scene(policies, lambda mail: taken(mail) if name_of(mail) == "old" else THROTTLED) as one:
            await keep(one.spool, old)
            await one.idle()
        async with scene(policies, lambda _: THROTTLED, schedule=schedule) as other:
            await keep(other.spool, entry())
            await other.until(lambda: other.kept["a1"].state is State.FAILED)

        assert one.results == ["sent"]
        assert other.results[-1] == "expired"
        assert 3600 < other.ses.times[-1] < 3600 + schedule.longest
        assert len(other.notices.owed) == 1

    clockwork(story())


def test_what_is_given_up_untried_says_why(policies: Path) -> None:
    """
    The gate was shut all the time: the line, the entry and whoever is notified hear for what.
    """

    async def story() -> None:
        async with scene(policies, lambda _: NO_KEY, schedule=Schedule(max_age=1000)) as one:
            await keep(one.spool, *(entry(f"a{n}") for n in range(30)))
            await one.idle()
            given_up = [each for each in one.records if each["state"] == "failed"]

        untried = [each for each in given_up if not each["attempt"]]
        assert len(given_up) == 30
        assert untried
        assert {(each["reason"], each["why"]) for each in untried} == {("ses-credentials", "given up: ses-credentials")}
        for each in one.kept.values():
            told = undelivered(each, RAW)
            assert (each.reason, {why for _, why in told.recipients}) == (Reason.SES_CREDENTIALS, {each.last})

    clockwork(story())


def test_an_outage_costs_few_calls_and_ends_without_a_stampede(policies: Path) -> None:
    """
    Half an hour, 300 messages of two delegates: SES is asked now and then, and everything goes once when it is back.
    """

    async def story() -> None:
        loop = asyncio.get_running_loop()
        until = 1800.0
        async with scene(policies, lambda mail: DOWN if loop.time() < until else taken(mail)) as one:
            await keep(one.spool, *(entry(f"b{n}", delegate="billing") for n in range(200)))
            await keep(one.spool, *(entry(f"n{n}", delegate="news") for n in range(100)))
            await one.until(lambda: loop.time() >= until)
            during = len(one.ses.calls)
            await one.idle()

        assert during < 100
        assert one.ses.depths[during] == 1
        assert max(one.ses.depths[during : during + 4]) <= 3, "each success lets one more through"
        assert sorted(one.ses.sent) == sorted([f"b{n}" for n in range(200)] + [f"n{n}" for n in range(100)])
        assert min(at for at in one.ses.times if at >= until) < until + 80
        assert set(one.results) == {"deferred", "sent"}
        assert not one.notices.owed

    clockwork(story())


@pytest.mark.parametrize(("trouble", "most"), [(NO_KEY, 40), (OVER_QUOTA, 12)])
def test_trouble_of_the_account_is_probed_rarely(policies: Path, trouble: Outcome, most: int) -> None:
    """
    An hour with 100 messages: the first word shuts the gate; then one asks, and all others wait untried.
    """

    async def story() -> None:
        loop = asyncio.get_running_loop()
        async with scene(policies, lambda mail: trouble if loop.time() < 3600 else taken(mail)) as one:
            await keep(one.spool, *(entry(f"m{n}") for n in range(100)))
            await one.until(lambda: loop.time() >= 3600)
            during = len(one.ses.calls)
            untried = sum(each.attempts == 0 for each in one.kept.values())
            await one.idle()

        # the first window of calls was under way when SES said so for the first time
        assert during <= most + 4
        assert untried > 60
        assert len(one.ses.sent) == len(set(one.ses.sent)) == 100

    clockwork(story())


def test_an_identity_that_ses_does_not_let_us_use_holds_up_no_other(policies: Path) -> None:
    """
    Mail of the one waits at its own gate; mail of the other goes, though it comes later and from the same delegate.
    """

    async def story() -> None:
        other = policies / OWNED / "example.org"
        other.mkdir()
        text = (policies / OWNED / "example.com" / "billing.json").read_text()
        (other / "billing.json").write_text(text.replace("example.com", "example.org"))
        raw = RAW.replace(b"example.com", b"example.org")
        details = {"identity": LANE["identity"].replace("example.com", "example.org")}
        made = entry("late", details=details, due_at=NOON + 5, raw=raw)
        late = replace(made, envelope=replace(made.envelope, reverse_path=parse_address("billing@example.org")))

        async with scene(policies, lambda mail: NOT_LET if "example.com" in mail.from_arn else taken(mail)) as one:
            await keep(one.spool, *(entry(f"m{n:03}", due_at=NOON - 100 + n / 100) for n in range(100)))
            await asyncio.sleep(5)
            await keep(one.spool, late, raw=raw)
            one.courier.look()
            await one.until(lambda: one.ses.sent, 10)

        assert one.ses.sent == ["late"]
        assert len(one.ses.calls) < 20

    clockwork(story())


def test_a_flood_of_one_delegate_does_not_hold_up_another(policies: Path) -> None:
    """
    A thousand messages of one are due before the only one of the other: that one goes with the next free slot.
    """

    async def story() -> None:
        async with scene(policies, bounds=Bounds(calls=4)) as one:
            await keep(one.spool, *(entry(f"b{n:04}", due_at=NOON - 50) for n in range(1000)))
            await asyncio.sleep(1)
            before = len(one.ses.sent)
            await keep(one.spool, entry("news", delegate="news", due_at=NOON + 1))
            one.courier.look()
            await one.until(lambda: "news" in one.ses.sent)
            between = one.ses.sent.index("news") - before
            await one.idle()

        assert before < 200
        assert between <= 4 * (0.5 / 0.05) + 8, "half a second until the spool is looked at again, then the next slot"
        assert one.ses.most == 4
        assert len(set(one.ses.sent)) == len(one.ses.sent) == 1001

    clockwork(story())


def test_octets_in_memory_are_bounded(policies: Path) -> None:
    """
    However many are due: messages whose sizes add up to more than the bound are not under way together, and one that
    is bigger than it goes alone.
    """

    async def story() -> None:
        async with scene(policies, bounds=Bounds(calls=10, octets=3 * 57)) as one:
            await keep(one.spool, *(entry(f"m{n}", size=57) for n in range(12)), entry("big", size=10_000))
            await one.idle()

        assert one.ses.most == 3
        assert len(one.ses.sent) == 13

    clockwork(story())


def test_the_pace_is_asked_and_what_must_wait_is_not_tried(policies: Path) -> None:
    """
    No turn is no attempt: nothing is registered, nothing is sent, and it comes back when the pace says.
    """

    async def story() -> None:
        turns: list[Turn] = []
        told: list[tuple[Turn, Outcome]] = []

        class Slow:
            async def take(self, turn: Turn, *, patience: float) -> NotNow | None:
                turns.append(turn)
                busy = Reply(454, (4, 7, 0), "Throttling failure")
                return NotNow(40.0, busy, Reason.RATE) if len(turns) == 1 else None

            def told(self, turn: Turn, outcome: Outcome) -> None:
                told.append((turn, outcome))

        async with scene(policies, pace=Slow()) as one:
            await keep(one.spool, entry())
            await one.until(lambda: turns)
            await asyncio.sleep(1)
            waits = one.kept["a1"]
            await one.idle()

        assert (waits.attempts, waits.state) == (0, State.DUE)
        assert one.ses.times == [pytest.approx(40, abs=GLANCES)]
        assert turns[0].recipients == 2
        assert turns[0].delegate == "billing"
        assert told == [(turns[1], Sent("0100-a1"))]
        assert one.results == ["sent"]

    clockwork(story())


GLANCES = 6.0


def test_every_batch_has_its_own_fate(policies: Path) -> None:
    """
    One is sent already, one goes, one is refused, one has to wait: each recipient is in one accepted call at most.
    """

    async def story() -> None:
        def answer(mail: Mail) -> Outcome:
            first = mail.destinations[0]
            if first == "refused@example.net":
                return REFUSED
            if first == "later@example.net" and len(one.ses.calls) < 4:
                return THROTTLED
            return Sent(f"0100-{first}")

        names = ("done", "now", "refused", "later")
        made = entry()
        envelope = replace(made.envelope, forward_paths=tuple(parse_address(f"{name}@example.net") for name in names))
        batches = tuple(Batch((f"{name}@example.net",)) for name in names)
        batches = (replace(batches[0], ses_id="0100-done"), *batches[1:])
        async with scene(policies, answer) as one:
            await keep(one.spool, replace(made, envelope=envelope, batches=batches))
            await one.until(lambda: one.results == ["deferred"])
            between = one.kept["a1"]
            await one.until(lambda: len(one.results) == 2)

        assert [batch.is_open for batch in between.batches] == [False, False, False, True]
        assert [mail.destinations[0].partition("@")[0] for _, mail in one.ses.calls] == [
            "now",
            "refused",
            "later",
            "later",
        ]
        assert one.results == ["deferred", "refused"]
        assert [batch.ses_id for batch in one.kept["a1"].batches] == [
            "0100-done",
            "0100-now@example.net",
            None,
            "0100-later@example.net",
        ]
        assert one.kept["a1"].state is State.FAILED

    clockwork(story())


def test_the_fate_of_a_batch_is_on_disk_before_the_next_is_sent(policies: Path) -> None:
    """
    A crash between two batches: the first is not sent again.
    """

    async def story() -> None:
        seen: list[tuple[Batch, ...]] = []

        async def answer(mail: Mail) -> Outcome:
            seen.append(one.kept["a1"].batches)
            return Sent("0100-x")

        batches = (Batch(("ann@example.net",)), Batch(("bob@example.net",)))
        async with scene(policies, answer) as one:
            await keep(one.spool, entry(batches=batches))
            await one.idle()

        assert [[batch.ses_id for batch in each] for each in seen] == [[None, None], ["0100-x", None]]
        assert one.results == ["sent"]
        assert one.records[0]["ses_ids"] == ["0100-x", "0100-x"]

    clockwork(story())


def test_an_answer_that_cannot_be_written_is_not_forgotten(policies: Path) -> None:
    """
    The disk fails while SES takes the message: it is not sent again, and forgotten when the disk is back.
    """

    async def story() -> None:
        async def answer(mail: Mail) -> Outcome:
            one.spool.trouble = Unavailable("EIO")
            return taken(mail)

        async with scene(policies, answer) as one:
            await keep(one.spool, entry())
            await one.until(lambda: one.ses.calls)
            await asyncio.sleep(1000)
            before = dict(one.kept), list(one.results)
            one.spool.trouble = None
            await one.until(lambda: one.results)

        assert before[0]["a1"].state is State.SENDING
        assert before[1] == []
        assert len(one.ses.calls) == 1
        assert not one.kept
        assert one.results == ["sent"]

    clockwork(story())


def test_a_disk_that_takes_no_note_is_given_a_rest(policies: Path) -> None:
    """
    What cannot be registered is not sent, and nobody spins.
    """

    async def story() -> None:
        async with scene(policies) as one:
            begin, begun = one.spool.begin, []

            async def no_begin(entry: Entry, now: float) -> Entry | Unavailable | None:
                begun.append(now)
                return Unavailable("ENOSPC") if len(begun) < 5 else await begin(entry, now)

            one.spool.begin = no_begin  # type: ignore[method-assign]  # a disk that is full for writing only
            await keep(one.spool, entry())
            await one.idle()

        assert len(begun) == 5
        assert begun[-1] - begun[0] >= 4
        assert one.ses.sent == ["a1"]

    clockwork(story())


@pytest.mark.parametrize("answer", [taken, lambda _: DOWN])
def test_a_hold_and_a_deletion_by_a_person_stand(policies: Path, answer: Callable[[Mail], Outcome]) -> None:
    """
    Said while the message is under way: it is held after this attempt, unless SES took it; or it is gone.
    """

    async def story() -> None:
        async def meanwhile(mail: Mail) -> Outcome:
            current = one.kept[name_of(mail)]
            if current.id == "held":
                held = acted(current, Action.HOLD, current.due_at, keep_failed=0)
                assert isinstance(held, Entry)
                await one.spool.change(held)
            else:
                await one.spool.remove(current)
            return answer(mail)

        async with scene(policies, meanwhile) as one:
            await keep(one.spool, entry("held"), entry("deleted"))
            await one.until(lambda: len(one.results) == 2)
            await asyncio.sleep(5000)

        assert len(one.ses.calls) == 2
        assert {name: each.state for name, each in one.kept.items()} == ({} if one.ses.sent else {"held": State.HELD})

    clockwork(story())


def test_a_hold_stands_between_two_calls_of_one_message(policies: Path) -> None:
    """
    Asked for during the first batch: its fate is noted, and the second is not tried again.
    """
    first, second = (tuple(f"{name}{number}@example.net" for number in range(50)) for name in "ab")

    async def story() -> None:
        async def meanwhile(mail: Mail) -> Outcome:
            if len(one.ses.calls) > 1:
                return DOWN
            asked = acted(one.kept["a1"], Action.HOLD, NOON, keep_failed=0)
            assert isinstance(asked, Entry)
            await one.spool.change(asked)
            return taken(mail)

        async with scene(policies, meanwhile) as one:
            paths = tuple(parse_address(each) for each in (*first, *second))
            envelope = replace(entry().envelope, forward_paths=paths)
            await keep(one.spool, entry(envelope=envelope, batches=(Batch(first), Batch(second))))
            await one.until(lambda: one.results)
            await asyncio.sleep(5000)

        held = one.kept["a1"]
        assert (held.state, [batch.is_open for batch in held.batches]) == (State.HELD, [False, True])
        assert HOLD not in held.details
        assert len(one.ses.calls) == 2

    clockwork(story())


def test_a_hold_asked_for_before_a_crash_stands_after_it(policies: Path) -> None:
    """
    The note of it is on the disk, beside the attempt.
    """

    async def story() -> None:
        spool = MemorySpool()
        asked = acted(entry(state=State.SENDING, attempts=1), Action.HOLD, NOON, keep_failed=0)
        assert isinstance(asked, Entry)
        await keep(spool, asked)
        async with scene(policies, spool=spool) as one:
            await asyncio.sleep(5000)

        assert (one.kept["a1"].state, one.kept["a1"].maybe, one.ses.calls) == (State.HELD, 1, [])

    clockwork(story())


@pytest.mark.parametrize("action", [Action.HOLD, Action.GIVE_UP])
def test_what_a_person_did_to_a_waiting_message_is_not_undone(policies: Path, action: Action) -> None:
    """
    The courier knew it as due, and puts it off a moment later.
    """

    async def story() -> None:
        async with scene(policies, starts=False) as one:
            await keep(one.spool, entry())
            changed = acted(one.kept["a1"], action, NOON, keep_failed=100)
            assert isinstance(changed, Entry)
            theirs = await one.spool.change(changed)
            late = put_off_by(entry(), Schedule(), NOON, 60)
            assert await Books(one.spool, one.events.append).write(late) == theirs

        assert one.kept["a1"] == theirs

    clockwork(story())


def test_a_mistake_of_ours_is_an_incident_and_time_may_mend_it(policies: Path) -> None:
    """
    An exception in judging is temporary; one in the call is ambiguous; neither stops the others.
    """

    async def story() -> None:
        def answer(mail: Mail) -> Outcome:
            if name_of(mail) == "call" and not one.of(Incident):
                raise KeyError("ours")
            return taken(mail)

        async with scene(policies, answer) as one:
            await keep(one.spool, entry("call"), entry("good"))
            await one.idle()
            prepare, one.walk.prepare = one.walk.prepare, None  # type: ignore[method-assign,assignment]  # a mistake
            await keep(one.spool, entry("judge", due_at=NOON + 100))
            await one.until(lambda: len(one.of(Incident)) > 2)
            one.walk.prepare = prepare  # type: ignore[method-assign]  # mended
            await one.idle()

        assert sorted(one.ses.sent) == ["call", "good", "judge"]
        assert one.results.count("ambiguous") == 1
        assert one.results.count("deferred") == len(one.of(Incident)) - 1

    clockwork(story())


def handed_over(one: Scene, call: Coroutine[Any, Any, Outcome], name: str = "a1") -> None:
    one.courier.hand_over(one.kept[name], asyncio.create_task(call))


def test_a_call_that_was_handed_over_is_waited_for(policies: Path) -> None:
    """
    While it runs nobody else tries; its end settles the entry.
    """

    async def story() -> None:
        async def slow(outcome: Outcome) -> Outcome:
            await asyncio.sleep(50)
            return outcome

        async with scene(policies) as one:
            for name in ("sent", "down", "silent", "refused"):
                await keep(one.spool, entry(name, state=State.SENDING, attempts=1))
            handed_over(one, slow(Sent("0100")), "sent")
            handed_over(one, slow(DOWN), "down")
            handed_over(one, slow(SILENT), "silent")
            handed_over(one, slow(REFUSED), "refused")
            await asyncio.sleep(49)
            before = len(one.ses.calls), list(one.results)
            await one.idle()

        assert before == (0, [])
        assert sorted(one.results) == ["ambiguous", "deferred", "refused", "sent", "sent", "sent"]
        assert sorted(one.ses.sent) == ["down", "silent"]
        assert [name_of(mail) for _, mail in one.ses.calls if mail.head.startswith(b"X-Relay-Attempt")] == ["silent"]
        assert one.kept["refused"].state is State.FAILED
        assert [each["seconds"] for each in one.records[:4]] == [50.0] * 4

    clockwork(story())


def test_stopping_lets_end_what_is_under_way(policies: Path) -> None:
    """
    Nothing new is taken; what runs is settled; what does not end in time is broken off, as what SES may have.
    """

    async def story() -> None:
        async def answer(mail: Mail) -> Outcome:
            await asyncio.sleep(5 if name_of(mail) == "slow" else 500)
            return taken(mail)

        async with scene(policies, answer) as one:
            await keep(one.spool, entry("slow"), entry("stuck"), entry("handed", state=State.SENDING, attempts=1))
            handed_over(one, asyncio.sleep(1000, Sent("0100")), "handed")
            await one.until(lambda: len(one.ses.calls) == 2)
            await keep(one.spool, entry("new"))
            one.courier.halt()
            one.courier.look()
            is_quiet = await one.courier.stop(20)
            took = asyncio.get_running_loop().time()

        assert not is_quiet
        assert took < 30
        assert one.ses.sent == ["slow"]
        assert (one.kept["new"].state, one.kept["new"].attempts) == (State.DUE, 0)
        for name in ("stuck", "handed"):
            assert (one.kept[name].state, one.kept[name].maybe) == (State.DUE, 1), name
        assert sorted(one.results) == ["ambiguous", "ambiguous", "sent"]

    clockwork(story())
