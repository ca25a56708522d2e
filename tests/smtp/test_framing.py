"""Where commands and messages end: weaknesses W21 to W23, W25 and W26 of aiosmtpd, by number."""

import pytest

from tests.smtp.stage import DEMO, MESSAGE, PLAIN, in_transaction, plain, stage
from tests.smtp.test_departures import client_hello

SMUGGLED = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r.\n", b"\n.\r", b"\r\n\0.\r\n"]
SMUGGLED += [b"\r\n.\0\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n\r.\r\n", b"\n", b"\r", b"\0", b"\r\r\n"]


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\n",
        b"NOOP\r\r\n",
        b"NO\rOP\r\n",
        b"NOOP\0\r\n",
        b"NOOP\x0b\r\n",
        b"NOOP \x7f\r\n",
        b"\tNOOP\r\n",
        b"\xc3\xa4\r\n",
    ],
)
async def test_w21_a_command_is_printable_ascii_that_ends_in_crlf(authority, line):
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()
        await client.send(line)

        assert (await client.reply()).startswith("500 5.5.2")
        assert (await client.says("EHLO x")).startswith("250")


@pytest.mark.parametrize("step", [1, 2, 3, 10**6])
@pytest.mark.parametrize("sequence", SMUGGLED, ids=repr)
async def test_w22_nothing_but_crlf_dot_crlf_ends_a_message_and_bare_octets_condemn_it(authority, sequence, step):
    """
    One refusal at the true end, however the octets are cut; what followed the false end was never a command.
    """
    inner = b"MAIL FROM:<app1@example.com>\r\nRCPT TO:<victim@rcpt.example>\r\nDATA\r\nFrom: ceo\r\n\r\nx"
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)
        await client.trickle(MESSAGE + b"a" + sequence + inner + b"\r\n.\r\n", lambda: step)

        assert (await client.reply()).startswith("550 5.6.11")
        assert (await client.says("NOOP")).startswith("250")
        assert on.reception.taken == []
        assert on.endings == [("rejected", "message-form")]


async def test_w23_a_line_of_998_octets_that_begins_with_a_dot_comes_whole(authority):
    """
    Stuffing is not part of the line; longer lines are the reader's to refuse, in its own words.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        raw = MESSAGE + b"." + b"x" * 997 + b"\r\n" + b"y" * 5000 + b"\r\n"

        assert (await client.hands_in(raw)).startswith("250")
        assert [raw] == on.reception.raws


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST / HTTP/1.1", "CONNECT a:25 HTTP/1.1", "PUT /x", "get /"])
async def test_w25_a_browser_is_hung_up_on(authority, line):
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()
        await client.send(line.encode() + b"\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<app1@example.com>\r\n")

        assert (await client.reply()).startswith("521 5.5.1")
        assert await client.is_closed()
        assert on.endings == []


@pytest.mark.parametrize("octets", [11, None])
async def test_w25_tls_where_none_is_spoken_is_hung_up_on(authority, octets):
    """
    The beginning of a ClientHello, and all of one: it holds an LF, in the number of the extension supported_groups.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()
        await client.send(client_hello(authority.client)[:octets])

        assert (await client.reply()).startswith("521 5.5.1")
        assert await client.is_closed()


async def test_w25_who_speaks_before_the_greeting_is_sent_away(authority):
    async with stage(authority, PLAIN, greeting_delay_seconds=0.1) as on:
        hasty, patient = await on.client("plain"), await on.client("plain")
        await hasty.send(b"EHLO x\r\n")

        assert (await hasty.reply()).startswith("554 5.5.1")
        assert await hasty.is_closed()
        assert (await patient.reply()).startswith("220")


@pytest.mark.parametrize("command", ["DATA", "AUTH PLAIN AA==", "STARTTLS"])
async def test_w25_commands_whose_reply_matters_end_their_segment(authority, command):
    """
    What a client sends without waiting for 354, 334 or 220 is not obeyed: not as a message, not as commands.
    """
    async with stage(authority, DEMO) as on:
        client = await on.greeted("demo")
        if command == "DATA":
            await client.says(plain("app1", "s3cret-app1"))
            await client.says("MAIL FROM:<app1@example.com>")
            await client.says("RCPT TO:<bob@rcpt.example>")
        await client.send(command.encode() + b"\r\nEHLO injected\r\n")

        assert (await client.reply()).startswith("554 5.5.1")
        assert await client.is_closed()
        assert ([("rejected", "none")] if command == "DATA" else []) == on.endings


@pytest.mark.parametrize(
    ("group", "answers"),
    [
        (b"MAIL FROM:<ceo@example.com>\r\nRCPT TO:<bob@rcpt.example>\r\nDATA\r\n", ["550", "503", "554"]),
        (b"MAIL FROM:<app1@example.com>\r\nRCPT TO:<bad>\r\nDATA\r\n", ["250", "501", "554"]),
        (b"MAIL FROM:<app1@example.com>\r\nRCPT TO:<bob@rcpt.example>\r\nDATA x\r\n", ["250", "250", "554"]),
    ],
)
async def test_w25_a_message_behind_a_data_that_is_refused_is_no_commands(authority, group, answers):
    """
    A client that sends all in one go does not know that DATA was refused: who writes its text would write commands.
    """
    text = b"Subject: s\r\n\r\nRSET\r\nMAIL FROM:<app1@example.com>\r\nRCPT TO:<victim@rcpt.example>\r\nDATA\r\n"
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.send(group + text)

        assert answers == [(await client.reply())[:3] for _ in answers]
        assert await client.is_closed()
        assert len(on.endings) == 1


async def test_w25_w26_honest_pipelining_is_answered_in_order(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        group = b"MAIL FROM:<app1@example.com>\r\nRCPT TO:<bob@rcpt.example>\r\nRCPT TO:<>\r\nDATA\r\n"
        await client.send(group)
        assert [(await client.reply())[:3] for _ in range(4)] == ["250", "250", "553", "354"]
        await client.send(MESSAGE + b".\r\n" + group + b"")
        assert [(await client.reply())[:3] for _ in range(5)] == ["250", "250", "250", "553", "354"]
        await client.send(b".\r\nQUIT\r\n")
        assert [(await client.reply())[:3] for _ in range(2)] == ["550", "221"]


@pytest.mark.parametrize(
    "command", ["EXPN staff", "ETRN x", "TURN", "XFORWARD NAME=x", "XCLIENT NAME=x", "SEND FROM:<a@b.c>"]
)
async def test_w26_what_is_not_announced_is_not_there(authority, command):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        announced = (await client.says("EHLO x")).split(" | 250")

        assert announced[1:5] == ["-PIPELINING", "-SIZE 10485760", "-8BITMIME", "-ENHANCEDSTATUSCODES"]
        assert announced[5:] == ["-LIMITS RCPTMAX=50", " AUTH PLAIN LOGIN"]
        assert (await client.says(command)).startswith("502 5.5.1")


async def test_w26_bdat_is_refused_and_its_octets_are_no_commands(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.says("RCPT TO:<bob@rcpt.example>")
        await client.send(b"BDAT 40 LAST\r\nFrom: x\r\n\r\nMAIL FROM:<ceo@example.com>\r\n")

        assert (await client.reply()).startswith("502 5.5.1")
        assert await client.is_closed()
        assert on.endings == [("aborted", "client-gone")]
