"""The PROXY protocol: read from named balancers only, and then the client that they name is the client (W28)."""

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from relay.observe.events import Noted, SessionOpened
from relay.smtp.proxy import LONGEST, UNNAMED, Header, ProxyProblem, _crc32c, read_header
from tests.smtp import headers
from tests.smtp.headers import AUTHORITY, CHECKSUM, TCP4, TCP6, UDP4, UNIX, binary, framed, line, part, summed
from tests.smtp.stage import IMPLICIT, PLAIN, QUICK, STARTTLS, TRUSTED, Client, Stage, plain, stage

LOOPBACK = (ip_network("127.0.0.1"),)
BEHIND = [replace(each, proxy_protocol_from=LOOPBACK) for each in (PLAIN, STARTTLS, IMPLICIT)]
ELSEWHERE = (ip_network("198.51.100.0/24"),)
V4, V6 = "203.0.113.7", "2001:db8:1:2::7"


# The header


@pytest.mark.parametrize(
    ("octets", "client"),
    [
        (line(V4), V4),
        (line(V6), V6),
        (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 1 25\r\n", V4),
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 0 65535\r\n", V4),
        (b"PROXY UNKNOWN\r\n", str(UNNAMED)),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", str(UNNAMED)),
        (binary(V4), V4),
        (binary(V6), V6),
        (binary("::ffff:203.0.113.7"), V4),
        (binary(V4, rest=part(AUTHORITY, b"relay.example") + part(0xEA, b"\x01vpce-1")), V4),
        (summed(V4), V4),
        (summed(V6), V6),
        (binary(V4, command=0), None),
        (binary(command=0), None),
        (binary(command=0, rest=b"whatever it says"), None),
        (binary(command=0, family=0xFF), None),
        (binary(), str(UNNAMED)),
        (binary(rest=b"anything"), str(UNNAMED)),
        (framed(1, UNIX, bytes(216)), str(UNNAMED)),
    ],
)
def test_a_header_names_the_client_and_ends_where_it_says(octets, client):
    """
    Whatever follows is not part of it, and no part of it is a header.
    """
    expected = Header(len(octets), None if client is None else ip_address(client))

    assert read_header(octets) == expected
    assert read_header(octets + b"EHLO x\r\n\r\n") == expected
    assert [read_header(octets[:end]) for end in range(len(octets))] == [None] * len(octets)


WRONG = {
    "no header at all": b"EHLO client.test\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01",
    "lower case": b"proxy TCP4 203.0.113.7 192.0.2.1 1 25\r\n",
    "another protocol": b"PROXY UDP4 203.0.113.7 192.0.2.1 1 25\r\n",
    "a bare LF": b"PROXY TCP4 203.0.113.7 192.0.2.1 1 25\n",
    "two blanks": b"PROXY TCP4  203.0.113.7 192.0.2.1 1 25\r\n",
    "a blank at the end": b"PROXY TCP4 203.0.113.7 192.0.2.1 1 25 \r\n",
    "a NUL": b"PROXY TCP4 203.0.113.7\0 192.0.2.1 1 25\r\n",
    "no ports": b"PROXY TCP4 203.0.113.7 192.0.2.1\r\n",
    "a leading zero": b"PROXY TCP4 203.0.113.07 192.0.2.1 1 25\r\n",
    "three parts": b"PROXY TCP4 203.0.113 192.0.2.1 1 25\r\n",
    "the other family": b"PROXY TCP4 2001:db8::1 2001:db8::2 1 25\r\n",
    "the other family, 6": b"PROXY TCP6 203.0.113.7 192.0.2.1 1 25\r\n",
    "a scope": b"PROXY TCP6 fe80::1%eth0 ::1 1 25\r\n",
    "a wrong destination": b"PROXY TCP4 203.0.113.7 192.0.2.256 1 25\r\n",
    "a port too great": b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 25\r\n",
    "a port with a zero": b"PROXY TCP4 203.0.113.7 192.0.2.1 01 25\r\n",
    "a name": b"PROXY TCP4 localhost 192.0.2.1 1 25\r\n",
    "a line without end": b"PROXY TCP4 " + b"1" * 96,
    "an UNKNOWN without end": b"PROXY UNKNOWN " + b"x" * 93,
    "a broken signature": b"\r\n\r\n\0\r\nQUIT\r\n",
    "version 1 in binary": headers.SIGNATURE + bytes([0x11, TCP4, 0, 12]) + bytes(12),
    "version 3": headers.SIGNATURE + bytes([0x31, TCP4, 0, 12]) + bytes(12),
    "an unknown command": framed(2, TCP4, bytes(12)),
    "datagrams": framed(1, UDP4, bytes(12)),
    "an unknown family": framed(1, 0x41, bytes(12)),
    "addresses cut short": framed(1, TCP4, bytes(11)),
    "addresses of IPv6 cut short": framed(1, TCP6, bytes(35)),
    "addresses of AF_UNIX cut short": framed(1, UNIX, bytes(215)),
    "too much": framed(1, TCP4, bytes(LONGEST)),
    "a part longer than the header": binary(V4, rest=b"\x02\x00\x05abc"),
    "a part cut in its length": binary(V4, rest=b"\x02\x00"),
    "a wrong checksum": summed(V4, wrong=True),
    "a short checksum": binary(V4, rest=part(CHECKSUM, bytes(3))),
}


@pytest.mark.parametrize("octets", WRONG.values(), ids=WRONG)
def test_what_is_no_header_is_refused(octets):
    with pytest.raises(ProxyProblem):
        read_header(octets)


@given(st.binary(max_size=64).map(lambda octets: b"PROXY " + octets) | st.binary(max_size=300))
def test_whatever_comes_is_a_header_a_beginning_or_refused(octets):
    """
    Nothing else happens, a header is never longer than what came, and what is no beginning never becomes one.
    """
    with suppress(ProxyProblem):
        header = read_header(octets)
        assert header is None or header.length <= len(octets)
        if header is not None:
            assert all(read_header(octets[:end]) is None for end in range(header.length))


@given(st.ip_addresses(), st.integers(0, 2), st.binary(max_size=20))
def test_both_versions_say_the_same(address, number, behind):
    headed = [line(str(address)), binary(str(address)), summed(str(address))][number]
    named = getattr(address, "ipv4_mapped", None) or address

    assert read_header(headed + behind) == Header(len(headed), named)


def test_the_checksum_is_crc32c():
    """
    RFC 3720, appendix B.4: the sum of 32 octets of zeros, of ones, and of digits.
    """
    assert [_crc32c(bytes(32)), _crc32c(b"\xff" * 32)] == [0x8A9136AA, 0x62A8AB43]
    assert _crc32c(b"123456789") == 0xE3069283


# The door


async def brought(on: Stage, listener: str, header: bytes, tls: ssl.SSLContext | None = None) -> Client:
    """A client whose balancer has sent *header*, and who is under TLS where the listener begins with it."""
    client = await Client.connect(*on.door.addresses[listener][0])
    on.clients.append(client)
    await client.send(header)
    if listener == "implicit" and tls is not None:
        await client.start_tls(tls)
    return client


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("listener", ["plain", "starttls", "implicit"])
@pytest.mark.parametrize("header", [line(V4), binary(V6), summed(V4)], ids=["v1", "v2", "v2-sum"])
def test_w28_the_client_is_whom_the_balancer_names(loop, listener, header, authority):
    """
    In front of TLS too, on both event loops: who is asked for a password, what is recorded, what goes out.
    """

    async def body() -> None:
        async with stage(authority, *BEHIND) as on:
            client = await brought(on, listener, header, on.tls)
            assert (await client.reply()).startswith("220")
            assert (await client.says("EHLO client.test")).startswith("250")
            if listener == "starttls":
                await client.says("STARTTLS")
                await client.start_tls(on.tls)
                await client.says("EHLO client.test")
            assert (await client.says(plain("app1", "s3cret-app1"))).startswith("235")
            assert (await client.hands_in()).startswith("250")
            named = V6 if header == binary(V6) else V4
            assert on.reception.taken[0][0].client == named
            assert [event.client for event in on.of(SessionOpened)] == [named]

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(body())


@pytest.mark.parametrize("listener", ["plain", "implicit"])
@pytest.mark.parametrize("header", [line(V4), summed(V6)], ids=["v1", "v2"])
async def test_a_header_may_come_octet_by_octet(listener, header, authority):
    async with stage(authority, *BEHIND) as on:
        client = await brought(on, listener, b"")
        for octet in header:
            await client.send(bytes([octet]))
            await asyncio.sleep(0)
        if listener == "implicit":
            await client.start_tls(on.tls)

        assert (await client.reply()).startswith("220")
        assert (await client.says("NOOP")).startswith("250")


async def test_what_comes_behind_the_header_is_the_clients(authority):
    """
    In the same segment: not an octet of it is lost, nor read as another header.
    """
    async with stage(authority, *BEHIND) as on:
        client = await brought(on, "plain", binary(V4) + b"EHLO client.test\r\nPROXY UNKNOWN\r\n")

        assert [(await client.reply())[:3] for _ in range(3)] == ["220", "250", "500"]


@pytest.mark.parametrize("octets", WRONG.values(), ids=WRONG)
async def test_a_balancer_without_a_header_is_hung_up_on(octets, authority):
    """
    Without a word, and the log says who and why; what it sent is not repeated.
    """
    async with stage(authority, *BEHIND) as on:
        client = await brought(on, "plain", octets)

        assert await client.is_closed()
        (noted,) = on.of(Noted)
        assert (noted.level, noted.event) == ("warning", "listener.no-proxy-header")
        assert noted.details["balancer"] == "127.0.0.1"
        assert on.of(SessionOpened) == []
        await on.settled()


@pytest.mark.parametrize("begun", [b"", b"PROX", binary(V4)[:20]])
async def test_a_header_has_its_time(begun, authority):
    async with stage(authority, *BEHIND, proxy_header_seconds=0.1) as on:
        client = await brought(on, "implicit", begun)

        assert await client.is_closed()
        assert "within 0.1 s" in on.of(Noted)[0].details["why"]


async def test_a_balancer_that_only_looks_is_no_trouble(authority):
    """
    A health check connects and hangs up, again and again.
    """
    async with stage(authority, *BEHIND) as on:
        for _ in range(3):
            await (await brought(on, "plain", b"")).close()
        await asyncio.sleep(0.05)
        await on.settled()

        assert on.events == []


@pytest.mark.parametrize("header", [binary(command=0), binary(V4, command=0)])
async def test_the_balancers_own_connection_is_its_own(header, authority):
    async with stage(authority, *BEHIND) as on:
        client = await brought(on, "plain", header)

        assert (await client.reply()).startswith("220")
        assert on.of(SessionOpened)[0].client == "127.0.0.1"


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", binary(), framed(1, UNIX, bytes(216))])
async def test_whom_the_balancer_cannot_name_has_no_address(header, authority):
    """
    It is greeted, for so do health checks begin; the balancer's own address vouches for nothing.
    """
    async with stage(authority, *BEHIND) as on:
        client = await brought(on, "plain", header)

        assert (await client.reply()).startswith("220")
        assert on.of(SessionOpened)[0].client == "0.0.0.0"


@pytest.mark.parametrize("header", [line(V4), binary(V4)])
async def test_w28_from_nobody_else_is_a_header_read(header, authority):
    """
    In clear it is no command, before TLS it is no handshake: nobody chooses an address.
    """
    listeners = [replace(each, proxy_protocol_from=ELSEWHERE) for each in (PLAIN, IMPLICIT)]
    async with stage(authority, *listeners) as on:
        client = await brought(on, "plain", header)
        assert (await client.reply()).startswith("220")
        assert (await client.reply()).startswith("500 5.5")
        assert {event.client for event in on.of(SessionOpened)} == {"127.0.0.1"}

        client = await brought(on, "implicit", header)
        assert b"220" not in await client.reader.read()


async def test_w28_every_limit_counts_the_client_and_not_the_balancer(authority):
    """
    One client has its share of connections and of guesses; its neighbours behind the same balancer have theirs.
    """
    limits = replace(QUICK, connections_per_client=2, auth_failures_per_minute=2, auth_failures=9)
    async with stage(authority, *BEHIND, limits=limits) as on:

        async def of(address: str) -> Client:
            client = await brought(on, "plain", line(address))
            await client.reply()
            await client.says("EHLO client.test")
            return client

        first = await of(V6)
        second = await of("2001:db8:1:2:ffff::1")  # of the same /64
        third = await brought(on, "plain", line(V6))
        assert (await third.reply()).startswith("421 4.7.0")
        assert await third.is_closed()

        answers = [await each.says(plain("app1", "wrong")) for each in (first, second, first)]
        assert [answer[:3] for answer in answers] == ["535", "535", "454"]
        assert (await second.says(plain("app1", "wrong"))).startswith("454")
        other = await of(V4)
        assert (await other.says(plain("app1", "s3cret-app1"))).startswith("235")


async def test_w28_networks_are_those_of_the_client(authority):
    """
    A delegate that is trusted by network is not whoever comes through the balancer.
    """
    async with stage(authority, replace(TRUSTED, proxy_protocol_from=LOOPBACK)) as on:
        asked = []
        on.delegates.by_network = lambda client: asked.append(str(client))  # type: ignore[method-assign]
        for header in (line(V4), binary(V6), b"PROXY UNKNOWN\r\n"):
            await (await brought(on, "trusted", header)).reply()

        assert asked == [V4, V6, "0.0.0.0"]


async def test_w7_who_has_not_said_whom_it_brings_counts_among_all(authority):
    """
    Otherwise a balancer's clients could open sockets without end by sending nothing.
    """
    async with stage(authority, *BEHIND, connections=2, connections_per_client=1) as on:
        waiting = [await brought(on, "plain", b"") for _ in range(2)]
        await asyncio.sleep(0.05)
        third = await brought(on, "plain", line(V4))

        assert (await third.reply()).startswith("421 4.3.2")
        assert await third.is_closed()
        for each in waiting:
            await each.close()
        await on.settled()
        assert on.door._premises.crowd.total == 0


async def test_w29_a_drain_does_not_wait_for_headers(authority):
    async with stage(authority, *BEHIND, proxy_header_seconds=60) as on:
        client = await brought(on, "plain", b"PROXY TCP4 ")
        await asyncio.sleep(0.05)

        assert await on.door.drain(2)
        assert (await client.reply()).startswith("421 4.3.2")
        assert await client.is_closed()


async def test_w29_a_drain_does_not_wait_for_handshakes(authority):
    """
    Neither for those on connecting nor for those after STARTTLS.
    """
    async with stage(authority, IMPLICIT, STARTTLS, tls_handshake_seconds=60) as on:
        mute = socket.create_connection(on.door.addresses["implicit"][0])
        client = await on.greeted("starttls")
        assert (await client.says("STARTTLS")).startswith("220")

        with mute:
            assert await on.door.drain(0.1)
        assert await client.is_closed()
