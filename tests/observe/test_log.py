"""Log lines: one for each event, in JSON, bounded, and silent about what nobody may read there."""

import asyncio
import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.observe import events
from relay.observe.delivery_texts import text_of
from relay.observe.events import (
    AttemptsFound,
    AuthTried,
    DelegatesObserved,
    Delivered,
    Incident,
    Judged,
    JudgementTimed,
    LoopLagged,
    MessageReceived,
    MessageRepaired,
    Noted,
    PoliciesRefreshed,
    Replied,
    SesCalled,
    SesDisagreed,
    SessionClosed,
    SessionOpened,
    SpoolCounted,
)
from relay.observe.libraries import take_over_logging
from relay.observe.log import LONGEST_LINE, Log, LogOptions
from relay.observe.privacy import AddressHashes
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending
from tests.observe.givens import IDENTITY, LISTENER, NOON, SENT, assert_valid, ended, record

CANARY = "canary-secret-9f2c"


class Written:
    """A log that writes into memory."""

    def __init__(self, **options: Any) -> None:
        self.raw: list[bytes] = []
        self.log = Log(
            LogOptions(**{"level": "debug", **options}), write=self._take, key=b"the deployment's", clock=NOON.timestamp
        )

    def _take(self, line: bytes) -> int:
        self.raw.append(line)
        return 0

    @property
    def text(self) -> str:
        return b"".join(self.raw).decode("utf-8")

    def lines(self) -> list[dict[str, Any]]:
        for raw in self.raw:
            assert raw.endswith(b"\n")
            assert raw.count(b"\n") == 1
            assert len(raw) <= LONGEST_LINE
        return [json.loads(raw) for raw in self.raw]


@pytest.fixture
def written() -> Written:
    return Written()


def fault(text: str = "it broke") -> BaseException:
    def fail() -> None:
        password = CANARY
        raise KeyError(text, len(password)) from ValueError("the cause")

    with pytest.raises(KeyError) as raised:
        fail()
    return raised.value


EVENTS: list[events.Event] = [
    SessionOpened(LISTENER, "s-1", "203.0.113.7"),
    AuthTried("PLAIN", "ok", "s-1", "billing"),
    AuthTried("LOGIN", "bad-credentials", "s-1", None),
    Judged("billing", IDENTITY, "from", "allowed", "enforce"),
    SesCalled("us-east-1", "SendRawEmail", "sent", 0.07),
    SesDisagreed(IDENTITY, "access-denied"),
    PoliciesRefreshed("problems", {IDENTITY: 1.0}, {IDENTITY: 2}, "two policies"),
    Delivered("billing", "sent", {"queue_id": "q-1"}),
    AttemptsFound(("q-1",)),
    Incident("I-1", "s-1", fault()),
    Noted("info", "relay.started", {"listeners": [LISTENER]}),
    ended(),
    SessionClosed(LISTENER, "s-1", "quit"),
]


def test_a_line_for_each_of_what_is_told_with_how_often(written):
    """
    As if it had been told one by one.
    """
    written.log(Judged("billing", IDENTITY, "from", "allowed", "enforce", 3))

    assert [line["event"] for line in written.lines()] == ["judged"] * 3


def test_one_json_line_for_each_event(written):
    """
    Each event that is for people is one line of JSON that begins with time, level and event.
    """
    for event in EVENTS:
        written.log(event)

    found = written.lines()
    assert [line["event"] for line in found] == [
        "session.opened",
        "auth",
        "auth",
        "judged",
        "ses.called",
        "ses.disagreed",
        "policies.refreshed",
        "delivery",
        "spool.attempts-found",
        "incident",
        "relay.started",
        "message",
        "session.closed",
    ]
    assert all(list(line)[:3] == ["time", "level", "event"] for line in found)
    assert all(line["time"] == "2026-11-21T12:00:00.000000Z" for line in found)


def test_what_only_metrics_want_is_no_line(written):
    """
    Replies, timings and loop lag would be ten lines a message.
    """
    written.log(Replied(LISTENER, "MAIL", 250))
    written.log(MessageReceived(LISTENER))
    written.log(JudgementTimed(0.1))
    written.log(MessageRepaired("billing", ("bare-lf",)))
    written.log(SpoolCounted({"due": 1}, 300, 990.0))
    written.log(LoopLagged(0.1))

    assert written.raw == []


def test_every_event_is_known(written):
    """
    Whatever may happen is written or left to the metrics on purpose.
    """
    silent = {
        Replied,
        events.CertificateShown,
        MessageReceived,
        MessageRepaired,
        events.RecipientDomainChecked,
        JudgementTimed,
        SpoolCounted,
        events.SendingPaced,
        events.PaceForgotten,
        events.RevocationStated,
        events.PoliciesForgotten,
        events.StalenessBounded,
        events.ReadinessSeen,
        events.NoticeWritten,
        events.WorkersCounted,
        events.JournalDropped,
        events.QueueRead,
        LoopLagged,
    }

    assert set(events.Event.__args__) == set(written.log._tell) | silent


def test_a_message_line_is_the_whole_record(written):
    """
    What the line holds beside level and event is the decision record, and valid as such.
    """
    written.log(ended())

    [line] = written.lines()
    assert (line.pop("event"), line.pop("level")) == ("message", "info")
    assert record() == line
    assert_valid(line)


@pytest.mark.parametrize(
    ("outcome", "code", "level"),
    [
        (Outcome.ACCEPTED, 250, "info"),
        (Outcome.QUEUED, 250, "info"),
        (Outcome.ABORTED, 250, "info"),
        (Outcome.REJECTED, 554, "warning"),
        (Outcome.DEFERRED, 451, "warning"),
    ],
)
def test_mail_that_did_not_go_is_a_warning(written, outcome, code, level):
    """
    At level warning one sees what was refused and deferred.
    """
    written.log(ended(Ending(outcome, Reason.NONE, Reply(code, (code // 100, 0, 0), "text"))))

    assert [line["level"] for line in written.lines()] == [level]


def test_a_message_that_only_observing_spared_is_a_warning(written):
    """
    It went, and it would not have: whoever reads warnings is to see it before enforcing.
    """
    spared = {"code": 554, "status": "5.7.1", "text": "Access denied: to ann@example.net (decision d-1)"}
    observed = Ending(SENT.outcome, SENT.reason, SENT.reply, {**SENT.facts, "mode": "observe", "unenforced": spared})
    written.log(ended(observed))
    written.log(ended())
    hashed, brief = Written(addresses="hash"), Written(format="console")
    hashed.log(ended(observed))
    brief.log(ended(observed))

    first, second = written.lines()
    assert (first["level"], first["unenforced"]) == ("warning", spared)
    assert (second["level"], second["unenforced"]) == ("info", None)
    assert "ann@" not in hashed.text
    assert "554 5.7.1 Access denied" in brief.text


@pytest.mark.parametrize(
    ("until", "level", "told"),
    [
        (
            {"billing": 1_800_000_000.0, "news": math.inf},
            "warning",
            {"billing": "2027-01-15T08:00:00Z", "news": "no end"},
        ),
        ({}, "info", {}),
    ],
)
def test_who_is_observed_and_until_when(written, until, level, told):
    """
    One line names them all; an empty one says that everybody is enforced again.
    """
    written.log(DelegatesObserved(until))

    [line] = written.lines()
    assert (line["event"], line["level"], line["until"]) == ("observing", level, told)


@pytest.mark.parametrize(
    ("result", "level"), [("ok", "debug"), ("bad-credentials", "warning"), ("unavailable", "error"), ("form", "info")]
)
def test_a_failed_login_names_the_client(written, result, level):
    """
    The line alone is enough for whoever bans addresses.
    """
    written.log(SessionOpened(LISTENER, "s-1", "203.0.113.7"))

    written.log(AuthTried("PLAIN", result, "s-1", None))

    line = written.lines()[-1]
    assert (line["level"], line["client"], line["result"]) == (level, "203.0.113.7", result)


def test_clients_are_forgotten_with_their_session(written):
    """
    What is remembered is bounded by the open sessions.
    """
    for number in range(100):
        written.log(SessionOpened(LISTENER, f"s-{number}", "203.0.113.7"))
        written.log(SessionClosed(LISTENER, f"s-{number}", "gone"))

    assert written.log._clients == {}


def test_levels_filter():
    """
    Below the level there is silence.
    """
    written = Written(level="error")

    for event in EVENTS:
        written.log(event)

    assert {line["event"] for line in written.lines()} == {"ses.disagreed", "incident"}


def test_an_incident_tells_the_stack_and_no_locals(written):
    """
    Files, lines, the exception and its cause; never what a variable held.
    """
    written.log(Incident("I-1", "s-1", fault()))

    [line] = written.lines()
    assert (line["incident"], line["error"]) == ("I-1", "KeyError")
    assert line["exception"].index("ValueError\n") < line["exception"].index("KeyError")
    assert "test_log.py" in line["exception"]
    assert CANARY not in written.text


def test_an_incident_does_not_repeat_what_an_exception_quotes(written):
    """
    A ValueError may quote the letter it stumbled over; a TypeError names operations and types.
    """
    written.log(Incident("I-1", "s-1", ValueError("Dear Bob, the number is 4111")))
    written.log(Incident("I-2", "s-1", TypeError("unsupported operand")))

    quoting, naming = written.lines()
    assert quoting["exception"] == "ValueError"
    assert naming["exception"] == "TypeError: unsupported operand"


def test_a_refresh_that_says_the_same_again_is_told_once(written):
    """
    Sources are read every minute: what is new is told at its level, the rest at debug.
    """
    bad = PoliciesRefreshed("problems", {IDENTITY: 1.0}, {IDENTITY: 2}, "two policies")
    good = PoliciesRefreshed("ok", {IDENTITY: 2.0}, {IDENTITY: 0})
    for event in (good, good, bad, bad, PoliciesRefreshed("failed", why="gone"), good):
        written.log(event)

    assert [line["level"] for line in written.lines()] == ["info", "debug", "warning", "debug", "error", "info"]


def test_a_stack_is_bounded(written):
    """
    Endless recursion and endless messages make a line like any other.
    """

    def fall(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 1_000_000 + CANARY)
        fall(depth - 1)

    with pytest.raises(ValueError, match="xxx") as raised:
        fall(500)

    written.log(Incident("I-1", "s-1", raised.value))

    assert len(written.lines()) == 1
    assert len(written.raw[0]) < 20_000
    assert CANARY not in written.text


def test_details_that_are_no_json(written):
    """
    Of octets and objects only the type is told, endless and circular things are cut, own names are not overwritten.
    """

    class Secret:
        def __repr__(self) -> str:
            return CANARY

    circle: dict[str, object] = {}
    circle["again"] = circle
    details = {
        "octets": CANARY.encode(),
        "object": Secret(),
        "circle": circle,
        "long": "x" * 100_000,
        "many": list(range(100_000)),
        "nan": float("nan"),
        "huge": 10**5000,
        "half": "\udc80",
        "level": "debug",
        "event": "message",
        7: {1, 2},
    }

    written.log(Noted("warning", "odd.things", details))  # type: ignore[arg-type]  # wrong on purpose

    [line] = written.lines()
    assert (line["level"], line["event"], line["event_"]) == ("warning", "odd.things", "message")
    assert (line["octets"], line["object"], line["nan"], line["half"]) == ("<bytes>", "<Secret>", "<float>", "?")
    assert CANARY not in written.text
    assert len(written.raw[0]) < 10_000


def test_an_unknown_level_is_info(written):
    """
    A misspelt level does not lose the line.
    """
    written.log(Noted("fatal", "odd.level"))

    assert [line["level"] for line in written.lines()] == ["info"]


def test_a_record_beyond_all_bounds_is_named_and_left_out(written):
    """
    A line is never longer than its bound, whatever a record holds.
    """
    event = ended()
    oversized = {**event.record, "recipients": ["x" * 1000] * 1000}

    written.log(events.MessageEnded("billing", Outcome.ACCEPTED, Reason.NONE, 1, 1, 0.1, oversized))

    [line] = written.lines()
    assert line["event"] == "log.oversized"


@settings(deadline=None)
@given(st.text(st.characters()), st.dictionaries(st.text(), st.text() | st.integers() | st.floats() | st.binary()))
def test_any_note_is_one_line(name, details):
    """
    No text breaks out of its line.
    """
    for form in ("json", "console"):
        written = Written(format=form)
        written.log(Noted("info", "note", {name: name, **details}))

        assert len(written.raw) == 1
        assert b"\x1b" not in written.raw[0]
        if form == "json":
            assert len(written.lines()) == 1


DELIVERED = {
    "queue_id": "q-1",
    "kind": "message",
    "attempt": 1,
    "recipients": 2,
    "maybe_duplicate": False,
    "age": 0.012,
    "seconds": 0.003212,
    "ses_ids": ["0100-1"],
}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"maybe_duplicate": True, "age": 1e22, "seconds": 0.0},
        {"ses_ids": ['"\\\x1b\n']},
        {"ses_ids": []},
        {"ses_ids": ["0100-1", "0100-2"]},
        {"ses_ids": ["x" * 2001]},
        {"ses_ids": ["\udc80é"]},
        {"age": math.inf},
        {"why": "it was refused"},
    ],
)
def test_a_delivery_is_told_as_any_line_is(written, changed):
    """
    The ordinary ones have a way of their own, and nobody could tell.
    """
    record = {**DELIVERED, **changed}
    written.log(Delivered("billing", "sent", record))
    written.log.line("info", "delivery", {"delegate": "billing", "result": "sent", **record})

    assert written.raw[0] == written.raw[1]
    is_ordinary = changed.keys() <= {"maybe_duplicate", "age", "seconds"} and record["age"] != math.inf
    assert text_of(Delivered("billing", "sent", record)) is not None or not is_ordinary


# --- addresses ---

NAMED = Ending(
    Outcome.REJECTED,
    Reason.POLICY_DENIED,
    Reply(554, (5, 7, 1), "Access denied: User `arn:aws:iam::1:user/x' from o'brien@Example.com (in d-1)"),
    {
        **SENT.facts,
        "display_name": "Seán O'Brien",
        "display_name_raw": "=?utf-8?q?Se=C3=A1n?= O'Brien",
        "ses_error": 'MessageRejected: carol@example.org, "odd one"@example.org <dave@[192.0.2.1]>.',
    },
)
PEOPLE = ["brien", "Brien", "billing@", "ann@", "bob@", "carol", "dave", "odd one", "Se=C3", "Se\\u00e1n", "ceo@"]


def test_hashed_addresses_cannot_be_read():
    """
    No address and no name of a person is in any line, in whatever field or text it stood.
    """
    written = Written(addresses="hash")
    written.log(ended(NAMED, reverse_path="o'brien@example.com"))
    written.log(SesDisagreed("arn:aws:ses:us-east-1:888888888888:identity/ceo@example.com", "not-verified"))
    written.log(Noted("info", "mail.note", {"carol@example.org": ["ann@example.net", {"to": "dave@example.org."}]}))
    written.log(Incident("I-1", "s-1", fault("no such delegate: bob@example.net")))

    for name in PEOPLE:
        assert name not in written.text, name
    assert "@" not in written.text
    assert len(written.lines()) == 4
    assert_valid({name: held for name, held in written.lines()[0].items() if name not in {"level", "event"}})


def test_the_same_address_has_the_same_hash():
    """
    Lines of one address can be found: by the key's holder, however the domain is spelt; another key tells nothing.
    """
    written = Written(addresses="hash")
    written.log(ended(NAMED, reverse_path="o'brien@example.com", recipients=["o'brien@EXAMPLE.com"]))

    [line] = written.lines()
    token = line["reverse_path"]
    assert line["recipients"] == [token]
    assert token in line["reply"]["text"]
    assert token.startswith("hash:")
    assert len(token) == 21
    other = Log(LogOptions(addresses="hash"), write=written.raw.append, key=b"another", clock=NOON.timestamp)
    other(ended(NAMED, reverse_path="o'brien@example.com"))
    assert written.lines()[1]["reverse_path"] != token


def test_the_null_reverse_path_stays():
    """
    <> is nobody's address.
    """
    written = Written(addresses="hash")

    written.log(ended(reverse_path="<>"))

    assert written.lines()[0]["reverse_path"] == "<>"


def test_hashing_needs_a_key():
    """
    Without one anybody could try addresses.
    """
    with pytest.raises(ValueError, match="need a key"):
        Log(LogOptions(addresses="hash"), write=print)


LOCALS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{17,25}[A-Za-z0-9]", fullmatch=True)


@settings(deadline=None)
@given(LOCALS, st.sampled_from(["for %s.", "<%s>", "`%s'", "(%s,%s)", "%s", "arn:identity/%s", "a:%s;", "%s@%s"]))
def test_no_local_part_survives_in_a_text(local, form):
    """
    Wherever an address stands in a sentence, it is gone, and its holder's hash stands there.
    """
    written = Written(addresses="hash")
    address = f"{local}@mail.example"

    written.log(Noted("info", "n", {"t": form.replace("%s", address)}))

    [line] = written.lines()
    assert local not in line["t"]
    assert "mail.example" not in line["t"]
    assert AddressHashes(b"the deployment's").hash(address) in line["t"]


# --- for the eye ---


def test_console_is_for_the_eye():
    """
    A message is one readable line: who, from, how many, what came of it, and the id that leads to the rest.
    """
    written = Written(format="console")

    written.log(ended(NAMED))

    assert len(written.raw) == 1
    for part in ("12:00:00", "warning", "billing@example.com", "policy-denied", "554 5.7.1 Access denied", "7QXK2"):
        assert part in written.text
    assert "digests" not in written.text


@pytest.mark.parametrize("hostile", ["\x1b]0;title\x07", "\x9b31m", "a\r\x00b", "\u202egnp.exe"])
def test_console_does_not_let_texts_steer_the_terminal(hostile):
    """
    Control characters are shown, not sent.
    """
    written = Written(format="console")

    written.log(Noted("info", "odd", {"text": hostile, hostile: 1}))

    assert hostile not in written.text
    assert written.text.rstrip("\n").isprintable()


# --- libraries ---


@contextmanager
def taken_over(written: Written) -> Iterator[None]:
    """Within a test only: pytest puts handlers of its own on the root logger for each phase."""
    put_back = take_over_logging(written.log)
    yield
    put_back()


def test_libraries_speak_through_the_same_log(written):
    """
    Warnings of asyncio, aiohttp or botocore are lines like ours; their chatter is not.
    """
    with taken_over(written):
        logging.getLogger("botocore.credentials").warning("took %s seconds", 3)
        logging.getLogger("aiohttp.access").info("GET /")
        logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=fault())

    first, second = written.lines()
    assert (first["level"], first["logger"], first["text"]) == ("warning", "botocore.credentials", "took 3 seconds")
    assert (second["level"], second["event"]) == ("error", "library")
    assert "KeyError" in second["exception"]
    assert CANARY not in written.text


@pytest.mark.parametrize("name", ["mail.log", "mail.debug"])
def test_aiosmtpd_is_silenced(written, name, capfd):
    """
    It would repeat what clients send, AUTH exchanges included.
    """
    with taken_over(written):
        logging.getLogger(name).critical("b'AUTH PLAIN %s'", CANARY)

    assert written.raw == []
    assert CANARY not in "".join(capfd.readouterr())


def test_a_line_that_cannot_be_formatted_harms_nobody(written, capfd):
    """
    Wrong arguments of a library's call neither raise nor come out on stderr.
    """
    wrong = ("%d of", CANARY)
    with taken_over(written):
        logging.getLogger("boto3").warning(*wrong)

    assert written.raw == []
    assert capfd.readouterr().err == ""


def test_put_back_leaves_no_trace(written):
    """
    After a stop the standard library's loggers are as they were.
    """
    root, mail = logging.getLogger(), logging.getLogger("mail.log")
    before = (root.level, root.handlers[:], mail.level, mail.handlers[:], mail.propagate)

    take_over_logging(written.log)()

    assert before == (root.level, root.handlers[:], mail.level, mail.handlers[:], mail.propagate)


def test_lost_lines_are_told():
    """
    When lines get through again, one says how many did not.
    """
    raw: list[bytes] = []
    losses = iter([0, 3, 0, 0])

    def write(line: bytes) -> int:
        raw.append(line)
        return next(losses)

    log = Log(LogOptions(), write=write)
    log(Noted("info", "one"))
    log(Noted("info", "two"))

    assert [json.loads(line)["event"] for line in raw] == ["one", "two", "log.lost"]
    assert json.loads(raw[-1])["lines"] == 3


async def test_an_exception_in_the_loop_is_a_line_of_ours(written):
    """
    What asyncio would print on stderr.
    """
    with taken_over(written):
        asyncio.get_running_loop().call_exception_handler({"message": "callback failed", "exception": fault()})

    assert [line["logger"] for line in written.lines()] == ["asyncio"]
