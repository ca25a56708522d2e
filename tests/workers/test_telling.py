"""Every event of a worker is the same event at its supervisor."""

import marshal
from collections import Counter
from dataclasses import replace
from typing import Any, cast, get_args

import pytest

from relay.journal.ring import row_of
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
from relay.observe.privacy import AddressHashes
from relay.observe.record_texts import CommonRows, RecordTexts, text_of
from relay.observe.records import make_record
from relay.observe.redaction import RedactedTexts
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.standings import Standing
from relay.words.transactions import Ending, Session
from relay.workers.sums import Sums
from relay.workers.telling import MOST, Reader, Teller
from relay.workers.wire import Message, Wire, packed

ROLE = {"role": Role.FROM, "address": '"a b"@example.com', "verdict": Verdict.ALLOWED}


def record_of(ending: Ending) -> dict[str, Any]:
    """A message that ended so."""
    return make_record(
        id="1",
        time=1767225600.0,
        session=Session("s1", "a:25", "192.0.2.1", "", "", "billing"),
        principal="arn",
        reverse_path="\xe4@example.com",
        recipients=["b@example.net"],
        ending=ending,
        size=5,
        seconds=0.1,
    )


SENT = Ending(Outcome.ACCEPTED, Reason.NONE, Reply(250, (2, 0, 0), "Ok"), {"roles": (ROLE,), "ses_id": "\udc80"})
UNENFORCED = replace(SENT, facts={"roles": [ROLE], "unenforced": {"code": 554, "status": "5.7.1", "text": "No"}})
GONE = Ending(Outcome.ABORTED, Reason.CLIENT_GONE, Reply(451, (4, 4, 2), "Given up"))


def ended(ending: Ending) -> MessageEnded:
    return MessageEnded("billing", ending.outcome, ending.reason, 1, 5, 0.1, record_of(ending))


EVERY_MESSAGE: list[Event] = [
    SessionOpened("a:25", "s1", "192.0.2.1"),
    MessageReceived("a:25"),
    AuthTried("PLAIN", "ok", "s1", None),
    Judged("billing", "-", "from", "allowed", "enforce"),
    JudgementTimed(0.001, "d1"),
    SesCalled("us-east-1", "SendRawEmail", "sent", 0.1),
    ended(SENT),
    ended(GONE),
    SessionClosed("a:25", "s1", "quit"),
    LoopLagged(0.5),
]
SELDOM: list[Event] = [
    ended(UNENFORCED),
    MessageEnded("-", Outcome.ABORTED, Reason.INTERNAL, 0, None, 0.5, {"id": "1"}),
    Noted("warning", "clock.skew", {"seconds": 3}),
    SesDisagreed("arn", "access-denied", {"read": [1]}),
    PoliciesRefreshed("ok", {"arn": 1.0}),
    StandingChanged("billing", Standing.SUSPENDED, 5.0, "why"),
]


class Line:
    """What a worker mentions and hurries; one for its books."""

    def __init__(self) -> None:
        self.waiting: list[Message] = []
        self.is_hurried = False

    def mention(self, message: Message) -> None:
        self.waiting.append(message)

    def hurry(self) -> None:
        self.is_hurried = True


class There:
    """A supervisor's end: what a worker tells, told again."""

    def __init__(self) -> None:
        self.line = Line()
        self.sums = Sums(self.line.mention)
        self.tell = Teller(cast("Wire", self.line), self.sums)
        self.reader = Reader()

    def again(self, *events: Event) -> list[Event]:
        """Tell *events*, and return what they are at the other end."""
        for event in events:
            self.tell(event)
        said, self.line.waiting = self.line.waiting, []
        read = [self.reader.reads[message[0]](message) for message in said]
        return [*(event for event in read if event is not None), *self.reader.repeated()]


@pytest.mark.parametrize("event", [*EVERY_MESSAGE, *SELDOM], ids=lambda event: type(event).__name__)
def test_it_is_the_same_there(event: Event) -> None:
    there = There()

    for _ in range(3):  # from the second on it may be told by a number
        (again,) = there.again(event)
        assert again == event
        assert type(again) is type(event)


@pytest.mark.parametrize("ending", [SENT, UNENFORCED, GONE], ids=["sent", "unenforced", "gone"])
def test_a_record_is_the_same_there(ending: Ending) -> None:
    """Its JSON above all, which is made once; and each of its fields, for whoever looks at more."""
    there, event = There(), ended(ending)

    for _ in range(2):
        (again,) = there.again(event)
        assert isinstance(again, MessageEnded)
        assert isinstance(again.outcome, Outcome)
        assert isinstance(again.reason, Reason)
        assert isinstance(again.record["roles"], CommonRows)
        assert text_of(again.record) == text_of(event.record)
        assert {name: again.record.get(name) for name in event.record} == event.record
        assert again.record.get("redacted") is None
        assert set(again.record) == set(event.record)
        with pytest.raises(KeyError):
            again.record["redacted"]


@pytest.mark.parametrize("redacted", [False, True])
def test_a_log_and_a_journal_tell_it_alike(redacted: bool) -> None:
    """Also where addresses are hashed, and parts left out."""
    event = ended(UNENFORCED)
    (again,) = There().again(event)
    assert isinstance(again, MessageEnded)

    texts = [RecordTexts(AddressHashes(b"k")) for _ in range(2)]
    if redacted:
        texts = [RedactedTexts(each, ["recipients", "client"]) for each in texts]

    assert texts[0].text(again.record) == texts[1].text(event.record)
    assert row_of(texts[0].told(again.record)) == row_of(texts[1].told(event.record))
    assert row_of(again.record) == row_of(event.record)


def test_what_is_said_again_is_counted() -> None:
    """Each once with how often, whatever was said between; nothing is counted twice."""
    there, judged, received = There(), Judged("billing", "-", "from", "allowed", "enforce"), MessageReceived("a:25")

    assert there.again(judged, received) == [judged, received]
    assert there.again(judged, received, LoopLagged(0.5), judged, replace(judged, times=3), judged) == [
        LoopLagged(0.5),
        replace(judged, times=3),
        replace(judged, times=3),
        received,
    ]
    assert there.again() == []


async def test_replies_are_told_in_sums() -> None:
    there = There()
    told = there.again(Replied("a:25", "MAIL", 250), Replied("a:25", "RCPT", 550), Replied("a:25", "MAIL", 250, 2))
    assert told == []

    there.sums.tell()

    assert there.again() == [Replied("a:25", "MAIL", 250, 3), Replied("a:25", "RCPT", 550)]


def test_the_end_of_a_message_is_told_at_once() -> None:
    """Its client is answered after that."""
    there = There()

    there.again(*(event for event in (*EVERY_MESSAGE, *SELDOM) if not isinstance(event, MessageEnded)))
    assert not there.line.is_hurried
    there.again(ended(GONE))
    assert there.line.is_hurried


def test_what_every_message_tells_needs_no_pickle() -> None:
    """It would cost more than the rest of the way."""
    there = There()
    for event in EVERY_MESSAGE:
        there.tell(event)

    assert marshal.loads(packed(there.line.waiting)[5:]) == there.line.waiting


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

    (again,) = There().again(Incident("i1", "s1", error))

    assert isinstance(again, Incident)
    assert type(again.error).__name__ == "Odd"
    assert trace_of(again.error) == trace
    assert secret not in repr(again.error) + trace


def test_what_is_remembered_is_bounded() -> None:
    """Both ends forget it at the same message: each number means the same at either."""
    there = There()
    events = [Judged("billing", f"arn{number % (2 * MOST)}", "from", "x", "y") for number in range(5 * MOST)]
    heard = Counter[str]()

    for event in there.again(*events, *events):
        assert isinstance(event, Judged)
        heard[event.identity] += event.times

    assert heard == Counter(event.identity for event in (*events, *events))
    assert len(there.reader._known) <= MOST
    assert len(there.tell._numbers) <= MOST


def test_all_kinds_of_events_can_travel() -> None:
    """Whatever a room of a worker may tell one day."""
    assert {type(event) for event in EVERY_MESSAGE} < set(get_args(events.Event))
