"""What can go wrong on the way, on real sockets, on both event loops. The server counts: no request goes out twice."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import replace

import pytest
import trustme
import uvloop

from relay.sending.outcomes import Ambiguous, Deferred, Failure, Outcome, Sent

from .conftest import MAIL, Recorder, opened
from .listeners import Connection, Listener, Step, accept, answer, error, hangs, listening, success

BIG = replace(MAIL, raw=bytes(range(256)) * 32_000)  # 8 MB: more than loopback's buffers hold
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

Test = Callable[[], Coroutine[None, None, None]]


@pytest.fixture(params=LOOPS)
def play(request):
    """Run a coroutine on each kind of event loop."""

    def run(test: Test) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(test())

    return run


async def meet(step: Step, mail=MAIL, **changes) -> tuple[Outcome, Listener, Recorder]:
    """Send one message to a server that meets it with *step*."""
    heard = Recorder()
    async with listening() as ses, opened(ses.url, heard, **changes) as door:
        ses.script = [step]
        outcome = await door.send(mail, "us-east-1")
    return outcome, ses, heard


def assert_safe(outcome: Outcome) -> None:
    assert isinstance(outcome, Deferred), outcome
    assert str(outcome.reply) == "451 4.3.0 SES is not available, try again later"
    assert outcome.reason == "ses-unavailable"


def assert_ambiguous(outcome: Outcome) -> None:
    assert isinstance(outcome, Ambiguous), outcome
    assert str(outcome.reply) == "451 4.4.2 SES did not confirm the message in time: it may have been sent"
    assert outcome.reason == "ses-unavailable"


async def hangs_up_after_the_body(listener: Listener, connection: Connection) -> None:
    listener.requests.append(await connection.request())
    connection.writer.close()


async def resets_after_the_body(listener: Listener, connection: Connection) -> None:
    listener.requests.append(await connection.request())
    connection.reset()


async def drips(listener: Listener, connection: Connection) -> None:
    """One octet of the answer now and then: each alone would be in time."""
    listener.requests.append(await connection.request())
    connection.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    for _ in range(100):
        connection.writer.write(b" ")
        await connection.writer.drain()
        await asyncio.sleep(0.05)


def sends(data: bytes) -> Step:
    async def step(listener: Listener, connection: Connection) -> None:
        listener.requests.append(await connection.request())
        connection.writer.write(data)
        await connection.writer.drain()
        connection.writer.close()

    return step


AFTER_THE_BODY: dict[str, Step] = {
    "hang-up": hangs_up_after_the_body,
    "reset": resets_after_the_body,
    "stall": hangs,
    "drip": drips,
    "half a status line": sends(b"HTTP/1."),
    "status only": sends(b"HTTP/1.1 200 OK\r\n"),
    "truncated success": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<SendRawEmailResponse><SendRa"),
    "truncated chunks": sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n<SendRaw"),
    "not HTTP": sends(b"220 mail.example ESMTP\r\n"),
    "two lengths": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\nContent-Length: 4\r\n\r\n" + success()),
    "a length and chunks": sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\nTransfer-Encoding: chunked\r\n\r\n" + success()
    ),
    "another protocol": sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
    "a 100 and no more": sends(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless header": sends(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
    "garbage success": answer(200, b"\x00\xff garbage"),
    "success without a message id": answer(200, success(" ")),
    "success as an XML bomb": answer(200, b'<!DOCTYPE x [<!ENTITY a "b">]>' + success("&a;")),
    "huge success": answer(200, success() + b" " * 1_000_000),
}


@pytest.mark.parametrize("step", AFTER_THE_BODY.values(), ids=AFTER_THE_BODY.keys())
def test_once_the_whole_body_has_left_silence_is_ambiguous(play, step):
    """SES may have the message: one request, no repeat, 451 4.4.2."""

    async def test():
        outcome, ses, heard = await meet(step, read_timeout=0.3)
        assert_ambiguous(outcome)
        assert len(ses.requests) == 1
        assert len(ses.connections) == 1
        assert heard.results == ["ambiguous"]

    play(test)


REFUSED_AFTER_THE_BODY: dict[str, Step] = {
    "truncated error": sends(b"HTTP/1.1 400 Bad\r\nContent-Length: 900\r\n\r\n<ErrorResponse><Err"),
    "truncated failure": sends(b"HTTP/1.1 500 Bad\r\nContent-Length: 900\r\n\r\n"),
    "huge failure": answer(500, b"<html>" + b"x" * 1_000_000),
    "failure page": answer(500, b"<html><p>Sorry</html>", Content_Type="text/html"),
    "failure as an XML bomb": answer(400, b'<!DOCTYPE x [<!ENTITY a "b">]>' + error("MessageRejected", "&a;")),
}


@pytest.mark.parametrize("step", REFUSED_AFTER_THE_BODY.values(), ids=REFUSED_AFTER_THE_BODY.keys())
def test_a_failure_that_cannot_be_read_is_safe_to_repeat(play, step):
    """The status says that SES did not take it; the rest does not matter."""

    async def test():
        outcome, ses, _ = await meet(step)
        assert_safe(outcome)
        assert len(ses.requests) == 1

    play(test)


async def resets_in_the_body(_listener: Listener, connection: Connection) -> None:
    await connection.head()
    await connection.reader.readexactly(100_000)
    connection.reset()


async def hangs_up_in_the_body(_listener: Listener, connection: Connection) -> None:
    await connection.head()
    await connection.reader.readexactly(100_000)
    connection.writer.transport.abort()


async def stops_reading(listener: Listener, connection: Connection) -> None:
    await connection.head()
    connection.writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport can
    await listener.released.wait()


@pytest.mark.parametrize("step", [resets_in_the_body, hangs_up_in_the_body, stops_reading])
def test_before_the_last_octet_every_failure_is_safe_to_repeat(play, step):
    """SES cannot have had the whole request: 451 4.3.0, and no second request by ourselves."""

    async def test():
        outcome, ses, heard = await meet(step, BIG, read_timeout=1.0)
        assert_safe(outcome)
        assert ses.requests == []
        assert len(ses.connections) == 1
        assert heard.results == ["unavailable"]

    play(test)


def test_an_answer_in_the_middle_of_the_body_counts(play):
    """SES need not read a message to its end to refuse it."""

    async def refuses_early(listener: Listener, connection: Connection) -> None:
        await connection.head()
        await connection.reply(400, error("InvalidParameterValue", "Message length is more than 10485760 bytes long"))
        await listener.released.wait()

    async def test():
        outcome, ses, heard = await meet(refuses_early, BIG, read_timeout=1.0)
        assert isinstance(outcome, Failure)
        assert outcome.code == "InvalidParameterValue"
        assert heard.results == ["refused"]
        assert len(ses.connections) == 1

    play(test)


def test_a_slow_reader_that_goes_on_reading_gets_it_all(play):
    """The deadline is for progress, not for the size of a message."""

    async def reads_slowly(listener: Listener, connection: Connection) -> None:
        _, headers = await connection.head()
        left = int(headers["content-length"])
        for _ in range(65):
            left -= len(await connection.reader.read(100_000))
            await asyncio.sleep(0.02)
        await connection.reader.readexactly(left)
        await connection.reply(200, success("slow-1"))

    async def test():
        outcome, ses, _ = await meet(reads_slowly, BIG, connect_timeout=0.1, read_timeout=1.0)
        assert outcome == Sent("slow-1")
        assert len(ses.connections) == 1

    play(test)


def test_a_connection_that_was_closed_while_idle_costs_no_message(play):
    """
    The peer hangs up after each answer without saying so. Nothing is ever written to a connection known to be closed:
    every message arrives, once.
    """

    async def then_closes(listener: Listener, connection: Connection) -> None:
        listener.requests.append(await connection.request())
        await connection.reply(200, success())
        connection.writer.close()

    async def test():
        heard = Recorder()
        async with listening() as ses, opened(ses.url, heard) as door:
            ses.script = [then_closes] * 20
            for n in range(20):
                mail = replace(MAIL, raw=b"%d" % n)
                assert isinstance(await door.send(mail, "us-east-1"), Sent)
        assert [request.raw for request in ses.requests] == [b"%d" % n for n in range(20)]

    play(test)


def test_a_hang_up_that_our_loop_has_not_seen_yet_is_seen_before_the_first_octet(play):
    """
    The peer's FIN is in the kernel while the loop is busy elsewhere: the pool still offers the connection. Writing to
    it would look like a message that may have been sent.
    """

    async def test():
        heard = Recorder()
        async with listening() as ses, opened(ses.url, heard) as door:
            assert isinstance(await door.send(MAIL, "us-east-1"), Sent)
            [idle] = ses.connections
            shut = socket.socket(fileno=socket.dup(idle.writer.get_extra_info("socket").fileno()))
            shut.shutdown(socket.SHUT_RDWR)  # at once, and without the loop turning
            shut.close()
            assert isinstance(await door.send(MAIL, "us-east-1"), Sent)
            assert len(ses.requests) == 2
            assert len(ses.connections) == 2
            assert heard.results == ["sent", "sent"]

    play(test)


def test_a_kept_connection_that_dies_with_our_request_is_ambiguous_and_not_repeated(play):
    """From outside nobody can tell this from a message that was taken."""

    async def test():
        heard = Recorder()
        async with listening() as ses, opened(ses.url, heard) as door:
            await door.send(MAIL, "us-east-1")
            ses.script = [resets_after_the_body]
            assert_ambiguous(await door.send(MAIL, "us-east-1"))
            assert len(ses.requests) == 2
            assert len(ses.connections) == 1
            assert isinstance(await door.send(MAIL, "us-east-1"), Sent)

    play(test)


def test_a_peer_that_only_ever_hangs_up_is_tried_three_times_at_most(play):
    """The hang-up may also lose the race against our octets: then the end is ambiguous, and it is the end."""

    async def test():
        async with listening() as ses, opened(ses.url, Recorder()) as door:
            ses.deaf = True
            for _ in range(10):
                before = len(ses.connections)
                outcome = await door.send(MAIL, "us-east-1")
                tried = len(ses.connections) - before
                assert isinstance(outcome, Deferred | Ambiguous)
                assert tried <= 3
                assert tried == 3 or isinstance(outcome, Ambiguous)

    play(test)


def test_nobody_listening_is_safe_to_repeat(play):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening: refused for as long as it is held
        url = f"http://127.0.0.1:{held.getsockname()[1]}"

        async def test():
            heard = Recorder()
            async with opened(url, heard) as door:
                assert_safe(await door.send(MAIL, "us-east-1"))
            assert heard.results == ["unavailable"]

        play(test)


def test_a_host_that_does_not_answer_is_safe_to_repeat(play):
    """The listener's queue is full: SYNs are dropped."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)

        async def test():
            async with opened(f"http://127.0.0.1:{address[1]}", Recorder(), connect_timeout=0.3) as door:
                assert_safe(await door.send(MAIL, "us-east-1"))

        play(test)
        for filler in fillers:
            filler.close()


def test_a_name_without_an_address_is_safe_to_repeat(play):
    async def test():
        async with opened("http://ses.invalid", Recorder(), connect_timeout=3) as door:
            assert_safe(await door.send(MAIL, "us-east-1"))

    play(test)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def in_records(listener: Listener, connection: Connection) -> None:
    """Take the message, and answer in as many TLS records as there are octets."""
    listener.requests.append(await connection.request())
    body = success("0100-in-records")
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for octet in head + body:
        connection.writer.write(bytes([octet]))
    await connection.writer.drain()


def test_an_answer_in_many_records_is_one_answer(play, authority):
    """They lie there together when they are read: each goes behind the one before."""

    async def test():
        tls = server_tls(authority, "127.0.0.1")
        async with listening(tls) as ses, opened(ses.url, Recorder(), tls=client_tls(authority)) as door:
            ses.script = [in_records]
            assert await door.send(MAIL, "us-east-1") == Sent("0100-in-records")

    play(test)


@pytest.mark.parametrize("mail", [MAIL, BIG], ids=["small", "big"])
def test_tls_with_the_right_certificate_carries_the_message(play, authority, mail):
    async def test():
        tls = server_tls(authority, "127.0.0.1")
        async with listening(tls) as ses, opened(ses.url, Recorder(), tls=client_tls(authority)) as door:
            for _ in range(3):
                assert isinstance(await door.send(mail, "us-east-1"), Sent)
            assert [request.raw for request in ses.requests] == [mail.raw] * 3
            assert len(ses.connections) == 1

    play(test)


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", False), ("mail.example", True)])
def test_a_certificate_of_somebody_else_gets_no_message(play, authority, name, trusted):
    """An unknown authority, or another name: nothing is sent, safe to repeat."""

    async def test():
        trust = client_tls(authority) if trusted else None
        async with listening(server_tls(authority, name)) as ses, opened(ses.url, Recorder(), tls=trust) as door:
            assert_safe(await door.send(MAIL, "us-east-1"))
            assert ses.requests == []

    play(test)


def test_no_tls_where_tls_was_asked_for_gets_no_message(play):
    async def test():
        async with listening() as ses:
            url = ses.url.replace("http:", "https:")
            async with opened(url, Recorder(), connect_timeout=0.3) as door:
                assert_safe(await door.send(MAIL, "us-east-1"))
                assert ses.requests == []

    play(test)


@pytest.mark.parametrize("step", [hangs, resets_after_the_body], ids=["stall", "reset"])
def test_under_tls_silence_after_the_body_is_ambiguous(play, authority, step):
    async def test():
        tls = server_tls(authority, "127.0.0.1")
        trust = client_tls(authority)
        async with listening(tls) as ses, opened(ses.url, Recorder(), tls=trust, read_timeout=0.3) as door:
            ses.script = [step]
            assert_ambiguous(await door.send(MAIL, "us-east-1"))
            assert len(ses.requests) == 1

    play(test)


@pytest.mark.parametrize("idle", [0.1, 0.4], ids=["while the timer runs", "after it rang"])
def test_each_request_has_its_own_patience(play, idle):
    """A connection keeps one timer for all that it carries, and none while it carries nothing for long."""

    async def test():
        async with listening() as ses, opened(ses.url, Recorder(), read_timeout=0.3) as door:
            ses.script = [accept, hangs]
            assert isinstance(await door.send(MAIL, "us-east-1"), Sent)
            await asyncio.sleep(idle)
            began = asyncio.get_running_loop().time()
            assert_ambiguous(await door.send(MAIL, "us-east-1"))
            assert asyncio.get_running_loop().time() - began > 0.29  # not sooner, for what came before
            assert len(ses.connections) == 1

    play(test)


def test_under_tls_a_reset_in_the_body_is_safe_to_repeat(play, authority):
    async def test():
        tls = server_tls(authority, "127.0.0.1")
        async with listening(tls) as ses, opened(ses.url, Recorder(), tls=client_tls(authority)) as door:
            ses.script = [resets_in_the_body]
            assert_safe(await door.send(BIG, "us-east-1"))
            assert ses.requests == []

    play(test)


def ok(message_id: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(success(message_id)) + success(message_id)


def says(*segments: bytes) -> Step:
    """Take the message and answer in segments, each on its own way; the connection stays open."""

    async def step(listener: Listener, connection: Connection) -> None:
        listener.requests.append(await connection.request())
        for segment in segments:
            connection.writer.write(segment)
            await asyncio.sleep(0.001)

    return step


def test_an_answer_cut_at_any_octet_is_ambiguous(play):
    """Never taken for a success, never repeated."""
    whole = ok("cut-1")

    async def test():
        async with listening() as ses, opened(ses.url, Recorder()) as door:
            ses.script = [sends(whole[:cut]) for cut in range(len(whole))]
            for _ in range(len(whole)):
                assert_ambiguous(await door.send(MAIL, "us-east-1"))
            assert len(ses.requests) == len(ses.connections) == len(whole)

    play(test)


@pytest.mark.parametrize(
    "segments",
    [
        [bytes([octet]) for octet in ok("odd-1")],
        [b"HTTP/1.1 100 Continue\r\n\r\n", ok("odd-1")],
        [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok("odd-1")],
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%X\r\n%b\r\n0\r\n\r\n"
            % (len(success("odd-1")), success("odd-1"))
        ],
    ],
    ids=["octet by octet", "100 Continue", "Early Hints", "chunks"],
)
def test_an_answer_may_come_in_odd_ways(play, segments):
    async def test():
        outcome, ses, _ = await meet(says(*segments))
        assert outcome == Sent("odd-1")
        assert len(ses.connections) == 1

    play(test)


ENDING: dict[str, Step] = {
    "close": answer(200, success("first"), Connection="close"),
    "HTTP/1.0": says(ok("first").replace(b"1.1", b"1.0")),
    "no length": sends(b"HTTP/1.1 200 OK\r\n\r\n" + success("first")),
    "two answers in one segment": says(ok("first") + ok("forged")),
    "one too many, later": says(ok("first"), ok("forged")),
    "stray octets, later": says(ok("first"), b"\r\n"),
}


@pytest.mark.parametrize("step", ENDING.values(), ids=ENDING.keys())
def test_after_an_answer_that_leaves_a_doubt_the_connection_is_not_used_again(play, step):
    """What else came on it is nobody's answer."""

    async def test():
        async with listening() as ses, opened(ses.url, Recorder()) as door:
            ses.script = [step, answer(200, success("second"))]
            assert await door.send(MAIL, "us-east-1") == Sent("first")
            await asyncio.sleep(0.02)
            assert await door.send(MAIL, "us-east-1") == Sent("second")
            assert len(ses.connections) == 2

    play(test)


def test_an_answer_that_came_before_its_question_is_nobodys(play):
    """It waits in the kernel where the loop has not read it yet: written now, the message would seem to be answered."""

    async def test():
        async with listening() as ses, opened(ses.url, Recorder()) as door:
            assert isinstance(await door.send(MAIL, "us-east-1"), Sent)
            [idle] = ses.connections
            early = socket.socket(fileno=socket.dup(idle.writer.get_extra_info("socket").fileno()))
            early.send(ok("forged"))  # at once, and without the loop turning
            early.close()
            ses.script = [answer(200, success("second"))]
            assert await door.send(MAIL, "us-east-1") == Sent("second")
            assert len(ses.connections) == 2

    play(test)


def test_a_success_in_the_middle_of_the_body_is_ambiguous(play):
    """It can be no answer to a message that SES does not have."""

    async def accepts_early(listener: Listener, connection: Connection) -> None:
        await connection.head()
        await connection.reply(200, success())
        await listener.released.wait()

    async def test():
        outcome, ses, _ = await meet(accepts_early, BIG, read_timeout=1.0)
        assert_ambiguous(outcome)
        assert len(ses.connections) == 1

    play(test)


def test_the_name_is_told_and_checked_under_tls(play, authority):
    """Each connection asks for the certificate of the host it was meant for (RFC 6066 section 3)."""

    async def test():
        names: list[str | None] = []
        tls = server_tls(authority, "localhost")
        tls.sni_callback = lambda _socket, name, _context: names.append(name)
        async with listening(tls) as ses:
            url = ses.url.replace("127.0.0.1", "localhost")
            async with opened(url, Recorder(), tls=client_tls(authority)) as door:
                assert isinstance(await door.send(MAIL, "us-east-1"), Sent)
            assert_safe(await meet_at(ses.url, client_tls(authority)))
        assert names == ["localhost", None]  # an address is no name

    play(test)


async def meet_at(url: str, tls: ssl.SSLContext) -> Outcome:
    async with opened(url, Recorder(), tls=tls) as door:
        return await door.send(MAIL, "us-east-1")


def test_closing_while_a_connection_is_made_ends_the_call_as_safe_to_repeat(play):
    """Under TLS: a peer that never shakes hands."""

    async def test():
        async with listening() as ses:
            url = ses.url.replace("http:", "https:")
            async with opened(url, Recorder(), connect_timeout=0.3) as door:
                call = asyncio.create_task(door.send(MAIL, "us-east-1"))
                await asyncio.sleep(0.05)
                await door.close()
                assert_safe(await call)

    play(test)


def test_a_call_that_is_cancelled_within_its_answer_leaves_no_connection(play):
    """The peer sees it closed: who waits for the rest of an answer no longer would hold a socket for each."""

    async def test():
        closed = asyncio.Event()

        async def stalls_within(listener: Listener, connection: Connection) -> None:
            await connection.request()
            connection.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n<SendRaw")
            await connection.writer.drain()
            listener.arrived.set()
            with contextlib.suppress(ConnectionError):
                await connection.reader.read()
            closed.set()

        async with listening() as ses, opened(ses.url, Recorder()) as door:
            ses.script = [stalls_within]
            call = asyncio.create_task(door.send(MAIL, "us-east-1"))
            await ses.arrived.wait()
            await asyncio.sleep(0.02)  # until the beginning of the answer was read
            call.cancel()
            await asyncio.wait([call])
            async with asyncio.timeout(2):
                await closed.wait()
            assert call.cancelled()

    play(test)
