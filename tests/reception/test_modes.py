"""What a 250 means: reception in its three modes, whatever SES, the disk and the client do."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from relay.courier.schedule import Schedule, is_far
from relay.reception import Keeping, Reception
from relay.sending.outcomes import Mail, Outcome, Sent
from relay.sending.ports import NotNow, Turn
from relay.sending.troubles import lane_of
from relay.spool.entries import Entry, State
from relay.spool.ports import Full
from relay.words.addresses import parse_address
from relay.words.endings import Outcome as Ended
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending
from relay.words.unavailable import Unavailable
from tests.clockwork import clockwork
from tests.courier.scene import (
    DELEGATES,
    DEMO,
    DOWN,
    NO_KEY,
    NOT_LET,
    REFUSED,
    SILENT,
    THROTTLED,
    Answer,
    Scene,
    entry,
    in_order,
    scene,
    taken,
)
from tests.spool.building import NOON, RAW

Kept = Literal["fallback", "spool"]
QUEUED = Reply(250, (2, 0, 0), "Ok queued as a1")


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies."""
    return Path(shutil.copytree(DEMO / "policies", tmp_path / "policies"))


@dataclass
class House:
    """A reception, the courier behind it, and both of their neighbours."""

    reception: Reception
    scene: Scene

    async def receive(self, name: str = "a1", raw: bytes = RAW, delegate: str = "billing") -> Ending:
        made = entry(name, delegate=delegate)
        return await self.reception.receive(made.session, made.envelope, raw)

    @property
    def kept(self) -> dict[str, Entry]:
        return self.scene.kept


@asynccontextmanager
async def house(
    policies: Path, answer: Answer = taken, mode: Kept | None = None, pace: "Stubborn | None" = None
) -> AsyncIterator[House]:
    """Open a reception in front of a courier that does nothing yet."""
    async with scene(policies, answer, starts=False) as one:
        reception = Reception(one.walk, one.ses, gates=one.gates, pace=pace)
        if mode is not None:
            now = asyncio.get_running_loop().time
            reception.keeping = Keeping(mode, one.spool, one.courier, lambda: NOON + now(), 8.0, 900.0)
        yield House(reception, one)


class Stubborn:
    """A pace that gives nobody a turn, for so many seconds."""

    def __init__(self, seconds: float = 120.0) -> None:
        self.seconds = seconds

    async def take(self, turn: Turn, *, patience: float) -> NotNow | None:
        await asyncio.sleep(patience)
        return NotNow(self.seconds, Reply(454, (4, 7, 0), "Throttling failure"), Reason.RATE)

    def told(self, turn: Turn, outcome: Outcome) -> None:
        raise AssertionError("nothing was sent")


@pytest.mark.parametrize("mode", [None, "fallback"])
def test_what_ses_takes_is_never_kept(policies: Path, mode: Kept | None) -> None:
    """
    SES's id is in the reply, and the spool was not touched.
    """

    async def story() -> None:
        async with house(policies, mode=mode) as one:
            ending = await one.receive()

            assert (ending.outcome, ending.reason) == (Ended.ACCEPTED, Reason.NONE)
            assert ending.reply == Reply(250, (2, 0, 0), "Ok 0100-a1")
            assert ending.facts["ses_id"] == "0100-a1"
            assert one.scene.spool.steps == []

    clockwork(story())


@pytest.mark.parametrize("mode", [None, "fallback", "spool"])
def test_a_suspended_delegate_is_refused_in_every_mode(policies: Path, mode: Kept | None) -> None:
    """
    At MAIL, and at the end of DATA where it was suspended meanwhile; nothing is sent or kept.
    """
    barred = NotNow(60.0, Reply(454, (4, 7, 1), "Delegate billing is suspended"), Reason.RATE)

    async def story() -> None:
        async with house(policies, mode=mode) as one:
            made = entry("a1", delegate="billing")
            one.reception.barred = {"billing": barred}.get
            early = one.reception.early_answer(made.session, made.envelope)
            ending = await one.receive()

            assert early is not None
            for each in (early, ending):
                assert (each.outcome, each.reason) == (Ended.DEFERRED, Reason.RATE)
                assert each.reply == Reply(454, (4, 7, 1), "Delegate billing is suspended (decision a1)")
            assert ending.facts["roles"]
            assert not one.kept

    clockwork(story())


@pytest.mark.parametrize("outcome", [DOWN, THROTTLED, NO_KEY, NOT_LET, SILENT])
def test_direct_keeps_nothing(policies: Path, outcome: Outcome) -> None:
    """
    The client hears what SES's answer means.
    """

    async def story() -> None:
        async with house(policies, in_order(outcome)) as one:
            ending = await one.receive()

            assert ending.outcome is Ended.DEFERRED
            assert ending.reply.code // 100 == 4
            assert ending.reply.text.endswith("(decision a1)")
            assert not one.kept

    clockwork(story())


@pytest.mark.parametrize("outcome", [DOWN, THROTTLED, NO_KEY, NOT_LET, SILENT])
def test_fallback_keeps_what_ses_does_not_take_now(policies: Path, outcome: Outcome) -> None:
    """
    The entry knows of the attempt, why it failed, and whether SES may have it; the record of the message, too.
    """

    async def story() -> None:
        async with house(policies, in_order(outcome), "fallback") as one:
            ending = await one.receive()
            (kept,) = one.kept.values()

            assert (ending.outcome, ending.reply) == (Ended.QUEUED, QUEUED)
            assert ending.reason is outcome.reason  # type: ignore[union-attr]  # none of them is Sent
            assert ending.facts["queue_id"] == "a1"
            assert ending.facts["ses_error"] == kept.last
            assert (kept.state, kept.attempts) == (State.DUE, 1)
            assert kept.maybe == (outcome is SILENT)
            assert kept.due_at > NOON
            assert [batch.recipients for batch in kept.batches] == [("ann@example.net", "bob@example.net")]

    clockwork(story())


def test_fallback_tells_a_final_no_at_once(policies: Path) -> None:
    """
    SES's, and the judge's.
    """

    async def story() -> None:
        async with house(policies, in_order(REFUSED), "fallback") as one:
            refused = await one.receive()
            denied = await one.receive(raw=RAW.replace(b"billing@", b"ceo@"))

            assert (refused.outcome, refused.reply.code) == (Ended.REJECTED, 554)
            assert (denied.outcome, denied.reason) == (Ended.REJECTED, Reason.POLICY_NOT_ALLOWED)
            assert not one.kept

    clockwork(story())


def test_spool_judges_first_then_keeps(policies: Path) -> None:
    """
    SES is not asked while the client waits; the message is due at once.
    """

    async def story() -> None:
        async with house(policies, mode="spool") as one:
            denied = await one.receive("a0", raw=RAW.replace(b"billing@", b"ceo@"))
            ending = await one.receive()

            assert denied.reply.code == 554
            assert (ending.outcome, ending.reason, ending.reply) == (Ended.QUEUED, Reason.NONE, QUEUED)
            assert one.scene.ses.calls == []
            assert list(one.kept) == ["a1"]
            assert (one.kept["a1"].due_at, one.kept["a1"].attempts) == (NOON, 0)

            await one.scene.courier.start()
            await one.scene.until(lambda: not one.kept)
            assert one.scene.ses.sent == ["a1"]

    clockwork(story())


@pytest.mark.parametrize("mode", ["fallback", "spool"])
@pytest.mark.parametrize("outcome", [DOWN, SILENT, THROTTLED])
def test_what_cannot_be_kept_is_the_clients(policies: Path, mode: Kept, outcome: Outcome) -> None:
    """
    No 250: without room 452 4.3.1; where the disk fails, what direct would say, or 451.
    """

    async def story() -> None:
        async with house(policies, lambda _: outcome, mode) as one:
            one.scene.spool.full = Full("max_bytes")
            full = await one.receive()
            one.scene.spool.full, one.scene.spool.trouble = None, Unavailable("EIO")
            broken = await one.receive()

            assert (full.outcome, full.reason) == (Ended.DEFERRED, Reason.SPOOL_FULL)
            assert full.reply.code == 452
            assert full.reply.enhanced == (4, 3, 1)
            assert ("ses_error" in full.facts) == (mode == "fallback")
            assert broken.outcome is Ended.DEFERRED
            if mode == "fallback":
                assert broken.reply.text.startswith(outcome.reply.text)  # type: ignore[union-attr]  # not Sent
            else:
                assert str(broken.reply).startswith("451 4.3.0 The message could not be kept")
            assert not one.kept

    clockwork(story())


def test_only_mode_spool_asks_for_room_beforehand(policies: Path) -> None:
    """
    In fallback SES may take the message though the spool is full.
    """

    async def story() -> None:
        for mode, is_refused in ((None, False), ("fallback", False), ("spool", True)):
            async with house(policies, mode=mode) as one:  # type: ignore[arg-type]  # of a tuple of both
                assert one.reception.room(10) is None
                one.scene.spool.full = Full("max_bytes")
                refusal = one.reception.room(10)
                assert (refusal is not None) == is_refused
                if refusal is not None:
                    assert (refusal.reply.code, refusal.reason) == (452, Reason.SPOOL_FULL)

    clockwork(story())


@pytest.mark.parametrize("outcome", [Sent("0100-a1"), DOWN, SILENT, REFUSED])
def test_beyond_the_budget_the_courier_waits_for_the_call(policies: Path, outcome: Outcome) -> None:
    """
    250 after eight seconds, the entry *sending*; no second call before the first has ended, and none if that was good.
    """

    async def story() -> None:
        async def slow(mail: Mail) -> Outcome:
            if len(one.scene.ses.calls) == 1:
                await asyncio.sleep(40)
                return outcome
            return taken(mail)

        async with house(policies, slow, "fallback") as one:
            now = asyncio.get_running_loop().time
            await one.scene.courier.start()
            ending = await one.receive()
            replied, kept = now(), one.kept["a1"]
            await asyncio.sleep(25)
            assert len(one.scene.ses.calls) == 1
            await one.scene.idle()

            assert replied == pytest.approx(8.0)
            assert (ending.outcome, ending.reply) == (Ended.QUEUED, QUEUED)
            assert ending.facts["api"] == "ses:SendRawEmail"
            assert (kept.state, kept.attempts) == (State.SENDING, 1)
            wanted = {Sent("0100-a1"): ["sent"], DOWN: ["deferred", "sent"], SILENT: ["ambiguous", "sent"]}
            assert one.scene.results == wanted.get(outcome, ["refused"])
            assert len(one.scene.notices.owed) == (outcome is REFUSED)

    clockwork(story())


def test_beyond_the_budget_without_a_place_the_client_waits(policies: Path) -> None:
    """
    As in direct: 250 with SES's id, or what its answer means.
    """

    async def story() -> None:
        async def slow(mail: Mail) -> Outcome:
            await asyncio.sleep(40)
            return taken(mail) if len(one.scene.ses.calls) == 1 else DOWN

        async with house(policies, slow, "fallback") as one:
            one.scene.spool.full = Full("max_bytes")
            sent = await one.receive()
            down = await one.receive("a2")

            assert sent.reply.text == "Ok 0100-a1"
            assert down.reply.text.startswith(DOWN.reply.text)
            assert not one.kept

    clockwork(story())


def test_at_a_shut_gate_nobody_waits(policies: Path) -> None:
    """
    SES is known to be in trouble: the message is kept at once, with the reason, and SES is not asked.
    """

    async def story() -> None:
        async with house(policies, lambda _: NO_KEY, "fallback") as one:
            await one.receive("a0")
            ending = await one.receive()

            assert len(one.scene.ses.calls) == 1
            assert (ending.outcome, ending.reason) == (Ended.QUEUED, Reason.SES_CREDENTIALS)
            assert one.kept["a1"].attempts == 0

            one.scene.spool.trouble = Unavailable("EIO")
            refused = await one.receive("a2")
            assert (refused.outcome, refused.reason) == (Ended.DEFERRED, Reason.SES_CREDENTIALS)
            assert refused.reply.code == 451

    clockwork(story())


def test_without_a_turn_the_message_is_kept_or_the_clients(policies: Path) -> None:
    """
    A bounded wait inside the transaction, then 454 or the spool.
    """

    async def story() -> None:
        async with house(policies, pace=Stubborn()) as one:
            ending = await one.receive()
            assert (ending.outcome, ending.reason) == (Ended.DEFERRED, Reason.RATE)
            assert str(ending.reply).startswith("454 4.7.0 Throttling failure")
        async with house(policies, mode="fallback", pace=Stubborn()) as one:
            began = asyncio.get_running_loop().time()
            ending = await one.receive()
            waited = asyncio.get_running_loop().time() - began
            assert (ending.outcome, ending.reason) == (Ended.QUEUED, Reason.RATE)
            assert waited < 8.0
            assert one.kept["a1"].due_at == pytest.approx(NOON + began + waited + 120)
            assert one.kept["a1"].attempts == 0
            assert one.scene.gates.admit(lane_of(one.kept["a1"].details)), "the turn that was not had is no probe"

    clockwork(story())


def test_who_is_over_its_day_asks_again_before_its_end(policies: Path) -> None:
    """
    A reload may lift its limit; and what is due so far away looks as if a clock had been wrong.
    """

    async def story() -> None:
        async with house(policies, mode="fallback", pace=Stubborn(86_000.0)) as one:
            await one.receive()
            now = NOON + asyncio.get_running_loop().time()
            assert one.kept["a1"].due_at == pytest.approx(now + 900.0)
            assert not is_far(one.kept["a1"], Schedule(), now)

    clockwork(story())


@pytest.mark.parametrize("mode", [None, "fallback", "spool"])
def test_more_recipients_than_a_day_has_are_refused_for_good(policies: Path, mode: Kept | None) -> None:
    """
    No day would ever have the room: asking again is of no use, and neither is keeping it.
    """

    async def story(daily: int) -> Ending:
        async with house(policies, mode=mode) as one:
            billing = replace(DELEGATES["billing"], daily_recipients=daily)
            one.scene.walk.house = replace(one.scene.walk.house, delegate={"billing": billing}.get)
            ending = await one.receive()
            assert bool(one.kept) == (mode == "spool" and daily == 2)
            return ending

    refused = clockwork(story(1))
    assert (refused.outcome, refused.reason) == (Ended.REJECTED, Reason.RECIPIENTS)
    assert refused.reply == Reply(
        550,
        (5, 5, 3),
        "Too many recipients: delegate billing may send to 1 in 24 hours; send it in parts (decision a1)",
    )
    assert refused.facts["roles"]
    assert clockwork(story(2)).outcome in (Ended.ACCEPTED, Ended.QUEUED)


def test_what_goes_in_several_calls_may_take_several_days(policies: Path) -> None:
    """
    Of 60 recipients SES is told of 50 at once: the day needs room for those.
    """

    async def story() -> None:
        async with house(policies, mode="spool") as one:
            made = entry("a1", delegate="billing")
            many = tuple(parse_address(f"u{number}@example.net") for number in range(60))
            billing = replace(DELEGATES["billing"], daily_recipients=50)
            one.scene.walk.house = replace(one.scene.walk.house, delegate={"billing": billing}.get)
            ending = await one.reception.receive(made.session, replace(made.envelope, forward_paths=many), RAW)

            assert ending.outcome is Ended.QUEUED
            assert [len(batch.recipients) for batch in one.kept["a1"].batches] == [50, 10]

    clockwork(story())


def test_the_octets_that_were_judged_are_kept(policies: Path) -> None:
    """
    All of them, and no others.
    """

    async def story() -> None:
        async with house(policies, mode="spool") as one:
            ending = await one.receive()
            body = await one.scene.spool.body(one.kept["a1"])

            assert ending.outcome is Ended.QUEUED
            assert body == RAW
            assert one.kept["a1"].size == len(RAW)

    clockwork(story())


def test_whoever_stops_waiting_stops_neither_call_nor_commit(policies: Path) -> None:
    """
    The errand is cancelled in the middle of a commit: the message is kept whole, and sent.
    """

    async def story() -> None:
        async with house(policies, mode="spool") as one:
            commit = one.scene.spool.commit

            async def slow(entry: Entry, raw: bytes) -> Full | Unavailable | None:
                await asyncio.sleep(1)
                return await commit(entry, raw)

            one.scene.spool.commit = slow  # type: ignore[method-assign]  # a disk that takes its time
            errand = asyncio.create_task(one.receive())
            await asyncio.sleep(0.5)
            errand.cancel()
            await asyncio.sleep(1)

            assert list(one.kept) == ["a1"]

    clockwork(story())


def test_the_envelope_is_kept_as_it_came(policies: Path) -> None:
    """
    The envelope in the spool is the envelope that was judged.
    """

    async def story() -> None:
        async with house(policies, mode="spool") as one:
            made = entry()
            envelope = replace(made.envelope, forward_paths=(parse_address("Ann@example.net"),))
            await one.reception.receive(made.session, envelope, RAW)

            assert one.kept["a1"].envelope == envelope
            assert one.kept["a1"].batches[0].recipients == ("Ann@example.net",)

    clockwork(story())
