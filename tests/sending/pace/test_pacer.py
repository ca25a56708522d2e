"""The pace of one relay, on the real event loop."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from relay.background import call_off
from relay.observe.events import Event, Noted, PaceForgotten, SendingPaced
from relay.sending.keys import Unusable
from relay.sending.outcomes import Ambiguous, Deferred, Outcome, Refused, Sent
from relay.sending.pace import pacer as pacers
from relay.sending.pace.pacer import ASK_SECONDS, Pacer
from relay.sending.pace.quota import SendQuota, quota_of
from relay.sending.pace.shares import Share
from relay.sending.ports import NOT_MADE, NotNow, Turn
from relay.sending.troubles import OWN, Lane, lane_of
from relay.words.endings import Reason
from relay.words.replies import Reply
from tests.clockwork import clockwork

LANE = Lane("111111111111", "us-east-1", "arn:aws:ses:us-east-1:888888888888:identity/example.com")
LATER = Reply(454, (4, 7, 0), "later")
THROTTLED = Deferred("Throttling", "Maximum sending rate exceeded.", LATER, Reason.SES_THROTTLED)
NOT_SENT = Deferred("NotSent", "refused", LATER, Reason.SES_UNAVAILABLE)
REFUSED = Refused("MessageRejected", "virus", Reply(554, (5, 6, 0), "no"), Reason.SES_REFUSED)
MAYBE = Ambiguous("NoAnswer", "reset", LATER, Reason.SES_UNAVAILABLE)


def turn(delegate: str = "billing", recipients: int = 1, lane: Lane = LANE) -> Turn:
    return Turn(lane, delegate, recipients)


@dataclass
class Ses:
    """What SES answers to GetSendQuota."""

    answer: SendQuota | Unusable = field(default_factory=lambda: SendQuota(10_000, None, 0))
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, account: str, region: str) -> SendQuota | Unusable:
        self.asked.append((account, region))
        return self.answer


@dataclass
class Stage:
    ses: Ses
    make: Callable[..., Pacer]
    events: list[Event]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    pacers: list[Pacer] = []
    ses, events = Ses(), list[Event]()

    def make(wanted: float | None = None, **shares: Share) -> Pacer:
        clock = asyncio.get_running_loop().time
        pacers.append(Pacer(ses, wanted=wanted, shares=shares, observe=events.append, clock=clock))
        return pacers[-1]

    yield Stage(ses, make, events)
    for pacer in pacers:
        await pacer.close()


async def test_without_a_known_rate_it_goes_as_fast_as_ses_takes_it(stage):
    stage.ses.answer = Unusable("GetSendQuota: HTTP status 403, AccessDenied", "AccessDenied")
    pacer = stage.make()

    for _ in range(1000):
        assert await pacer.take(turn(), patience=1) is None
        pacer.told(turn(), Sent("0100"))
    noted = [event for event in stage.events if isinstance(event, Noted)]
    assert [(event.event, event.details["fix"]) for event in noted] == [
        ("pace.quota-unknown", "allow ses:GetSendQuota")
    ]


async def test_a_role_that_cannot_be_assumed_is_no_lack_of_permission_and_is_asked_again_once_it_can(stage):
    stage.ses.answer = Unusable("STS said AccessDenied")
    pacer = stage.make()
    await pacer.take(turn(), patience=0)
    await asyncio.sleep(0)
    [noted] = [event for event in stage.events if isinstance(event, Noted)]
    assert "fix" not in noted.details

    stage.ses.answer = SendQuota(100, None, 0)
    pacer.look_again("222222222222")
    await asyncio.sleep(0)
    assert len(stage.ses.asked) == 1
    pacer.look_again("111111111111")
    await asyncio.sleep(0)
    assert SendingPaced("111111111111", "us-east-1", 98.0, None) in stage.events
    pacer.look_again("111111111111")
    await asyncio.sleep(0)
    assert len(stage.ses.asked) == 2


async def test_a_role_in_the_relays_own_account_has_its_pace(stage):
    """Two ways to call, one account at SES: together they keep to its rate."""
    clock = asyncio.get_running_loop().time
    named = {OWN: "unknown"}
    told = {"observe": stage.events.append, "named": lambda key: named.get(key, key)}
    pacer = Pacer(stage.ses, wanted=None, shares={}, clock=clock, **told)
    stage.ses.answer = SendQuota(1000, 100, 0)
    own = Lane(OWN, "us-east-1", "x")
    await pacer.take(turn(lane=own), patience=0)
    await asyncio.sleep(0)
    named[OWN] = "111111111111"
    for _ in range(100):  # the first was counted by SES
        assert await pacer.take(turn(), patience=1) is None

    refused = await pacer.take(turn(lane=own), patience=0)
    assert isinstance(refused, NotNow)
    assert refused.reason is Reason.QUOTA
    assert stage.ses.asked == [(OWN, "us-east-1")]
    await pacer.close()


async def test_an_account_that_nobody_calls_as_any_more_is_asked_about_no_more(stage, monkeypatch):
    """Also where the question was under way; and who sends through it again begins anew."""
    monkeypatch.setattr(pacers, "ASK_SECONDS", 0.01)
    pacer = stage.make()
    asking = asyncio.create_task(pacer.run())
    await pacer.take(turn(), patience=0)
    pacer.forget("222222222222")
    pacer.forget("111111111111")
    await asyncio.sleep(0.05)
    assert stage.ses.asked == [("111111111111", "us-east-1")]
    assert stage.events == [PaceForgotten("111111111111", "us-east-1")]

    await pacer.take(turn(), patience=0)
    await asyncio.sleep(0.05)
    asking.cancel()
    assert SendingPaced("111111111111", "us-east-1", 9800.0, None) in stage.events


async def test_each_account_and_region_is_asked_about_once(stage):
    pacer = stage.make()
    for region in ("us-east-1", "eu-west-1", "us-east-1"):
        await pacer.take(turn(lane=Lane("111111111111", region, "x")), patience=0)
    await asyncio.sleep(0)

    assert stage.ses.asked == [("111111111111", "us-east-1"), ("111111111111", "eu-west-1")]
    assert SendingPaced("111111111111", "eu-west-1", 9800.0, None) in stage.events


def test_mail_whose_way_is_not_known_yet_ends_no_questions_about_the_others():
    """A notification is judged only as it is tried, and takes a turn before; SES is not asked about nowhere."""
    ses = Ses()

    async def answer(account: str, region: str) -> SendQuota | Unusable:
        if not region:
            raise ValueError("'' is no AWS region")
        return await ses(account, region)

    async def story() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Pacer(answer, wanted=None, shares={}, observe=lambda _event: None, clock=clock)
        nowhere = turn(lane=lane_of({}))
        assert await pacer.take(nowhere, patience=0) is None
        pacer.told(nowhere, NOT_MADE)
        assert await pacer.take(turn(), patience=0) is None
        running = asyncio.create_task(pacer.run())
        await asyncio.sleep(3.5 * ASK_SECONDS)
        await call_off(running)
        await pacer.close()

    clockwork(story())
    assert ses.asked == [("111111111111", "us-east-1")] * 4


async def test_who_has_no_patience_hears_what_ses_would_say(stage):
    pacer = stage.make(wanted=5)
    answers = [await pacer.take(turn(), patience=0.01) for _ in range(5)]

    refused = [answer for answer in answers if answer is not None]
    assert answers[0] is None
    assert {(answer.reason, str(answer.reply)) for answer in refused} == {
        (Reason.RATE, "454 4.7.0 Throttling failure: Maximum sending rate exceeded")
    }


async def test_all_who_wait_have_their_turn_and_a_flood_starves_nobody(stage):
    pacer = stage.make(wanted=500)
    order: list[str] = []

    async def send(delegate: str) -> None:
        assert await pacer.take(turn(delegate), patience=30) is None
        order.append(delegate)

    async with asyncio.TaskGroup() as group:
        for _ in range(150):
            group.create_task(send("flood"))
        await asyncio.sleep(0.02)
        for _ in range(10):
            group.create_task(send("calm"))

    assert Counter(order) == {"flood": 150, "calm": 10}
    assert max(place for place, name in enumerate(order) if name == "calm") < 120


async def test_who_hangs_up_while_waiting_takes_no_turn(stage):
    pacer = stage.make(wanted=20)
    await pacer.take(turn(recipients=10), patience=0)
    gone = asyncio.create_task(pacer.take(turn("gone", 50), patience=30))
    stays = asyncio.create_task(pacer.take(turn("stays"), patience=30))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays is None
    assert await pacer.take(turn("next"), patience=5) is None  # the 50 were never taken: it would be 2.5 s
    assert gone.cancelled()


async def test_the_day_is_used_up_where_ses_says_so(stage):
    stage.ses.answer = SendQuota(10_000, 100, 90)
    pacer = stage.make()
    await pacer.take(turn(), patience=0)
    await asyncio.sleep(0)

    assert await pacer.take(turn(recipients=10), patience=0) is None
    refused = await pacer.take(turn(), patience=100)

    assert isinstance(refused, NotNow)
    assert (refused.reason, refused.reply.text) == (
        Reason.QUOTA,
        "Throttling failure: Daily message quota exceeded",
    )
    assert refused.seconds >= 60


async def test_a_day_that_ses_tells_no_more_of_does_not_stay_full(stage):
    """GetSendQuota is forbidden, or away, from now on; the day's 24 hours roll on all the same, and SES will say no."""
    moment = 1000.0
    pacer = Pacer(stage.ses, wanted=None, shares={}, observe=stage.events.append, clock=lambda: moment)
    stage.ses.answer = SendQuota(10_000, 100, 99)
    assert await pacer.take(turn(), patience=0) is None
    await asyncio.sleep(0)
    assert await pacer.take(turn(), patience=0) is None
    stage.ses.answer = Unusable("GetSendQuota: HTTP status 403, AccessDenied", "AccessDenied")
    answers = []
    for seconds in (60, 900, 86_400):
        moment += seconds
        await pacer._learn(LANE.account, LANE.region)
        answers.append(await pacer.take(turn(), patience=0))

    assert [isinstance(answer, NotNow) for answer in answers] == [True, False, False]
    await pacer.close()


@pytest.mark.parametrize(
    ("outcome", "counts"), [(Sent("x"), True), (MAYBE, True), (NOT_SENT, False), (REFUSED, False), (THROTTLED, False)]
)
async def test_what_ses_did_not_take_does_not_count_for_the_day(stage, outcome: Outcome, counts: bool):
    stage.ses.answer = SendQuota(10_000, 100, 0)
    pacer = stage.make(billing=Share(daily=50))
    await pacer.take(turn("other"), patience=0)
    await asyncio.sleep(0)
    await pacer.take(turn(recipients=50), patience=0)
    pacer.told(turn(recipients=50), outcome)

    again = await pacer.take(turn(recipients=50), patience=5)

    assert (again is None) is not counts


async def test_who_waited_in_vain_for_the_account_keeps_its_own_share(stage):
    pacer = stage.make(wanted=5, billing=Share(daily=10))
    await pacer.take(turn("other", 50), patience=0)

    assert isinstance(await pacer.take(turn(recipients=10), patience=0), NotNow)
    assert pacer.shares.sent_today("billing", asyncio.get_running_loop().time()) == 0


async def test_throttled_it_slows_down_and_says_so(stage):
    pacer = stage.make()
    await pacer.take(turn(), patience=0)
    await asyncio.sleep(0)
    pacer.told(turn(), THROTTLED)
    pacer.told(turn(), THROTTLED)

    noted = [event for event in stage.events if isinstance(event, Noted)]
    rates = [event.rate for event in stage.events if isinstance(event, SendingPaced)]
    assert [event.event for event in noted] == ["pace.throttled"]
    assert rates == [9800.0, pytest.approx(9800 * 0.8, rel=0.02)]  # it has begun to grow again


async def test_trouble_of_another_kind_is_no_reason_to_slow_down(stage):
    pacer = stage.make(wanted=100)
    await pacer.take(turn(), patience=0)
    pacer.told(turn(), NOT_SENT)
    pacer.told(turn(), REFUSED)

    assert not any(isinstance(event, Noted) for event in stage.events)


ANSWER = (
    "<GetSendQuotaResponse><GetSendQuotaResult><Max24HourSend>{}</Max24HourSend><MaxSendRate>{}</MaxSendRate>"
    "<SentLast24Hours>{}</SentLast24Hours></GetSendQuotaResult></GetSendQuotaResponse>"
)


def test_the_answer_of_ses_is_read():
    assert quota_of(200, ANSWER.format("200.0", "1.0", "3.0").encode()) == SendQuota(1.0, 200.0, 3.0)
    assert quota_of(200, ANSWER.format("-1.0", "14.0", "3.0").encode()) == SendQuota(14.0, None, 3.0)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, ANSWER.format("nan", "1.0", "3.0").encode()),
        (200, ANSWER.format("200", "0", "3.0").encode()),
        (200, ANSWER.format("200", "", "3.0").encode()),
        (500, ANSWER.format("200", "1", "3.0").encode()),
        (403, b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"),
        (200, b"hello"),
        (200, b""),
    ],
)
def test_what_is_no_answer_of_ses_is_no_quota(status, body):
    assert isinstance(quota_of(status, body), Unusable)
