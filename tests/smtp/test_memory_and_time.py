"""What a client may cost in memory and time: weaknesses W1 to W5 and W35 of aiosmtpd, by number."""

import asyncio
import re
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
import uvloop

from relay.observe.events import MessageEnded, SessionClosed
from relay.smtp.connection import Connection
from relay.smtp.content import Content
from relay.words.endings import Outcome, Reason
from tests.smtp.stage import IMPLICIT, KIBIBYTE, MESSAGE, PLAIN, QUICK, TRUSTED, Client, in_transaction, stage


@pytest.mark.parametrize("filler", [b"a" * KIBIBYTE, b"\r\n" * 512, b".\r\r" * 300, b"..\r\n" * 256])
async def test_w1_w2_a_message_without_end_or_full_of_lines_costs_no_more_than_its_limit(authority, filler):
    """
    What exceeds the limit is thrown away as it comes, the refusal is heard, and the connection goes on.
    """
    async with stage(authority, PLAIN, message_bytes=64 * KIBIBYTE) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)

        for _ in range(2048):
            await client.send(filler)
            assert on.door._premises.ledger.used <= 2 * 64 * KIBIBYTE
        await client.send(b"\r\n.\r\n")

        assert re.match("552 5.3.4|550 5.6.11", await client.reply())
        assert (await client.hands_in()).startswith("250")
        assert on.endings[1:] == [("accepted", "none")]


async def test_w1_who_streams_far_past_the_limit_is_hung_up_on(authority):
    async with stage(authority, PLAIN, message_bytes=KIBIBYTE, discard_bytes=64 * KIBIBYTE) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)

        with suppress(OSError):
            for _ in range(200):
                await client.send(b"a" * KIBIBYTE)

        assert (await client.reply()).startswith("552 5.3.4")
        assert on.endings == [("rejected", "size")]


@pytest.mark.parametrize("listener", ["plain", "implicit"])
@pytest.mark.parametrize("departure", [Client.vanish, Client.close, Client.shut])
async def test_w3_a_commit_runs_to_its_end_when_the_client_hangs_up(authority, listener, departure):
    """
    The message is taken once and counted as accepted, not as aborted, for it was.
    """
    async with stage(authority, PLAIN, IMPLICIT) as on:
        begun, released = asyncio.Event(), asyncio.Event()

        async def before() -> None:
            begun.set()
            await released.wait()

        on.reception.before = before
        client = await on.authenticated(listener)
        await in_transaction(client)
        await client.send(MESSAGE + b".\r\n")
        await begun.wait()

        if departure is Client.shut and listener == "implicit":
            departure = Client.vanish  # TLS knows no half-closed connection
        left = departure(client)
        if left is not None:
            await left
        await asyncio.sleep(0.05)
        released.set()
        if departure is Client.shut:
            assert (await client.reply()).startswith("250 2.0.0 Ok")
        await on.settled()

        assert on.reception.raws == [MESSAGE]
        assert on.endings == [("accepted", "none")]


async def heard_while_sending(client: Client, octets: bytes) -> str:
    """Send octet by octet until there is a reply; read meanwhile: what is sent too late resets the connection."""
    reply = asyncio.create_task(client.reply())
    with suppress(OSError):
        for octet in octets:
            if reply.done():
                break
            await client.send(bytes([octet]))
            await asyncio.sleep(0.03)
    return await reply


async def test_w4_a_command_has_one_deadline_from_its_first_octet(authority):
    """
    A client that sends an octet now and then does not start the clock anew.
    """
    async with stage(authority, PLAIN, command_seconds=0.3) as on:
        client = await on.client("plain")
        await client.reply()

        assert (await heard_while_sending(client, b"E" * 100)).startswith("421 4.4.2")
        assert await client.is_closed()
        client.vanish()
        await on.settled()
        assert [event.why for event in on.of(SessionClosed)] == ["timeout"]


@pytest.mark.parametrize("before", ["NOOP", "AUTH LOGIN"])
async def test_w4_the_clock_of_a_line_that_is_too_long_ends_with_it(authority, before):
    """
    Behind it a client may be idle as long as behind any other.
    """
    async with stage(authority, PLAIN, auth_line=100, command_seconds=0.4, stranger_seconds=30) as on:
        client = await on.greeted("plain")
        await client.says(before)
        await client.send(b"A" * 200)
        await asyncio.sleep(0.1)
        assert (await client.says("")).startswith("500")

        assert await client.reply(1) == "TIMEOUT"


async def test_w4_an_idle_stranger_is_sent_away(authority):
    async with stage(authority, PLAIN, stranger_seconds=0.1) as on:
        client = await on.client("plain")
        await client.reply()

        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.is_closed()


async def test_w4_a_known_delegate_may_idle_longer_than_a_stranger(authority):
    async with stage(authority, PLAIN, stranger_seconds=0.5, idle_seconds=30) as on:
        client = await on.authenticated("plain")
        await asyncio.sleep(0.7)

        assert (await client.hands_in()).startswith("250")


async def test_w4_data_that_only_trickles_is_given_up(authority):
    """
    Below the minimum rate the transaction ends and is counted as the client's doing.
    """
    async with stage(authority, PLAIN, data_seconds=0.3) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)

        assert (await heard_while_sending(client, b"a" * 100)).startswith("421 4.4.2")
        await on.settled()
        assert on.endings == [("aborted", "client-gone")]


async def test_w4_data_that_keeps_the_rate_may_take_longer_than_any_fixed_time(authority):
    async with stage(authority, PLAIN, data_seconds=0.2, data_rate=1000) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)
        for _ in range(8):
            await client.send(b"X-Filler: " + b"a" * 500 + b"\r\n")
            await asyncio.sleep(0.05)
        await client.send(MESSAGE + b".\r\n")

        assert (await client.reply()).startswith("250")


async def test_w4_the_commit_is_not_the_clients_time(authority):
    """
    A decision that takes longer than every deadline of the client is answered all the same.
    """
    quick = replace(QUICK, stranger_seconds=0.5, idle_seconds=0.5, command_seconds=0.5, data_seconds=0.5)
    async with stage(authority, TRUSTED, limits=quick) as on:
        on.delegates.network = "app1"
        on.reception.before = lambda: asyncio.sleep(0.8)
        client = await on.greeted("trusted")

        assert (await client.hands_in()).startswith("250")


async def test_w5_a_client_that_never_reads_is_cut(authority):
    """
    Neither its socket nor its task outlives the time it has for reading a reply.
    """
    async with stage(authority, PLAIN, junk_commands=10**9, reply_seconds=0.3) as on:
        host, port = on.door.addresses["plain"][0]
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, (host, port))
        with deaf, suppress(OSError):
            async with asyncio.timeout(10):
                while True:
                    await loop.sock_sendall(deaf, b"HELP\r\n" * 1000)
                    unread = [len(visitor._inflow.pending) for visitor in on.door._premises.visitors]  # type: ignore[attr-defined]
                    assert max(unread, default=0) < 300 * KIBIBYTE

        await on.settled()
        assert on.of(SessionClosed)[0].why == "gone"


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("listener", ["plain", "starttls", "implicit"])
def test_w5_replies_that_nobody_reads_are_few(authority, loop, listener):
    """
    However TLS began, the client is waited for when so much lies unread.
    """

    async def body() -> None:
        async with stage(authority, junk_commands=10**9) as on:
            client = await on.authenticated(listener)
            (visitor,) = on.door._premises.visitors
            assert isinstance(visitor, Connection)
            client.writer.transport.pause_reading()  # type: ignore[attr-defined] # it reads, too
            sending = asyncio.create_task(client.send(b"EHLO client.test\r\n" * 200_000))
            async with asyncio.timeout(20):
                while visitor._can_write:  # noqa: ASYNC110 - the door tells nobody
                    await asyncio.sleep(0.01)
            assert visitor.transport is not None
            assert visitor.transport.get_write_buffer_size() < 20 * KIBIBYTE
            sending.cancel()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(body())


@pytest.mark.parametrize("part", [b"", MESSAGE, MESSAGE + b"."])
async def test_w35_a_client_that_vanishes_inside_data_is_counted(authority, part):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)
        await client.send(part)
        await asyncio.sleep(0.05)
        client.vanish()
        await on.settled()

        assert on.endings == [("aborted", "client-gone")]
        assert on.reception.taken == []


HALF = b"x" * 45 * KIBIBYTE + b"\r\n.\r\n"


async def test_room_is_bounded_for_all_messages_together(authority):
    """
    Past it the client is told to come back, before it sends or after; then there is room again.
    """
    async with stage(authority, PLAIN, message_bytes=64 * KIBIBYTE, inflight_bytes=0, inflight_seconds=0.1) as on:
        released = asyncio.Event()
        on.reception.before = released.wait
        first, second, third = [await on.authenticated("plain") for _ in range(3)]
        await in_transaction(first)
        await in_transaction(second)
        await first.send(MESSAGE + HALF)
        await asyncio.sleep(0.05)
        await second.send(MESSAGE + HALF)
        assert (await second.reply()).startswith("452 4.3.1")

        await third.says(f"MAIL FROM:<app1@example.com> SIZE={20 * KIBIBYTE}")
        await third.says("RCPT TO:<bob@rcpt.example>")
        assert (await third.says("DATA")).startswith("452 4.3.1")

        released.set()
        assert (await first.reply()).startswith("250")
        assert on.door._premises.ledger.used == 0
        assert (await second.hands_in()).startswith("250")
        assert [(e.outcome, e.reason) for e in on.of(MessageEnded)][:2] == [(Outcome.DEFERRED, Reason.RATE)] * 2


async def test_who_finds_no_room_waits_for_it(authority):
    """
    Before 354, or in the middle of the message, which is not read on as long: the client notices nothing else.
    """
    async with stage(authority, PLAIN, message_bytes=64 * KIBIBYTE, inflight_bytes=0, inflight_seconds=30) as on:
        released = asyncio.Event()
        on.reception.before = released.wait
        first, second, third = [await on.authenticated("plain") for _ in range(3)]
        await in_transaction(first)
        await in_transaction(second)
        await first.send(MESSAGE + HALF)
        await asyncio.sleep(0.05)
        await second.send(MESSAGE + HALF)
        await third.says(f"MAIL FROM:<app1@example.com> SIZE={20 * KIBIBYTE}")
        await third.says("RCPT TO:<bob@rcpt.example>")
        await third.send(b"DATA\r\n")
        assert await third.reply(0.1) == await second.reply(0.1) == "TIMEOUT"
        assert on.door._premises.ledger.used <= 128 * KIBIBYTE

        released.set()
        assert (await first.reply()).startswith("250")
        assert (await second.reply()).startswith("250")
        assert (await third.reply()).startswith("354")


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_many_large_messages_at_once_are_taken_or_told_to_come_back(authority, loop):
    """
    Each is answered, within the time that it may wait for room; what was read meanwhile is not forgotten.
    """

    async def body() -> None:
        async with stage(authority, PLAIN, message_bytes=1 << 20, inflight_bytes=8 << 20, inflight_seconds=0.5) as on:
            on.reception.before = lambda: asyncio.sleep(0.05)

            async def one() -> str:
                client = await on.authenticated("plain")
                await in_transaction(client)
                await client.send(MESSAGE + b"x\r\n" * 300_000 + b".\r\n")
                return (await client.reply(20))[:9]

            answers = await asyncio.gather(*(one() for _ in range(24)))
            assert "250 2.0.0" in answers
            assert set(answers) <= {"250 2.0.0", "452 4.3.1"}
            assert on.door._premises.ledger.used == 0

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(body())


def test_of_one_client_no_more_is_read_at_a_time_than_one_read_takes(authority, monkeypatch):
    """
    A loop may read on from one socket as long as there is something; others would be served when it has all come.
    """
    turn, fed = 0, Counter[int]()

    def feed(content: Content, block: bytes) -> bytes | None:
        fed[turn] += len(block)
        return taken(content, block)

    def brings(address: tuple[str, int]) -> None:
        with socket.create_connection(address) as client, client.makefile("rb") as replies:
            replies.readline()
            for line in (b"HELO x", b"MAIL FROM:<app1@example.com>", b"RCPT TO:<bob@rcpt.example>", b"DATA"):
                client.sendall(line + b"\r\n")
                assert replies.readline()[:1] in b"23"
            client.sendall(MESSAGE + b"\r\n" * (4 << 20) + b".\r\n")
            assert replies.readline().startswith(b"250")

    async def body() -> None:
        def tick() -> None:
            nonlocal turn
            turn += 1
            loop.call_soon(tick)

        loop = asyncio.get_running_loop()
        async with stage(authority, TRUSTED) as on:
            on.delegates.network = "app1"
            tick()
            await asyncio.to_thread(brings, on.door.addresses["trusted"][0])

    taken = Content.feed
    monkeypatch.setattr(Content, "feed", feed)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(body())

    assert fed.total() > 8 << 20
    assert max(fed.values()) <= 256 * KIBIBYTE


async def test_a_connection_has_an_end(authority):
    async with stage(authority, PLAIN, connection_seconds=0.6) as on:
        client = await on.authenticated("plain")
        await asyncio.sleep(0.7)

        assert (await client.says("NOOP")).startswith("421 4.4.2")
        assert on.replies["other", 421] == 1
