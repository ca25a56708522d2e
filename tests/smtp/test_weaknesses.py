"""
The weaknesses of aiosmtpd 1.4.6, one test or more each, named by their number (W1 to W35): what was measured on the
library as it is must not be true of our door.
"""

import asyncio
import base64
import logging
import re
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import aiosmtpd.smtp
import pytest

import relay.smtp
from relay.observe.events import AuthTried, Incident, MessageEnded, Replied, SessionClosed, SessionOpened
from relay.smtp.dialogue import COMMANDS, Dialogue
from relay.smtp.door import StreetDoor
from relay.smtp.limits import Limits
from relay.smtp.listeners import Listener, ListenerProblem
from relay.words.addresses import NullPath
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending
from tests.smtp.stage import (
    DEMO,
    IMPLICIT,
    MESSAGE,
    PLAIN,
    QUICK,
    STARTTLS,
    TRUSTED,
    Client,
    Delegates,
    Reception,
    stage,
)

KIBIBYTE = 1024


def plain(name: str, password: str, authzid: str = "") -> str:
    return "AUTH PLAIN " + base64.b64encode(f"{authzid}\0{name}\0{password}".encode()).decode()


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


async def in_transaction(client: Client) -> None:
    """Bring a client to the point where octets of a message are next."""
    assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("250")
    assert (await client.says("RCPT TO:<bob@rcpt.example>")).startswith("250")
    assert (await client.says("DATA")).startswith("354")


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
            assert on.door._premises.ledger.used <= 64 * KIBIBYTE
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


async def test_w4_a_command_has_one_deadline_from_its_first_octet(authority):
    """
    A client that sends an octet now and then does not start the clock anew.
    """
    async with stage(authority, PLAIN, command_seconds=0.3) as on:
        client = await on.client("plain")
        await client.reply()

        with suppress(OSError):
            for _ in range(12):
                await client.send(b"E")
                await asyncio.sleep(0.05)

        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.is_closed()
        client.vanish()
        await on.settled()
        assert [event.why for event in on.of(SessionClosed)] == ["timeout"]


async def test_w4_an_idle_stranger_is_sent_away(authority):
    async with stage(authority, PLAIN, stranger_seconds=0.1) as on:
        client = await on.client("plain")
        await client.reply()

        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.is_closed()


async def test_w4_a_known_delegate_may_idle_longer_than_a_stranger(authority):
    async with stage(authority, PLAIN, stranger_seconds=0.2, idle_seconds=30) as on:
        client = await on.authenticated("plain")
        await asyncio.sleep(0.4)

        assert (await client.hands_in()).startswith("250")


async def test_w4_data_that_only_trickles_is_given_up(authority):
    """
    Below the minimum rate the transaction ends and is counted as the client's doing.
    """
    async with stage(authority, PLAIN, data_seconds=0.3) as on:
        client = await on.authenticated("plain")
        await in_transaction(client)

        with suppress(OSError):
            for octet in MESSAGE[:20]:
                await client.send(bytes([octet]))
                await asyncio.sleep(0.03)

        assert (await client.reply()).startswith("421 4.4.2")
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
    quick = replace(QUICK, stranger_seconds=0.1, idle_seconds=0.1, command_seconds=0.1, data_seconds=0.1)
    async with stage(authority, TRUSTED, limits=quick) as on:
        on.delegates.network = "app1"
        on.reception.before = lambda: asyncio.sleep(0.4)
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

        await on.settled()
        assert on.of(SessionClosed)[0].why == "gone"


NASTY = RuntimeError("secret\r\n250 2.0.0 Ok \xff\u2028")


async def raising() -> None:
    raise NASTY


async def test_w6_an_exception_is_a_temporary_failure_that_tells_nothing(authority):
    """
    The client hears a constant and a number; the house hears the exception; the envelope is gone; the connection lives.
    """
    async with stage(authority, PLAIN) as on:
        on.reception.before = raising
        client = await on.authenticated("plain")

        answer = await client.hands_in()

        assert re.fullmatch(r"451 4\.3\.0 Internal trouble, incident id\d+", answer)
        assert [event.error for event in on.of(Incident)] == [NASTY]
        assert on.of(Incident)[0].id in answer
        assert (await client.says("DATA")).startswith("503 5.5.1")
        on.reception.before = None
        assert (await client.hands_in()).startswith("250")
        assert on.endings == [("deferred", "internal"), ("accepted", "none")]


async def test_w6_an_exception_at_mail_is_a_temporary_failure(authority):
    async with stage(authority, PLAIN) as on:

        def early(*_: object) -> Ending | None:
            raise NASTY

        on.reception.early = early
        client = await on.authenticated("plain")

        assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("451 4.3.0 Internal trouble, incident id")
        assert (await client.says("RCPT TO:<bob@rcpt.example>")).startswith("503")
        assert on.endings == [("deferred", "internal")]


async def test_w6_an_exception_at_auth_is_a_temporary_failure(authority, monkeypatch):
    async with stage(authority, PLAIN) as on:

        async def verify(*_: object) -> None:
            await raising()

        monkeypatch.setattr(on.delegates, "verify", verify)
        client = await on.greeted("plain")

        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("451 4.3.0 Internal trouble, incident id")
        assert (await client.says("NOOP")).startswith("250")


async def test_w6_a_record_that_cannot_be_written_costs_no_count(authority):
    def record(**_: object) -> dict[str, object]:
        raise NASTY

    async with stage(authority, PLAIN, record=record) as on:
        client = await on.authenticated("plain")

        assert (await client.hands_in()).startswith("250")
        assert on.endings == [("accepted", "none")]
        assert on.of(MessageEnded)[0].record["id"]


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

        assert (await client.says("DATA")).startswith("550 5.5.3")
        assert (await client.says("DATA")).startswith("503")
        assert on.endings == [("rejected", "recipients")]
        assert (await client.hands_in()).startswith("250")


@pytest.mark.parametrize("over_recipients", ["refuse-message", "452"])
async def test_w8_recipients_without_end_are_errors_in_the_end(authority, over_recipients):
    async with stage(authority, PLAIN, over_recipients=over_recipients, over_recipients_commands=20) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.send(b"RCPT TO:<bob@rcpt.example>\r\n" * 100)
        answers = [await client.reply() for _ in range(80)]

        assert sum(answer.startswith("452 4.5.3") for answer in answers) == 9
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


async def bare(client: Client) -> str:
    await client.send(b"\n")
    return await client.reply()


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


@pytest.mark.parametrize("command", ["NOOP", "RSET", "VRFY x", "HELP", "EHLO x", "HELO x"])
async def test_w9_commands_that_lead_nowhere_end_somewhere(authority, command):
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()
        answers = [await client.says(command) for _ in range(100)]

        assert {"2"} == {answer[0] for answer in answers[:99]}
        assert answers[99].startswith("421 4.7.0")
        assert await client.is_closed()


async def test_w10_three_wrong_passwords_are_the_last(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")

        for _ in range(3):
            assert (await client.says(plain("app1", "wrong"))).startswith("535 5.7.8")
        assert (await client.reply()).startswith("421 4.7.0")
        assert await client.is_closed()
        assert len(on.delegates.asked) == 3


async def test_w10_the_budget_of_an_address_survives_reconnecting(authority):
    """
    Past it nobody's password is looked at, right or wrong, until the minute is over.
    """
    now = [0.0]
    async with stage(authority, PLAIN, auth_failures_per_minute=4, monotonic=lambda: now[0]) as on:
        for _ in range(2):
            client = await on.greeted("plain")
            for _ in range(2):
                assert (await client.says(plain("app1", "wrong"))).startswith("535")
        client = await on.greeted("plain")
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("454 4.7.0")
        assert len(on.delegates.asked) == 4
        assert on.of(AuthTried)[-1].result == "throttled"

        now[0] = 61.0
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("235")


async def test_w10_each_wrong_password_is_answered_later(authority, monkeypatch):
    """
    Half a second more each time, two seconds at most; other clients do not wait.
    """
    slept: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float, result: object = None) -> None:
        slept.append(seconds)
        await sleep(0)

    async with stage(authority, PLAIN, auth_failures=6, auth_delay_step_seconds=0.5) as on:
        client = await on.greeted("plain")
        monkeypatch.setattr("relay.smtp.authentication.asyncio.sleep", note)
        for _ in range(6):
            await client.says(plain("app1", "wrong"))
        monkeypatch.undo()

    assert slept == [0.5, 1.0, 1.5, 2, 2, 2]


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        ([plain("app1", "s3cret-app1", authzid="app1")], "235 2.7.0"),
        ([plain("app1", "s3cret-app1", authzid="ceo")], "535 5.7.8"),
        (["auth plain " + b64(b"\0app1\0s3cret-app1")], "235 2.7.0"),
        (["AUTH Login", b64(b"app1"), b64(b"s3cret-app1")], "235 2.7.0"),
        (["AUTH LOGIN " + b64(b"app1"), b64(b"s3cret-app1")], "235 2.7.0"),
        (["AUTH LOGIN", b64(b"app1\0x"), b64(b"s3cret-app1")], "535 5.7.8"),
        (["AUTH LOGIN", b64(b"app1"), b64(b"s3cret-app1\0x")], "535 5.7.8"),
        (["AUTH LOGIN", b64(b"app1"), ""], "535 5.7.8"),
        (["AUTH LOGIN", b64(b"app1"), "*"], "501 5.7.0"),
        (["AUTH PLAIN", "!"], "501 5.5.2"),
        (["AUTH PLAIN", " " + b64(b"\0app1\0s3cret-app1")], "501 5.5.2"),
        (["AUTH PLAIN =", "NOOP"], "250 2.0.0"),
        (["AUTH GSSAPI", "NOOP"], "250 2.0.0"),
    ],
)
async def test_w11_identities_are_compared_whole(authority, commands, answer):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")
        answers = [await client.says(command) for command in commands]

        assert answers[-1].startswith(answer)


async def test_w11_no_second_identity_and_none_within_a_transaction(authority):
    async with stage(authority, DEMO) as on:
        client = await on.greeted("demo")
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("235")
        assert (await client.says(plain("app2", "s3cret-app2"))).startswith("503 5.5.1")
        await client.says("MAIL FROM:<app1@example.com>")
        assert (await client.says(plain("app2", "s3cret-app2"))).startswith("503 5.5.1")
        assert (await client.says("STARTTLS")).startswith("503 5.5.1")


@pytest.mark.parametrize("length", [12_286, 12_284])
async def test_w12_a_response_of_12288_octets_is_read_whole(authority, length):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")
        assert await client.says("AUTH PLAIN") == "334 "
        response = b64(b"\0app1\0" + b"p" * 10_000)
        padded = (response + "A" * length)[:length]
        assert re.match("535 5.7.8|501 5.5.2", await client.says(padded))
        assert (await client.says("NOOP")).startswith("250")


async def test_w12_a_longer_one_is_one_error_and_none_of_it_is_a_command(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")
        assert await client.says("AUTH PLAIN") == "334 "
        assert (await client.says("NOOP " * 4000)).startswith("500 5.5.6")
        assert (await client.says("AUTH PLAIN " + "A" * 12_300)).startswith("500 5.5.6")
        assert (await client.says("AUTH PLAIN " + b64(b"\0app1\0" + b"p" * 3000))).startswith("535")
        assert (await client.says("RSET")).startswith("250")
        assert on.delegates.asked == []


async def test_w13_a_slow_password_check_holds_up_nobody_else(authority, monkeypatch):
    async with stage(authority, PLAIN) as on:
        checking, checked = asyncio.Event(), asyncio.Event()

        async def verify(*_: object) -> str:
            checking.set()
            await checked.wait()
            return "app1"

        monkeypatch.setattr(on.delegates, "verify", verify)
        slow, other = await on.greeted("plain"), await on.greeted("plain")
        await slow.send(plain("app1", "x").encode() + b"\r\n")
        await checking.wait()

        assert (await other.says("NOOP")).startswith("250")
        checked.set()
        assert (await slow.reply()).startswith("235")


async def test_w13_a_password_past_a_kibibyte_is_never_checked(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")

        assert (await client.says(plain("app1", "p" * 1025))).startswith("535")
        assert on.delegates.asked == []


async def test_w14_implicit_tls_offers_auth_and_takes_it(authority):
    async with stage(authority, IMPLICIT) as on:
        client = await on.client("implicit")
        await client.reply()

        assert "AUTH PLAIN LOGIN" in await client.says("EHLO client.test")
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("235")
        assert (await client.hands_in()).startswith("250")
        assert on.reception.taken[0][0].protocol == "ESMTPSA"


def opened_with(*listeners: Listener) -> StreetDoor:
    return StreetDoor(
        listeners,
        limits=Limits(),
        hostname="relay.test",
        tls_context=None,
        reception=Reception(),
        delegates=Delegates(),
        observe=lambda event: None,
        make_record=lambda **facts: {},
        new_id=lambda: "7Q",
    )


@pytest.mark.parametrize("listener", [STARTTLS, IMPLICIT, DEMO])
def test_w15_tls_without_a_certificate_does_not_open(listener):
    with pytest.raises(ListenerProblem, match=f"listener {listener.name}: .* needs a certificate"):
        opened_with(PLAIN, listener)


def test_w15_every_listener_that_is_wrong_is_named(authority):
    shut = replace(PLAIN, name="shut", allow_plaintext_auth=False)
    with pytest.raises(ListenerProblem, match=r"listener starttls: .*listener shut: "):
        opened_with(STARTTLS, shut)


async def test_w15_nothing_is_open_before_tls(authority):
    """
    AUTH is neither announced nor taken in clear, and no message either.
    """
    async with stage(authority, STARTTLS) as on:
        client = await on.client()
        await client.reply()

        assert "AUTH" not in await client.says("EHLO client.test")
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("538 5.7.11")
        assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("530 5.7.0")
        assert on.endings[0] == ("rejected", "none")
        assert on.of(MessageEnded)[0].delegate == "-"


async def test_w16_starttls_inside_tls_is_answered_and_harmless(authority):
    async with stage(authority) as on:
        for client in (await on.authenticated(), await on.authenticated("implicit")):
            assert (await client.says("STARTTLS")).startswith("503 5.5.1")
            assert (await client.hands_in()).startswith("250")


CANARY = "AGFwcDEAY2FuYXJ5LXBhc3N3b3Jk"


async def test_w17_no_credential_is_logged_or_repeated(authority, caplog):
    """
    Not by aiosmtpd's loggers, not by asyncio's, not in a reply; not even after a mechanism that was refused.
    """
    caplog.set_level(logging.DEBUG)
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")
        answers = [await client.says(f"AUTH XOAUTH2 {CANARY}")]
        answers += [await client.says(CANARY)]
        answers += [await client.says(f"AUTH PLAIN {CANARY}"), await client.says("AUTH PLAIN")]
        answers += [await client.says(CANARY)]
        answers += [await client.says(b"FOO\x1b[31m\x07BAR"), await client.says("CANARY-VERB x")]
        heard = "\n".join(answers)

        assert [answer[:3] for answer in answers] == ["504", "500", "535", "334", "535", "500", "500"]
        assert re.fullmatch(r"[ -~\n]*", heard)
        for secret in (CANARY, CANARY.upper(), "canary", "CANARY", "FOO"):
            assert secret not in heard
            assert secret not in caplog.text
            assert secret not in repr(on.events)


BAD_PATHS = {
    "app1@example.com": "501 5.1.7",
    "<app1@example.com": "501 5.1.7",
    "<<app1@example.com>>": "501 5.1.7",
    "<app1@example.com(x)>": "501 5.1.7",
    "<(ceo@example.com)app1@example.com>": "501 5.1.7",
    "<=?utf-8?q?app1?=@example.com>": "501 5.1.7",
    "<@evil.example:app1@example.com>": "501 5.1.7",
    '<"app1"@example.com>': "553 5.1.7",
    "<app1@[127.0.0.1]>": "553 5.1.7",
    "<.app1@example.com>": "501 5.1.7",
    "<app1.@example.com>": "501 5.1.7",
    "<app1@example.com.>": "501 5.1.7",
    "<app1>": "501 5.1.7",
    "< app1@example.com>": "501 5.1.7",
    "<app1@example.com >": "501 5.1.7",
    "<app1 @example.com>": "501 5.1.7",
    "<app1@example.com>x": "501 5.1.7",
    "<app1@example.com>,<ceo@example.com>": "501 5.1.7",
    "app1 <app1@example.com>": "501 5.1.7",
    "<": "501 5.1.7",
    "": "501 5.1.7",
    "<app1@example.123>": "501 5.1.7",
    "<" + "a" * 65 + "@example.com>": "501 5.1.7",
}


@pytest.mark.parametrize(("path", "answer"), BAD_PATHS.items())
async def test_w18_a_path_is_an_address_in_brackets_and_nothing_else(authority, path, answer):
    """
    Nothing is stripped, decoded or repaired: what is judged is what was written.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        assert (await client.says(f"MAIL FROM:{path}")).startswith(answer)
        assert on.endings == [("rejected", "address-form")]
        await client.says("MAIL FROM:<app1@example.com>")
        assert (await client.says(f"RCPT TO:{path}")).startswith(answer[:-1] + "3")


async def test_w18_a_blank_after_the_colon_and_any_case_of_keywords_are_forgiven(authority):
    """
    Many clients write them so; the path itself is as strict as ever.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        assert (await client.says("mail from: <app1@EXAMPLE.com>")).startswith("250")
        assert (await client.says("Rcpt to: <Bob@RCPT.example> ")).startswith("250")
        assert (await client.says("RCPT TO:  <bob@rcpt.example>")).startswith("501")
        assert (await client.says("data")).startswith("354")
        await client.send(MESSAGE + b".\r\n")
        await client.reply()
        envelope = on.reception.taken[0][1]
        assert [
            str(envelope.reverse_path),
            *map(str, envelope.forward_paths),
        ] == ["app1@example.com", "Bob@rcpt.example"]


async def test_w19_the_null_reverse_path_is_a_value_of_its_own_and_no_recipient(authority):
    async with stage(authority, PLAIN) as on:
        asked: list[object] = []
        on.reception.early = lambda session, envelope: asked.append(envelope.reverse_path)
        client = await on.authenticated("plain")

        assert (await client.says("MAIL FROM:<>")).startswith("250")
        assert asked == [NullPath.NULL]
        assert (await client.says("RCPT TO:<>")).startswith("553 5.1.3")
        assert (await client.says("RCPT TO:<Postmaster>")).startswith("553 5.1.3")
        assert (await client.says("DATA")).startswith("554 5.5.1")


@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        ("SIZE=100", "250 2.1.0"),
        ("size=100 body=8bitmime", "250 2.1.0"),
        ("BODY=7BIT", "250 2.1.0"),
        ("AUTH=<>", "250 2.1.0"),
        ("AUTH=ceo@example.com", "250 2.1.0"),
        ("AUTH", "555 5.5.4"),
        ("SIZE", "501 5.5.4"),
        ("SIZE=", "501 5.5.4"),
        ("SIZE=-1", "501 5.5.4"),
        ("SIZE=1e3", "501 5.5.4"),
        ("SIZE=\xb2", "501 5.5.4"),
        ("SIZE=" + "9" * 21, "501 5.5.4"),
        ("SIZE=1 SIZE=1", "501 5.5.4"),
        ("SIZE=1 size=2", "501 5.5.4"),
        ("SIZE=10485761", "552 5.3.4"),
        ("SIZE=10485760", "250 2.1.0"),
        ("SIZE=00000000000000000001", "250 2.1.0"),
        ("BODY=BINARYMIME", "501 5.5.4"),
        ("BODY", "501 5.5.4"),
        ("SMTPUTF8", "555 5.5.4"),
        ("RET=HDRS", "555 5.5.4"),
        ("X=y=z", "501 5.5.4"),
        ("=x", "501 5.5.4"),
        ("SIZE=1  BODY=7BIT", "501 5.5.4"),
        ("SIZE=1\tBODY=7BIT", "500 5.5.2"),
    ],
)
async def test_w20_parameters_are_read_one_by_one(authority, parameters, answer):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        assert (await client.says(f"MAIL FROM:<app1@example.com> {parameters}".encode("latin-1"))).startswith(answer)


@pytest.mark.parametrize("parameter", ["NOTIFY=NEVER", "ORCPT=rfc822;x", "X"])
async def test_w20_a_recipient_has_no_parameters(authority, parameter):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")

        assert (await client.says(f"RCPT TO:<bob@rcpt.example> {parameter}")).startswith("555 5.5.4")


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


SMUGGLED = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r.\n", b"\n.\r", b"\r\n\0.\r\n"]
SMUGGLED += [b"\r\n.\0\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n\r.\r\n", b"\n", b"\r", b"\0", b"\r\r\n"]


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


async def test_w24_what_one_session_says_changes_no_limit_of_another(authority):
    async with stage(authority, PLAIN) as on:
        first, second = await on.authenticated("plain"), await on.authenticated("plain")
        long = "MAIL FROM:<app1@example.com> AUTH=" + "a" * (2046 - 34)
        for _ in range(10):
            await first.says("EHLO again")
        await on.greeted("plain")

        for client in (first, second):
            assert (await client.says(long + "a")).startswith("500 5.5.2")
            assert (await client.says(long)).startswith("250")


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST / HTTP/1.1", "CONNECT a:25 HTTP/1.1", "PUT /x", "get /"])
async def test_w25_a_browser_is_hung_up_on(authority, line):
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()
        await client.send(line.encode() + b"\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<app1@example.com>\r\n")

        assert (await client.reply()).startswith("521 5.5.1")
        assert await client.is_closed()
        assert on.endings == []


async def test_w25_tls_where_none_is_spoken_is_hung_up_on(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()
        await client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")

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


async def test_w27_there_is_no_smtputf8(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        assert "SMTPUTF8" not in await client.says("EHLO x")
        for command in ("MAIL FROM:<ä@example.com>", "MAIL FROM:<a@exämple.com>"):
            assert (await client.says(command.encode())).startswith("553 5.6.7")
        await client.says("MAIL FROM:<app1@example.com>")
        assert (await client.says("RCPT TO:<böb@rcpt.example>".encode())).startswith("553 5.6.7")


def test_w28_a_proxy_header_is_not_read_from_just_anybody():
    proxied = replace(PLAIN, proxy_protocol_from=(ip_network("10.0.0.0/8"),))

    with pytest.raises(ListenerProblem, match="proxy_protocol_from"):
        opened_with(proxied)


async def test_w28_a_proxy_header_is_no_command(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()

        assert (await client.says("PROXY TCP4 1.2.3.4 5.6.7.8 1 25")).startswith("500 5.5.1")
        assert on.of(SessionOpened)[0].client == "127.0.0.1"


async def test_w30_a_connection_costs_no_reflection_and_no_thread(authority, monkeypatch):
    async with stage(authority, PLAIN) as on:

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("aiosmtpd's constructor ran for a connection")

        monkeypatch.setattr(aiosmtpd.smtp.SMTP, "__init__", refuse)
        monkeypatch.setattr(socket, "getfqdn", refuse)
        threads = threading.active_count()
        client = await on.client("plain")

        assert await client.reply() == "220 relay.test ESMTP"
        assert threads == threading.active_count()


async def test_w31_nothing_is_logged_per_line(authority, caplog):
    caplog.set_level(logging.DEBUG)
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        caplog.clear()
        await client.hands_in(MESSAGE + b"x\r\n" * 1000)

        assert caplog.records == []


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("client.test", "client.test"),
        ("[127.0.0.1]", "[127.0.0.1]"),
        ("[IPv6:::1]", "[IPv6:::1]"),
        ("evil) by relay.test; x", "evilbyrelay.testx"),
        ("(){}", "unknown"),
    ],
)
async def test_w32_a_helo_name_is_fit_for_a_received_field(authority, name, kept):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says(f"EHLO {name}")
        await client.hands_in()

        session = on.reception.taken[0][0]
        assert (kept, "ESMTPA", "127.0.0.1", "app1") == (
            session.helo,
            session.protocol,
            session.client,
            session.delegate,
        )


SOURCES = sorted(Path(relay.smtp.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_w33_w34_no_private_part_of_asyncio_and_no_assert_carries_a_check(source):
    text = source.read_text()

    assert not re.search(r"sslproto|_app_transport|_header_value_parser|\._reader\b|\._writer\b|\._buffer", text)
    assert not re.search(r"^\s+assert ", text, re.MULTILINE)


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


def test_every_command_of_aiosmtpd_is_ours():
    """
    A new release that brings a command, or drops one that we override, needs a look.
    """
    theirs = {name for name in vars(aiosmtpd.smtp.SMTP) if name.startswith("smtp_")}

    assert theirs == {f"smtp_{verb}" for verb in COMMANDS}
    assert all(getattr(Dialogue, name) is not getattr(aiosmtpd.smtp.SMTP, name) for name in theirs)


@pytest.mark.parametrize(
    "name",
    ["_handle_client", "_reset_timeout", "_timeout_cb", "connection_lost", "connection_made", "eof_received"],
)
def test_what_we_override_is_still_what_aiosmtpd_calls(name):
    """
    An override that nothing calls any more would leave the library's own behaviour in force.
    """
    assert callable(vars(aiosmtpd.smtp.SMTP)[name])
    assert getattr(Dialogue, name) is not getattr(aiosmtpd.smtp.SMTP, name)


def test_no_attribute_of_ours_shadows_one_of_theirs():
    """
    The library's private names are not used for other things by accident.
    """
    theirs = set(vars(aiosmtpd.smtp.SMTP)) | set(vars(asyncio.StreamReaderProtocol))
    meant = {"_handle_client", "_reset_timeout", "_timeout_cb", "connection_lost", "connection_made", "eof_received"}
    meant |= {"data_received", "pause_writing", "resume_writing"} | {f"smtp_{verb}" for verb in COMMANDS}
    ours = {name for kind in Dialogue.__mro__[:4] for name in vars(kind) if not name.startswith("__")}

    assert ours & theirs <= meant


async def test_every_reply_is_told_by_command_and_code(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.hands_in()
        await client.says("XYZZY")
        await client.says("QUIT")

        assert [event.command for event in on.of(Replied)] == [
            "connect",
            "EHLO",
            "AUTH",
            "MAIL",
            "RCPT",
            "DATA",
            "data-end",
            "other",
            "QUIT",
        ]


async def test_room_is_bounded_for_all_messages_together(authority):
    """
    Past it the client is told to come back, before it sends or after; then there is room again.
    """
    async with stage(authority, PLAIN, inflight_bytes=100 * KIBIBYTE, inflight_seconds=0.1) as on:
        released = asyncio.Event()
        on.reception.before = released.wait
        first, second, third = [await on.authenticated("plain") for _ in range(3)]
        await in_transaction(first)
        await in_transaction(second)
        await first.send(MESSAGE + b"x" * 90 * KIBIBYTE + b"\r\n.\r\n")
        await asyncio.sleep(0.05)
        await second.send(MESSAGE + b"x" * 20 * KIBIBYTE + b"\r\n.\r\n")
        assert (await second.reply()).startswith("452 4.3.1")

        on.door._premises.ledger.used += 10 * KIBIBYTE
        await third.says("MAIL FROM:<app1@example.com>")
        await third.says("RCPT TO:<bob@rcpt.example>")
        assert (await third.says("DATA")).startswith("452 4.3.1")
        on.door._premises.ledger.used -= 10 * KIBIBYTE

        released.set()
        assert (await first.reply()).startswith("250")
        assert on.door._premises.ledger.used == 0
        assert (await second.hands_in()).startswith("250")
        assert [(e.outcome, e.reason) for e in on.of(MessageEnded)][:2] == [(Outcome.DEFERRED, Reason.RATE)] * 2


async def test_a_connection_has_an_end(authority):
    async with stage(authority, PLAIN, connection_seconds=0.2) as on:
        client = await on.authenticated("plain")
        await asyncio.sleep(0.3)

        assert (await client.says("NOOP")).startswith("250")
        assert (await client.reply()).startswith("421 4.4.2")


async def test_a_long_reply_is_folded(authority):
    """
    No line of a reply is longer than RFC 5321 allows, and no word is lost.
    """
    async with stage(authority, PLAIN) as on:
        text = " ".join(f"word{number}" for number in range(300))
        on.reception.early = lambda *_: Ending(Outcome.REJECTED, Reason.POLICY_DENIED, Reply(554, (5, 7, 1), text))
        client = await on.authenticated("plain")

        lines = (await client.says("MAIL FROM:<app1@example.com>")).split(" | ")

        assert len(lines) > 3
        assert all(len(line) <= 510 for line in lines)
        assert text == " ".join(line[10:] for line in lines)
