import asyncio
import contextlib
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from relay.observe.events import Noted, SesCalled
from relay.sending import wire
from relay.sending.door import SesDoor
from relay.sending.keys import AccessKey, FixedKey, Unusable
from relay.sending.outcomes import Ambiguous, Deferred, Refused, Sent
from relay.sending.ports import Sender

from .conftest import KEY, MAIL
from .listeners import accept, answer, error, hangs, success

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BIG = replace(MAIL, raw=bytes(range(256)) * 12_000)  # 3 MB: more than loopback's buffers hold


async def test_the_message_arrives_whole_once_with_its_three_arns(door, ses, heard):
    sender: Sender = door

    outcome = await sender.send(MAIL, "us-east-1")

    [request] = ses.requests
    assert isinstance(outcome, Sent)
    assert request.raw == MAIL.raw
    assert request.fields["Source"] == MAIL.source
    assert request.fields["SourceArn"] == MAIL.source_arn
    assert request.fields["FromArn"] == MAIL.from_arn
    assert request.fields["ReturnPathArn"] == MAIL.return_path_arn
    assert [request.fields[f"Destinations.member.{n}"] for n in (1, 2)] == list(MAIL.destinations)
    assert heard.results == ["sent"]
    assert [(e.region, e.operation) for e in heard.events if isinstance(e, SesCalled)] == [
        ("us-east-1", "SendRawEmail")
    ]


async def test_the_signature_on_the_wire_is_botocores(door, ses):
    """What left, headers and body as they arrived, signs to the same signature with botocore."""
    await door.send(MAIL, "eu-west-1")

    [request] = ses.requests
    headers = request.headers
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    theirs = AWSRequest("POST", ses.url + "/", headers={name: headers[name] for name in signed}, data=request.body)
    theirs.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY.id, KEY.secret, KEY.token), "ses", "eu-west-1")
    canonical = signer.canonical_request(theirs)
    signature = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert set(signed) == {"content-type", "host", "x-amz-date", "x-amz-security-token"}


async def test_the_request_says_no_more_than_it_must(door, ses):
    await door.send(MAIL, "us-east-1")

    [request] = ses.requests
    assert request.head.startswith(b"POST / HTTP/1.1\r\n")
    assert set(request.headers) == {
        *("host", "content-type", "content-length", "user-agent", "x-amz-date", "x-amz-security-token", "authorization")
    }
    assert request.headers["user-agent"] == "ses-relay/test"


@pytest.mark.parametrize("mail", [MAIL, BIG], ids=["small", "big"])
async def test_one_connection_carries_many_messages(door, ses, mail):
    for _ in range(5):
        assert isinstance(await door.send(mail, "us-east-1"), Sent)

    assert [request.raw for request in ses.requests] == [mail.raw] * 5
    assert len(ses.connections) == 1


async def test_no_more_calls_at_a_time_than_connections(open_door, ses):
    running = most = 0

    async def counted(listener, connection):
        nonlocal running, most
        request = await connection.request()
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        listener.requests.append(request)
        await connection.reply(200, success())

    ses.script = [counted] * 20
    async with open_door(ses.url, max_connections=3) as door:
        outcomes = await asyncio.gather(*(door.send(MAIL, "us-east-1") for _ in range(20)))

    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert most == len(ses.connections) == 3


async def test_who_waits_too_long_for_a_turn_may_come_again(open_door, ses, heard):
    """Nothing was encoded, signed or sent."""
    async with open_door(ses.url, max_connections=0, read_timeout=0.05) as door:
        outcome = await door.send(MAIL, "us-east-1")

    assert isinstance(outcome, Deferred)
    assert str(outcome.reply) == "451 4.3.0 SES is not available, try again later"
    assert ses.connections == []
    assert heard.results == []


async def test_a_connection_idle_for_long_is_not_used_again(open_door, ses, monkeypatch):
    monkeypatch.setattr(wire, "IDLE_SECONDS", 0.05)
    async with open_door(ses.url) as door:
        await door.send(MAIL, "us-east-1")
        await asyncio.sleep(0.2)
        await door.send(MAIL, "us-east-1")

    assert len(ses.connections) == 2


async def test_connections_nobody_needs_are_closed(open_door, ses, monkeypatch):
    monkeypatch.setattr(wire, "IDLE_SECONDS", 0.05)
    async with open_door(ses.url) as door, asyncio.timeout(5):
        await door.send(MAIL, "us-east-1")
        [connection] = ses.connections
        assert not connection.reader.at_eof()
        await connection.writer.wait_closed()

    assert connection.reader.at_eof()  # it was our side that closed it


async def test_no_header_can_hold_another(open_door, ses):
    with pytest.raises(ValueError, match="several lines"):
        async with open_door(ses.url, user_agent="x\r\nAuthorization: y"):
            pass
    assert ses.connections == []


async def test_a_refusal_of_ses_is_an_outcome(door, ses, heard):
    ses.script = [
        answer(400, error("MessageRejected", "Bad content")),
        answer(400, error("Throttling", "Maximum sending rate exceeded.")),
        answer(403, error("AccessDenied", "no")),
        answer(503, error("ServiceUnavailable", "no")),
        answer(500, b"<html><body>Internal error</body></html>", Content_Type="text/html"),
    ]

    outcomes = [await door.send(MAIL, "us-east-1") for _ in range(5)]

    assert [type(outcome) for outcome in outcomes] == [Refused, Deferred, Deferred, Deferred, Deferred]
    assert heard.results == ["refused", "throttled", "refused", "unavailable", "unavailable"]
    assert len(ses.requests) == 5
    assert len(ses.connections) == 1


async def test_what_ses_says_to_the_delegate_itself_is_final(door, ses):
    """To the relay it is the operator's fault, and may pass."""
    ses.script = [answer(403, error("AccessDenied", "not authorized"))] * 2

    as_relay = await door.send(MAIL, "us-east-1")
    as_delegate = await door.send(replace(MAIL, own=False), "us-east-1")

    assert isinstance(as_relay, Deferred)
    assert isinstance(as_delegate, Refused)
    assert str(as_delegate.reply) == "554 5.7.1 Access denied: not authorized"


async def test_a_redirect_is_not_followed(door, ses):
    ses.script = [answer(307, b"", Location=ses.url + "/elsewhere")]

    outcome = await door.send(MAIL, "us-east-1")

    assert isinstance(outcome, Deferred)
    assert len(ses.requests) == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_the_environments_proxy_is_not_used(door, ses, monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")

    assert isinstance(await door.send(MAIL, "us-east-1"), Sent)


async def test_an_endpoint_may_have_a_path(open_door, ses):
    async with open_door(ses.url + "/sink/ses") as door:
        await door.send(MAIL, "us-east-1")

    assert ses.requests[0].head.startswith(b"POST /sink/ses HTTP/1.1\r\n")


async def test_without_a_key_nothing_leaves(open_door, ses, heard):
    class Nobody(FixedKey):
        async def get(self):
            return Unusable("no credentials anywhere")

    async with open_door(ses.url, credentials=Nobody(KEY)) as door:
        outcome = await door.send(MAIL, "us-east-1")

    assert isinstance(outcome, Deferred)
    assert str(outcome.reply) == "451 4.3.5 SES does not accept this relay's credentials: its operator must act"
    assert outcome.reason == "ses-credentials"
    assert ses.connections == []
    assert heard.results == []


class Keys(FixedKey):
    def __init__(self) -> None:
        super().__init__(KEY)
        self.rejected: list[AccessKey] = []

    def reject(self, key):
        self.rejected.append(key)


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"])
async def test_a_key_that_aws_forgot_is_given_back(open_door, ses, heard, code):
    """The message may come again; meanwhile another key is looked for."""
    ses.script = [answer(403, error(code, "expired"))]
    keys = Keys()

    async with open_door(ses.url, credentials=keys) as door:
        outcome = await door.send(MAIL, "us-east-1")

    assert isinstance(outcome, Deferred)
    assert keys.rejected == [KEY]
    assert heard.results == ["credentials"]


@pytest.mark.parametrize("code", ["RequestExpired", "SignatureDoesNotMatch"])
@pytest.mark.parametrize("ahead", [timedelta(hours=-30), timedelta(days=365)])
async def test_a_clock_that_ses_does_not_share_is_set_by_its_date(open_door, ses, heard, code, ahead):
    """This message is deferred, the next one is signed in SES's time, and the key is not blamed."""
    theirs = format_datetime(NOON + ahead, usegmt=True)
    ses.script = [answer(403, error(code, "Signature expired"), Date=theirs)]
    keys = Keys()

    async with open_door(ses.url, credentials=keys, clock=lambda: NOON) as door:
        first = await door.send(MAIL, "us-east-1")
        second = await door.send(MAIL, "us-east-1")

    stamps = [request.headers["x-amz-date"] for request in ses.requests]
    assert isinstance(first, Deferred)
    assert isinstance(second, Sent)
    assert stamps == ["20260301T120000Z", (NOON + ahead).strftime("%Y%m%dT%H%M%SZ")]
    assert keys.rejected == []
    assert [event.event for event in heard.events if isinstance(event, Noted)] == ["clock.skew"]


async def test_our_clock_set_right_again_is_noticed(open_door, ses):
    clock = [NOON - timedelta(hours=2)]
    refused = answer(403, error("SignatureDoesNotMatch", "x"), Date=format_datetime(NOON, usegmt=True))
    ses.script = [refused, accept, refused]

    async with open_door(ses.url, clock=lambda: clock[0]) as door:
        await door.send(MAIL, "us-east-1")
        await door.send(MAIL, "us-east-1")
        clock[0] = NOON
        await door.send(MAIL, "us-east-1")
        await door.send(MAIL, "us-east-1")

    stamps = [request.headers["x-amz-date"][9:13] for request in ses.requests]
    assert stamps == ["1000", "1200", "1400", "1200"]


@pytest.mark.parametrize(
    "date",
    [
        *(format_datetime(NOON, usegmt=True), "", "yesterday", "Thu, 32 Foo 2026 99:99:99"),
        *("Sun, 01 Mar 99999999999999999999 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
async def test_a_wrong_secret_is_not_blamed_on_the_clock(open_door, ses, date):
    ses.script = [answer(403, error("SignatureDoesNotMatch", "x"), Date=date)]
    keys = Keys()

    async with open_door(ses.url, credentials=keys, clock=lambda: NOON) as door:
        await door.send(MAIL, "us-east-1")
        await door.send(MAIL, "us-east-1")

    assert keys.rejected == [KEY]
    assert {request.headers["x-amz-date"] for request in ses.requests} == {"20260301T120000Z"}


async def test_a_cancelled_call_leaves_nothing_behind(open_door, ses, heard):
    """No task, no turn, no connection in an unknown state: the next message goes out on a new one."""

    ses.script = [hangs]
    async with open_door(ses.url, max_connections=1) as door:
        before = asyncio.all_tasks()
        call = asyncio.create_task(door.send(MAIL, "us-east-1"))
        await ses.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        assert isinstance(await door.send(MAIL, "us-east-1"), Sent)
        left = {task for task in asyncio.all_tasks() - before if "serve" not in repr(task)}

    assert left == set()
    assert heard.results == ["ambiguous", "sent"]
    assert len(ses.requests) == 2
    assert len(ses.connections) == 2


async def test_closing_with_a_call_running_ends_it_as_ambiguous(open_door, ses):
    ses.script = [hangs]
    async with open_door(ses.url) as door:
        call = asyncio.create_task(door.send(MAIL, "us-east-1"))
        await ses.arrived.wait()
        await door.close()
        outcome = await call

    assert isinstance(outcome, Ambiguous)


async def test_no_secret_and_no_body_in_what_is_told(open_door, ses, heard):
    """Canaries of secret, token and message body appear in no outcome and no event."""
    ses.script = [
        answer(403, error("ExpiredToken", "x")),
        answer(500, b"garbage"),
        answer(200, b"<a>"),
    ]
    async with open_door(ses.url) as door:
        outcomes = [await door.send(MAIL, "us-east-1") for _ in range(4)]
    async with open_door("http://127.0.0.1:1") as door:
        outcomes.append(await door.send(MAIL, "us-east-1"))

    assert "canary" not in repr(outcomes)
    assert "canary" not in repr(heard.events)
    assert "canary" not in repr(vars(door))


async def test_a_door_that_was_not_opened_is_our_mistake():
    door = SesDoor(
        "http://127.0.0.1:1",
        FixedKey(KEY),
        lambda _event: None,
        lambda: NOON,
        connect_timeout=1,
        read_timeout=1,
        max_connections=1,
        user_agent="x",
    )
    with pytest.raises(RuntimeError):
        await door.send(MAIL, "us-east-1")


@pytest.mark.parametrize(("url", "reads"), [(None, True), ("https://ses.test", True), ("http://127.0.0.1:1", False)])
async def test_who_is_trusted_is_read_at_the_start_where_tls_is_spoken(url, reads):
    """Reading the system's authorities takes 30 ms: neither the first message nor an endpoint without TLS pays that."""
    door = SesDoor(
        url,
        FixedKey(KEY),
        lambda _: None,
        lambda: NOON,
        connect_timeout=1,
        read_timeout=1,
        max_connections=1,
        user_agent="t",
    )
    await door.start()
    try:
        assert (door._wire._tls is not None) is reads
        assert door._wire._trust().verify_mode == ssl.CERT_REQUIRED
    finally:
        await door.close()


async def test_closing_ends_who_waits_for_a_turn_as_safe_to_repeat(open_door, ses):
    """Nothing of it has left; and it opens no connection any more."""
    ses.script = [hangs]
    async with open_door(ses.url, max_connections=1) as door:
        calls = [asyncio.create_task(door.send(MAIL, "us-east-1")) for _ in range(2)]
        await ses.arrived.wait()
        await door.close()
        first, second = await asyncio.gather(*calls)

    assert isinstance(first, Ambiguous)
    assert isinstance(second, Deferred)
    assert second.reason == "ses-unavailable"
    assert len(ses.connections) == 1


async def test_closing_twice_leaves_no_connection_open(ses, open_door):
    async with open_door(ses.url) as door:
        await door.send(MAIL, "us-east-1")
        await door.close()

    [connection] = ses.connections
    async with asyncio.timeout(2):
        with contextlib.suppress(ConnectionError):
            await connection.writer.wait_closed()
    assert connection.reader.at_eof()  # it was our side that closed it
