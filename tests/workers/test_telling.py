"""Every event of a worker is the same event at its supervisor."""

import marshal
from typing import Any, get_args

import pytest

from relay.judgement.verdicts import Role, Verdict
from relay.observe import events
from relay.observe.events import (
    AuthTried,
    Event,
    Incident,
    Judged,
    JudgementTimed,
    LoopLagged,
    MessageEnded,
    MessageReceived,
    Noted,
    PoliciesRefreshed,
    Replied,
    SesCalled,
    SesDisagreed,
    SessionClosed,
    SessionOpened,
    StandingChanged,
)
from relay.observe.plain import trace_of
from relay.observe.record_texts import CommonRows, text_of
from relay.observe.records import make_record
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.standings import Standing
from relay.words.transactions import Ending, Session
from relay.workers.telling import Reader, written
from relay.workers.wire import packed

RECORD: dict[str, Any] = {
    "id": "1",
    "listener": "a:25",
    "roles": CommonRows([{"role": "from", "digests": ["x"], "address": '"a b"@example.com'}]),
    "bytes": None,
    "timings": {},
}
ROLE = {"role": Role.FROM, "address": "a@example.com", "verdict": Verdict.ALLOWED}
EVERY_MESSAGE: list[Event] = [
    SessionOpened("a:25", "s1", "192.0.2.1"),
    Replied("a:25", "MAIL", 250),
    MessageReceived("a:25"),
    AuthTried("PLAIN", "ok", "s1", None),
    Judged("billing", "-", "from", "allowed", "enforce"),
    JudgementTimed(0.001, "d1"),
    SesCalled("us-east-1", "SendRawEmail", "sent", 0.1),
    MessageEnded("billing", Outcome.QUEUED, Reason.SES_THROTTLED, 2, None, 0.5, RECORD),
    SessionClosed("a:25", "s1", "quit"),
    LoopLagged(0.5),
]
SELDOM: list[Event] = [
    Noted("warning", "clock.skew", {"seconds": 3}),
    SesDisagreed("arn", "access-denied", {"read": [1]}),
    PoliciesRefreshed("ok", {"arn": 1.0}),
    StandingChanged("billing", Standing.SUSPENDED, 5.0, "why"),
]


@pytest.mark.parametrize("event", [*EVERY_MESSAGE, *SELDOM], ids=lambda event: type(event).__name__)
def test_it_is_the_same_there(event: Event) -> None:
    reader = Reader()

    for _ in range(2):  # the second may be remembered
        again = reader.read(written(event))
        assert again == event
        assert type(again) is type(event)


def test_types_are_kept() -> None:
    """Words of enumerations are so again, and rows of roles whose JSON need not be made again."""
    ended = Reader().read(written(EVERY_MESSAGE[7]))

    assert isinstance(ended, MessageEnded)
    assert isinstance(ended.outcome, Outcome)
    assert isinstance(ended.reason, Reason)
    assert text_of(ended.record) == text_of(RECORD)
    assert isinstance(ended.record["roles"], CommonRows)


def test_what_every_message_tells_needs_no_pickle() -> None:
    """It would cost more than the rest of the way."""
    ending = Ending(Outcome.ACCEPTED, Reason.NONE, Reply(250, (2, 0, 0), "Ok"), {"roles": (ROLE,)})
    record = make_record(
        id="1",
        time=1767225600.0,
        session=Session("s1", "a:25", "192.0.2.1", "", "", "billing"),
        principal="arn",
        reverse_path="a@example.com",
        recipients=["b@example.net"],
        ending=ending,
        size=5,
        seconds=0.1,
    )
    ended = MessageEnded("billing", ending.outcome, ending.reason, 1, 5, 0.1, record)

    assert record["roles"]
    assert marshal.loads(packed([written(event) for event in (*EVERY_MESSAGE, ended)])[5:]) is not None


def test_an_exception_keeps_its_name_and_trace() -> None:
    """Whatever it holds stays in its process; a log line says the same as it would there."""

    class Odd(Exception):
        def __init__(self, secret: str, unpicklable: object) -> None:
            super().__init__(secret, unpicklable)

    secret = "-".join(("s3", "cr3t"))

    def stumble() -> None:
        raise Odd(secret, lambda: None)

    with pytest.raises(Odd) as caught:
        stumble()
    error, trace = caught.value, trace_of(caught.value)

    again = Reader().read(written(Incident("i1", "s1", error)))

    assert isinstance(again, Incident)
    assert type(again.error).__name__ == "Odd"
    assert trace_of(again.error) == trace
    assert secret not in repr(again.error) + trace


def test_what_is_remembered_is_bounded() -> None:
    reader = Reader()
    for number in range(10_000):
        reader.read(written(Replied("a:25", f"verb{number}", 250)))

    assert len(reader._known) <= 4096


def test_all_kinds_of_events_can_travel() -> None:
    """Whatever a room of a worker may tell one day."""
    assert {type(event) for event in EVERY_MESSAGE} < set(get_args(events.Event))
