"""How many of anything a client may bring: weaknesses W7, W8 and W9 of aiosmtpd, by number."""

import asyncio
import re
from contextlib import suppress

import pytest

from relay.observe.events import MessageEnded, SessionClosed
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending
from tests.smtp.stage import IMPLICIT, MESSAGE, PLAIN, Client, stage


async def test_w7_connections_are_counted_and_the_excess_is_turned_away(authority):
    async with stage(authority, PLAIN, connections=2) as on:
        first, second = await on.greeted("plain"), await on.greeted("plain")
        third = await on.client("plain")

        assert (await third.reply()).startswith("421 4.3.2")
        assert await third.is_closed()
        assert on.replies["connect", 421] == 1

        await first.says("QUIT")
        await first.is_closed()
        assert (await (await on.greeted("plain")).says("NOOP")).startswith("250")
        assert (await second.says("NOOP")).startswith("250")


async def test_w7_one_address_has_its_share_of_connections(authority):
    async with stage(authority, PLAIN, connections_per_client=1) as on:
        await on.greeted("plain")
        second = await on.client("plain")

        assert (await second.reply()).startswith("421 4.7.0")


async def test_w7_a_connection_counts_before_its_tls_handshake(authority):
    """
    Who opens implicit TLS connections and says nothing takes up his own share, for the time of a handshake.
    """
    async with stage(authority, IMPLICIT, connections_per_client=1, tls_handshake_seconds=0.3) as on:
        host, port = on.door.addresses["implicit"][0]
        _, mute = await asyncio.open_connection(host, port)
        await asyncio.sleep(0.05)
        reader, turned_away = await asyncio.open_connection(host, port)
        assert await reader.read() == b""

        await asyncio.wait_for(on.settled(), 5)
        assert (await (await on.greeted("implicit")).says("NOOP")).startswith("250")
        for writer in (mute, turned_away):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def test_w8_the_51st_recipient_waits_for_the_next_message(authority):
    """
    With over_recipients = 452: however often it is asked, and without counting as an error; the first 50 stay.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        answers = [await client.says(f"RCPT TO:<r{number}@rcpt.example>") for number in range(80)]

        assert {"250 2.1.5"} == {answer[:9] for answer in answers[:50]}
        assert {"452 4.5.3"} == {answer[:9] for answer in answers[50:]}
        assert (await client.says("RCPT TO:<r1@RCPT.example>")).startswith("250")
        assert (await client.says("DATA")).startswith("354")
        await client.send(MESSAGE + b".\r\n")
        assert (await client.reply()).startswith("250")
        assert len(on.reception.taken[0][1].forward_paths) == 50


async def test_w8_a_message_with_too_many_recipients_is_refused_whole(authority):
    """
    With over_recipients = refuse-message, as SES does: at DATA, before the client sends anything.
    """
    async with stage(authority, PLAIN, over_recipients="refuse-message") as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        for number in range(51):
            assert (await client.says(f"RCPT TO:<r{number}@rcpt.example>")).startswith("250")

        refusal = await client.says("DATA")
        assert refusal.startswith("550 5.5.3")
        (ended,) = on.of(MessageEnded)
        assert refusal.endswith(f"(decision {ended.record['id']})")
        assert (await client.says("DATA")).startswith("503")
        assert on.endings == [("rejected", "recipients")]
        assert (await client.hands_in()).startswith("250")


async def test_who_pipelines_behind_a_refused_mail_makes_no_error(authority):
    """
    Postfix sends MAIL, RCPT and DATA together; were the latter two errors, the fifth refusal would cost the sixth
    message its connection. Without end it leads nowhere all the same.
    """
    async with stage(authority, PLAIN, errors=4, junk_commands=20) as on:
        client = await on.authenticated("plain")
        for _ in range(9):
            await client.send(b"MAIL FROM:<ceo@example.com>\r\nRCPT TO:<bob@rcpt.example>\r\nDATA\r\n")
            assert [(await client.reply())[:9] for _ in range(3)] == ["550 5.7.1", "503 5.5.1", "503 5.5.1"]
        assert (await client.hands_in()).startswith("250")

        answers: list[str] = []
        for _ in range(10):
            await client.send(b"MAIL FROM:<ceo@example.com>\r\nRCPT TO:<bob@rcpt.example>\r\nDATA\r\n")
            answers += [await client.reply() for _ in range(3)]
        assert answers[-1].startswith("421 4.7.0")
        await on.settled()
        assert on.is_balanced()


@pytest.mark.parametrize("first", ["RSET", "EHLO client.test"])
async def test_a_refused_mail_excuses_what_follows_it_and_nothing_later(authority, first):
    async with stage(authority, PLAIN, errors=4) as on:
        client = await on.authenticated("plain")
        assert (await client.says("MAIL FROM:<ceo@example.com>")).startswith("550")
        assert (await client.says(first)).startswith("250")
        answers = [await client.says("RCPT TO:<bob@rcpt.example>") for _ in range(4)]

    assert [answer[:3] for answer in answers] == ["503", "503", "503", "421"]


async def test_a_list_with_bad_addresses_is_no_attack(authority):
    """
    Ten or thirty malformed recipients among good ones: each is refused, the good ones get their mail. Were they errors,
    the message would never go, however often it is tried.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        for number in range(30):
            assert (await client.says(f"RCPT TO:<bad..{number}@rcpt.example>")).startswith("501 5.1.3")
            assert (await client.says(f"RCPT TO:<r{number}@rcpt.example>")).startswith("250")
        assert (await client.says("DATA")).startswith("354")
        await client.send(MESSAGE + b".\r\n")

        assert (await client.reply()).startswith("250")
        assert len(on.reception.taken[0][1].forward_paths) == 30


@pytest.mark.parametrize("over_recipients", ["refuse-message", "452"])
async def test_w8_recipients_without_end_are_errors_in_the_end(authority, over_recipients):
    async with stage(authority, PLAIN, over_recipients=over_recipients, over_recipients_commands=20) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.send(b"RCPT TO:<bob@rcpt.example>\r\nRCPT TO:<bob>\r\n" * 50)
        answers = [await client.reply() for _ in range(80)]

        assert sum(answer.startswith("452 4.5.3") for answer in answers) == 5
        assert answers[79].startswith("421 4.7.0")
        await on.settled()
        assert on.is_balanced()


@pytest.mark.parametrize(
    "line",
    [b"", b"x" * 2047, b"NOOP " + b"x" * 30_000, b"\xff\xfe", b"XYZZY", b" ", b"NOOP\0", b"RCPT TO:<a@b.c>", b"\n"],
)
async def test_w9_every_kind_of_wrong_line_counts(authority, line):
    """
    The tenth is the last: 421 and closed.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        for _ in range(9):
            assert re.match("50[0-3] 5.5.[12]", await client.says(line) if line != b"\n" else await bare(client))
        assert (await client.says(line)).startswith("421 4.7.0")
        assert await client.is_closed()
        client.vanish()
        await on.settled()
        assert on.of(SessionClosed)[0].why == "errors"


async def test_w9_an_accepted_message_wipes_errors_out(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        for _ in range(3):
            for _ in range(8):
                assert (await client.says("XYZZY")).startswith("500")
            assert (await client.hands_in()).startswith("250")


async def test_w9_a_verdict_on_a_message_is_no_error_of_the_dialogue(authority):
    """
    An honest application whose messages are refused hears the reason each time, not 421.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        for _ in range(12):
            assert (await client.hands_in(b"Subject: no author\r\n\r\n")).startswith("550 5.6.0")
            assert (await client.hands_in(b"From: a\nTo: b\r\n\r\n")).startswith("550 5.6.11")
            assert (await client.says("MAIL FROM:<ceo@example.com>")).startswith("550 5.7.1")


async def test_w9_a_size_that_is_too_much_is_a_verdict_on_a_message(authority):
    """
    Said at MAIL: the tenth hears that it is too long, too, and not 421, as if it might be taken another time; what is
    pipelined behind it is no error either.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        for _ in range(12):
            await client.send(b"MAIL FROM:<app1@example.com> SIZE=99999999\r\nRCPT TO:<bob@rcpt.example>\r\nDATA\r\n")
            assert [(await client.reply())[:9] for _ in range(3)] == ["552 5.3.4", "503 5.5.1", "503 5.5.1"]
        assert (await client.hands_in()).startswith("250")
        assert on.endings == [("rejected", "size")] * 12 + [("accepted", "none")]


@pytest.mark.parametrize("command", ["NOOP", "RSET", "VRFY x", "HELP", "EHLO x", "HELO x"])
async def test_w9_commands_that_lead_nowhere_end_somewhere(authority, command):
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()
        answers = [await client.says(command) for _ in range(100)]

        assert {"2"} == {answer[0] for answer in answers[:99]}
        assert answers[99].startswith("421 4.7.0")
        assert await client.is_closed()


async def bare(client: Client) -> str:
    await client.send(b"\n")
    return await client.reply()


async def test_without_room_the_client_hears_so_instead_of_354(authority):
    """
    Before it sends anything, and with the size that it declared; the message has ended.
    """
    asked: list[int] = []

    def full(octets: int) -> Ending | None:
        asked.append(octets)
        return Ending(Outcome.DEFERRED, Reason.SPOOL_FULL, Reply(452, (4, 3, 1), "No room")) if octets else None

    async with stage(authority, PLAIN) as on:
        on.reception.full = full
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com> SIZE=1000")
        await client.says("RCPT TO:<bob@rcpt.example>")
        assert (await client.says("DATA")).startswith("452 4.3.1 No room")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.says("RCPT TO:<bob@rcpt.example>")
        assert (await client.says("DATA")).startswith("354")

    assert asked == [1000, 0]
