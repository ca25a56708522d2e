"""TLS, after STARTTLS and from the first octet, on both event loops: by real handshakes of real clients."""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.message import EmailMessage
from typing import cast

import pytest
import trustme
import uvloop

from relay.observe.events import SessionClosed
from relay.smtp.connection import Connection
from relay.smtp.tls import server_context
from tests.smtp.stage import DEMO, IMPLICIT, KIBIBYTE, MESSAGE, PLAIN, STARTTLS, Client, Stage, stage

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Run = Callable[[Awaitable[None]], None]


@pytest.fixture(params=LOOPS)
def run(request):
    """Run a coroutine on one of the loops."""

    def on_loop(body):
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(body)

    return on_loop


@pytest.mark.parametrize("listener", ["plain", "starttls", "implicit"])
def test_a_dialogue_is_the_same_on_every_loop_and_listener(run, authority, listener):
    """
    Also when every octet comes alone, and when a message comes in one piece of a megabyte.
    """

    async def body() -> None:
        async with stage(authority) as on:
            client = await on.authenticated(listener)
            await client.trickle(b"MAIL FROM:<app1@example.com>\r\nRCPT TO:<bob@rcpt.example>\r\nDATA\r\n", lambda: 1)
            assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
            await client.trickle(MESSAGE + b".\r\n", lambda: 1)
            assert (await client.reply()).startswith("250")
            big = MESSAGE + (b"x" * 76 + b"\r\n") * 13_000
            assert (await client.hands_in(big)).startswith("250")
            assert (await client.says("QUIT")).startswith("221")
            assert await client.is_closed()
            await client.close()
            await on.settled()

            assert on.reception.raws == [MESSAGE, big]
            assert [event.why for event in on.of(SessionClosed)] == ["quit"]

    run(body())


def sent_by_smtplib(on: Stage, listener: str) -> dict[str, tuple[int, bytes]]:
    host, port = on.door.addresses[listener][0]
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "app1@example.com", "bob@rcpt.example", "Grüße"
    message.set_content("Schöne Grüße\n.\n..\n")
    if listener == "implicit":
        client: smtplib.SMTP = smtplib.SMTP_SSL(host, port, context=on.tls, timeout=10)
    else:
        client = smtplib.SMTP(host, port, timeout=10)
    with client:
        if listener == "starttls":
            client.starttls(context=on.tls)
        client.login("app1", "s3cret-app1")
        return client.send_message(message)


@pytest.mark.parametrize("listener", ["plain", "starttls", "implicit"])
def test_smtplib_sends(run, authority, listener):
    """
    Python's own client, from login to QUIT; what it stuffed comes out as it was.
    """

    async def body() -> None:
        async with stage(authority) as on:
            assert await asyncio.to_thread(sent_by_smtplib, on, listener) == {}
            (raw,) = on.reception.raws
            assert raw.endswith(b"\r\n.\r\n..\r\n")

    run(body())


def test_starttls_with_octets_behind_it_is_refused(run, authority):
    """
    What was injected in clear is never obeyed, neither before nor after the handshake (CVE-2024-34083).
    """

    async def body() -> None:
        async with stage(authority, STARTTLS) as on:
            client = await on.greeted()
            await client.send(b"STARTTLS\r\nEHLO injected\r\nMAIL FROM:<app1@example.com>\r\n")

            assert (await client.reply()).startswith("554 5.5.1")
            assert await client.is_closed()
            assert on.endings == []

    run(body())


@pytest.mark.parametrize("turns", range(4))
def test_what_comes_behind_starttls_in_a_segment_of_its_own_is_not_obeyed(run, authority, turns):
    """
    Whether it comes before the door has turned to TLS or after: it is no command then, and no beginning of a handshake.
    """

    async def body() -> None:
        async with stage(authority, STARTTLS) as on:
            client = await on.greeted()
            await client.send(b"STARTTLS\r\n")
            for _ in range(turns):
                await asyncio.sleep(0)
            await client.send(b"EHLO injected\r\nMAIL FROM:<app1@example.com>\r\n")
            with suppress(OSError):  # reset, for the rest was not read
                heard = await client.reader.read()
                assert heard.startswith((b"220", b"554")) or not heard
                assert heard.count(b"\r\n") <= 1
            await client.close()
            await on.settled()
            assert on.replies["EHLO", 250] == 1
            assert on.endings == []

    run(body())


@pytest.mark.parametrize("listener", ["plain", "implicit"])
def test_who_reads_no_reply_is_cut_and_little_is_held_for_it(run, authority, listener):
    """
    No more of what it says than one read brings, and of what we say not much either.
    """

    def asks(address: tuple[str, int]) -> None:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(address)
        with (
            deaf if listener == "plain" else authority.client.wrap_socket(deaf, server_hostname="relay.test") as client
        ):
            client.settimeout(20)
            with suppress(OSError):
                while True:
                    client.send(b"HELP\r\n" * 1000)

    async def body() -> None:
        async with stage(authority, junk_commands=10**9, reply_seconds=0.5) as on:
            held = [0]
            asking = asyncio.create_task(asyncio.to_thread(asks, on.door.addresses[listener][0]))
            while not asking.done():
                await asyncio.wait([asking], timeout=0.01)
                for visitor in cast("set[Connection]", on.door._premises.visitors):
                    said = visitor.transport.get_write_buffer_size() if visitor.transport else 0
                    held.append(len(visitor._inflow.pending) + said)
            await asking
            await on.settled()
            assert on.of(SessionClosed)[0].why == "gone"
            assert 0 < max(held) < 400 * KIBIBYTE

    run(body())


@pytest.mark.parametrize("listener", ["starttls", "implicit"])
def test_what_is_no_tls_ends_the_connection(run, authority, listener):
    async def body() -> None:
        async with stage(authority) as on:
            if listener == "starttls":
                client = await on.greeted()
                await client.says("STARTTLS")
            else:
                client = await Client.connect(*on.door.addresses["implicit"][0])
            await client.send(b"not tls\r\n" * 20)
            await client.reader.read()
            await client.close()
            await asyncio.wait_for(on.settled(), 5)
            assert on.door._premises.crowd.total == 0

    run(body())


@pytest.mark.parametrize("listener", ["starttls", "implicit"])
def test_a_handshake_has_a_deadline(run, authority, listener):
    async def body() -> None:
        async with stage(authority, tls_handshake_seconds=0.2) as on:
            if listener == "starttls":
                client = await on.greeted()
                await client.says("STARTTLS")
            else:
                client = await Client.connect(*on.door.addresses["implicit"][0])
            assert b"220" not in await client.reader.read()
            await client.close()
            await asyncio.wait_for(on.settled(), 5)

    run(body())


def test_who_never_ends_tls_after_quit_is_cut(run, authority):
    """
    A closing TLS connection waits for the other side's end, which a client need not send.
    """

    def quits(address: tuple[str, int]) -> ssl.SSLSocket:
        secured: ssl.SSLSocket = authority.client.wrap_socket(
            socket.create_connection(address), server_hostname="relay.test"
        )
        secured.recv(1000)
        secured.sendall(b"QUIT\r\n")
        assert secured.recv(1000).startswith(b"221")
        return secured

    async def body() -> None:
        async with stage(authority, linger_seconds=0.2) as on:
            silent = await asyncio.to_thread(quits, on.door.addresses["implicit"][0])
            with silent:
                await asyncio.wait_for(on.settled(), 5)
                assert [event.why for event in on.of(SessionClosed)] == ["quit"]

    run(body())


def test_after_starttls_nothing_said_before_holds(run, authority):
    """
    Neither the name nor the authentication (RFC 3207 section 4.2).
    """

    async def body() -> None:
        async with stage(authority, DEMO) as on:
            client = await on.authenticated("demo")
            assert (await client.says("STARTTLS")).startswith("220")
            await client.start_tls(on.tls)

            assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("503 5.5.1")
            assert "STARTTLS" not in await client.says("EHLO client.test")
            assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("530 5.7.0")

    run(body())


def test_a_new_certificate_serves_new_connections(run, authority, tmp_path):
    """
    Sessions that run keep theirs.
    """

    async def body() -> None:
        other = trustme.CA()
        issued = other.issue_cert("relay.test")
        issued.private_key_pem.write_to_path(tmp_path / "key.pem")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        trusting = ssl.create_default_context()
        other.configure_trust(trusting)
        async with stage(authority, IMPLICIT) as on:
            before = await on.authenticated("implicit")
            on.door.renew(tls_context=server_context(tmp_path / "cert.pem", tmp_path / "key.pem"))

            host, port = on.door.addresses["implicit"][0]
            after = await Client.connect(host, port, trusting)
            assert (await after.reply()).startswith("220")
            assert (await before.hands_in()).startswith("250")
            await after.close()

    run(body())


def test_the_context_takes_no_old_version_no_renegotiation_and_no_compression(authority):
    context = authority.server

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert all(cipher["aead"] for cipher in context.get_ciphers())


def test_a_client_authority_is_asked_for_but_not_demanded(authority):
    context = server_context(authority.certificate, authority.key, client_ca=authority.certificate)

    assert context.verify_mode is ssl.CERT_OPTIONAL


async def test_tls_off_offers_no_starttls(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")

        assert (await client.says("STARTTLS")).startswith("502 5.5.1")
