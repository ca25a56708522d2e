"""
Every bound of :class:`relay.smtp.limits.Limits`, each with a test of its name. Which weaknesses of aiosmtpd they close
is tested beside this, by number.
"""

import asyncio
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import fields, replace

import pytest

from relay.observe.events import MessageEnded, SessionClosed
from relay.smtp.limits import Limits
from relay.words.endings import Outcome, Reason
from tests.smtp.headers import line
from tests.smtp.stage import (
    IMPLICIT,
    KIBIBYTE,
    MESSAGE,
    PLAIN,
    QUICK,
    Client,
    NothingKnown,
    in_transaction,
    plain,
    stage,
)
from tests.smtp.test_proxy import BEHIND

BIG = MESSAGE + b"x" * KIBIBYTE + b"\r\n"


def test_every_bound_has_a_test_of_its_name():
    bounds = {field.name for field in fields(Limits)}
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}

    assert bounds - tested == set()


# One message


async def test_message_bytes(authority):
    """An octet more is too long, declared or not; announced is what holds."""
    async with stage(authority, PLAIN, message_bytes=len(BIG)) as on:
        client = await on.authenticated("plain")
        assert f"SIZE {len(BIG)}" in await client.says("EHLO client.test")

        assert (await client.says(f"MAIL FROM:<app1@example.com> SIZE={len(BIG) + 1}")).startswith("552 5.3.4")
        assert (await client.hands_in(BIG + b"x\r\n")).startswith("552 5.3.4")
        assert (await client.hands_in(BIG)).startswith("250")


async def test_discard_bytes(authority):
    """So much more is heard out for the sake of the reply; then we hang up."""
    async with stage(authority, PLAIN, message_bytes=KIBIBYTE, discard_bytes=64 * KIBIBYTE) as on:
        client = await on.authenticated("plain")
        assert (await client.hands_in(MESSAGE + b"x" * 60 * KIBIBYTE + b"\r\n")).startswith("552 5.3.4")
        await in_transaction(client)
        with suppress(OSError):
            await client.send(b"x" * 80 * KIBIBYTE)

        assert (await client.reply()).startswith("552 5.3.4")
        assert await client.is_closed()


async def test_recipients(authority):
    async with stage(authority, PLAIN, recipients=2) as on:
        client = await on.authenticated("plain")
        assert "LIMITS RCPTMAX=2" in await client.says("EHLO client.test")
        await client.says("MAIL FROM:<app1@example.com>")
        answers = [(await client.says(f"RCPT TO:<r{number}@rcpt.example>"))[:9] for number in range(3)]

        assert answers == ["250 2.1.5", "250 2.1.5", "452 4.5.3"]


@pytest.mark.parametrize(
    ("how", "third", "data"), [("452", "452 4.5.3", "354"), ("refuse-message", "250", "550 5.5.3")]
)
async def test_over_recipients(authority, how, third, data):
    async with stage(authority, PLAIN, recipients=2, over_recipients=how) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        answers = [await client.says(f"RCPT TO:<r{number}@rcpt.example>") for number in range(3)]

        assert answers[2].startswith(third)
        assert (await client.says("DATA")).startswith(data)


@pytest.mark.parametrize("rcpt", ["RCPT TO:<bob@rcpt.example>", "RCPT TO:<bad>"])
async def test_over_recipients_commands(authority, rcpt):
    """So many RCPT are heard, taken or refused; each further one is an error."""
    async with stage(authority, PLAIN, recipients=2, over_recipients_commands=3, errors=2) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        answers = [(await client.says(rcpt))[:3] for _ in range(7)]

        assert "421" not in answers[:6]
        assert answers[6] == "421"


async def test_inflight_bytes(authority):
    """Each message counts twice; one that does not fit beside others is told to come back."""
    limits = replace(QUICK, message_bytes=KIBIBYTE, inflight_bytes=4 * KIBIBYTE, inflight_seconds=0.1)
    async with stage(authority, PLAIN, limits=limits) as on:
        on.reception.before = (released := asyncio.Event()).wait
        message = MESSAGE + b"x" * 700 + b"\r\n"
        senders = [asyncio.create_task((await on.authenticated("plain")).hands_in(message)) for _ in range(4)]
        await asyncio.sleep(0.4)
        assert on.door._premises.ledger.used <= 4 * KIBIBYTE
        released.set()
        answers = Counter([(await sender)[:9] for sender in senders])

        assert answers == {"250 2.0.0": 2, "452 4.3.1": 2}


async def test_inflight_seconds(authority):
    """Room that comes within that time is taken."""
    async with stage(authority, PLAIN, message_bytes=KIBIBYTE, inflight_bytes=0, inflight_seconds=20) as on:
        on.reception.before = lambda: asyncio.sleep(0.2)
        senders = [await on.authenticated("plain") for _ in range(4)]
        message = MESSAGE + b"x" * 800 + b"\r\n"

        assert {(await each)[:3] for each in [asyncio.create_task(one.hands_in(message)) for one in senders]} == {"250"}


# One line


async def test_command_line(authority):
    async with stage(authority, PLAIN, command_line=64) as on:
        client = await on.greeted("plain")

        assert (await client.says("NOOP " + "x" * 57)).startswith("250")
        assert (await client.says("NOOP " + "x" * 58)).startswith("500 5.5.2")


async def test_auth_line(authority):
    async with stage(authority, PLAIN, auth_line=100) as on:
        client = await on.greeted("plain")
        await client.says("AUTH PLAIN")

        assert (await client.says("A" * 99)).startswith("500 5.5.6")
        assert (await client.says("AUTH PLAIN " + "A" * 100)).startswith("500 5.5.6")


async def test_helo_name(authority):
    async with stage(authority, PLAIN, helo_name=20) as on:
        client = await on.greeted("plain")

        assert (await client.says("EHLO " + "a" * 21)).startswith("501 5.5.4")
        assert (await client.says("EHLO " + "a" * 20)).startswith("250")


# One connection


async def test_errors(authority):
    async with stage(authority, PLAIN, errors=3) as on:
        client = await on.greeted("plain")

        assert [(await client.says("XYZZY"))[:9] for _ in range(3)] == ["500 5.5.1", "500 5.5.1", "421 4.7.0"]
        assert await client.is_closed()


async def test_junk_commands(authority):
    async with stage(authority, PLAIN, junk_commands=4) as on:
        client = await on.greeted("plain")

        assert [(await client.says("NOOP"))[:9] for _ in range(3)] == ["250 2.0.0", "250 2.0.0", "421 4.7.0"]
        assert await client.is_closed()


async def test_auth_failures(authority):
    async with stage(authority, PLAIN, auth_failures=2) as on:
        client = await on.greeted("plain")
        assert (await client.says(plain("app1", "wrong"))).startswith("535")
        assert (await client.says(plain("app1", "wrong"))).startswith("535")

        assert (await client.reply()).startswith("421 4.7.0")
        assert await client.is_closed()


async def test_auth_delay_step_seconds(authority):
    """The second wrong password is answered later than the first."""
    async with stage(authority, PLAIN, auth_delay_step_seconds=0.2) as on:
        client = await on.greeted("plain")
        loop, times = asyncio.get_running_loop(), []
        for _ in range(2):
            began = loop.time()
            await client.says(plain("app1", "wrong"))
            times.append(loop.time() - began)

        assert times[0] >= 0.2
        assert times[1] >= 0.4


async def test_auth_delay_seconds(authority):
    """However many there were, the delay has an end."""
    async with stage(authority, PLAIN, auth_delay_step_seconds=60, auth_delay_seconds=0.1) as on:
        client = await on.greeted("plain")

        assert (await client.says(plain("app1", "wrong"))).startswith("535")


async def test_password_octets(authority):
    """Nobody computes a hash of what is longer."""
    async with stage(authority, PLAIN, password_octets=20) as on:
        client = await on.greeted("plain")

        assert (await client.says(plain("app1", "x" * 21))).startswith("535")
        assert on.delegates.asked == []
        assert (await client.says(plain("app1", "x" * 20))).startswith("535")
        assert on.delegates.asked == ["app1"]


# Time


async def test_greeting_delay_seconds(authority):
    async with stage(authority, PLAIN, greeting_delay_seconds=0.2) as on:
        early, patient = await on.client("plain"), await on.client("plain")
        await early.send(b"EHLO client.test\r\n")

        assert (await early.reply()).startswith("554 5.5.1")
        assert (await patient.reply()).startswith("220")


async def test_stranger_seconds(authority):
    async with stage(authority, PLAIN, stranger_seconds=0.1) as on:
        client = await on.greeted("plain")

        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.is_closed()


async def test_idle_seconds(authority):
    async with stage(authority, PLAIN, idle_seconds=0.4) as on:
        client = await on.authenticated("plain")

        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.is_closed()


async def test_command_seconds(authority):
    async with stage(authority, PLAIN, command_seconds=0.2) as on:
        client = await on.greeted("plain")
        await client.send(b"NO")

        assert (await client.reply()).startswith("421 4.4.2")


async def test_domain_seconds(authority):
    """That all recipients together wait for what is known of their domains; the last are not waited for at all."""
    patience = []

    class Slow(NothingKnown):
        async def refusal(self, domain: str, seconds: float) -> None:
            patience.append(seconds)
            await asyncio.sleep(max(0, min(seconds, 0.3)))

    async with stage(authority, PLAIN, domain_seconds=0.5, recipient_domains=Slow()) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        for number in range(3):
            assert (await client.says(f"RCPT TO:<bob@{number}.example>")).startswith("250")

        assert 0.5 == patience[0] > patience[1] > 0 > patience[2]


async def test_data_seconds(authority):
    """Nothing for so long, and the message is given up."""
    async with stage(authority, PLAIN, data_seconds=0.2) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)

        heard = await client.reply()
        assert heard.startswith("421 4.4.2")
        await on.settled()
        assert on.endings == [("aborted", "client-gone")]
        (ended,) = on.of(MessageEnded)
        assert ended.record["reply"] == heard


async def test_a_message_of_who_is_sent_away_tells_why(authority):
    """In the record: the client heard that it made too many errors, and had given up nothing."""
    async with stage(authority, PLAIN, errors=3) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        heard = [await client.says("EXPN us") for _ in range(3)][-1]

        assert heard.startswith("421 4.7.0")
        await on.settled()
        (ended,) = on.of(MessageEnded)
        assert (ended.outcome, ended.reason) == (Outcome.ABORTED, Reason.CLIENT_GONE)
        assert ended.record["reply"] == heard


async def test_data_rate(authority):
    """Whoever is faster may take longer than data_seconds, whoever is slower may not."""
    async with stage(authority, PLAIN, data_seconds=0.3, data_rate=10_000) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)
        for _ in range(10):
            await client.send(5 * (b"X-Filler: " + b"a" * 900 + b"\r\n"))
            await asyncio.sleep(0.03)
        await client.send(MESSAGE + b".\r\n")
        assert (await client.reply()).startswith("250")

        await in_transaction(client)
        reply = asyncio.create_task(client.reply())  # read while sending: what is sent too late resets the connection
        with suppress(OSError):
            while not reply.done():
                await client.send(b"a")
                await asyncio.sleep(0.03)
        assert (await reply).startswith("421 4.4.2")


async def test_connection_seconds(authority):
    """Also of a client that is never idle."""
    async with stage(authority, PLAIN, connection_seconds=0.5, junk_commands=10**9) as on:
        client = await on.authenticated("plain")
        answers: list[str] = []
        while not answers or answers[-1].startswith("250"):
            answers.append(await client.says("NOOP"))
            await asyncio.sleep(0.02)

        assert answers[-1].startswith("421 4.4.2")


async def test_proxy_header_seconds(authority):
    async with stage(authority, *BEHIND, proxy_header_seconds=0.1) as on:
        client = await on.client("plain")
        await client.send(line("203.0.113.7")[:-1])

        assert await client.is_closed()


async def test_tls_handshake_seconds(authority):
    async with stage(authority, IMPLICIT, tls_handshake_seconds=0.1) as on:
        _, writer = await asyncio.open_connection(*on.door.addresses["implicit"][0])
        await asyncio.sleep(0.05)
        await on.settled()
        writer.close()

        assert on.door._premises.crowd.total == 0


async def test_reply_seconds(authority):
    """Who reads no reply is cut; neither its socket nor its task stays."""
    async with stage(authority, PLAIN, junk_commands=10**9, reply_seconds=0.2) as on:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, on.door.addresses["plain"][0])
        with deaf, suppress(OSError):
            while True:
                await loop.sock_sendall(deaf, b"HELP\r\n" * 1000)
        await on.settled()

        assert [event.why for event in on.of(SessionClosed)] == ["gone"]


async def test_linger_seconds(authority):
    """Who does not hang up after our last reply is cut."""
    async with stage(authority, PLAIN, errors=1, linger_seconds=0.1) as on:
        client = await on.client("plain")
        await client.reply()
        assert (await client.says("XYZZY")).startswith("421")

        await on.settled()


# All clients


async def test_connections(authority):
    async with stage(authority, PLAIN, connections=1) as on:
        await on.greeted("plain")

        assert (await (await on.client("plain")).reply()).startswith("421 4.3.2")


@pytest.mark.parametrize(
    ("first", "other", "is_counted"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::7", "2001:db8:1:2:ffff::8", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
    ],
)
async def test_connections_per_client(authority, first, other, is_counted):
    """A client is an IPv4 address or an IPv6 /64; turned away it hears 4.7.0, for its neighbours are welcome."""
    async with stage(authority, *BEHIND, connections_per_client=1) as on:
        replies = []
        for address in (first, other):
            client = await on.client("plain")
            await client.send(line(address))
            replies.append((await client.reply())[:9])

        assert replies[0].startswith("220")
        assert replies[1].startswith("421 4.7.0" if is_counted else "220")


async def guessing(authority, limits: Limits) -> list[str]:
    async with stage(authority, PLAIN, limits=limits) as on:
        clients: list[Client] = [await on.greeted("plain") for _ in range(3)]
        return [(await client.says(plain("app1", "wrong")))[:9] for client in clients]


async def test_auth_failures_per_minute(authority):
    answers = await guessing(authority, replace(QUICK, auth_failures_per_minute=2))

    assert answers == ["535 5.7.8", "535 5.7.8", "454 4.7.0"]


async def test_auth_failures_per_day(authority):
    answers = await guessing(authority, replace(QUICK, auth_failures_per_day=2))

    assert answers == ["535 5.7.8", "535 5.7.8", "454 4.7.0"]


async def test_backlog(authority):
    """So many wait in the kernel while we are busy, and one more; the others' machines try again."""
    async with stage(authority, PLAIN, backlog=2) as on:
        loop = asyncio.get_running_loop()
        loop.remove_reader(on.door._entrances[0]._bound.fileno())  # busy
        waiting = 0
        for _ in range(5):
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    on.clients.append(await Client.connect(*on.door.addresses["plain"][0]))
                    waiting += 1

        assert waiting == 3
