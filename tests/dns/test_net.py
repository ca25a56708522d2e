"""Questions to real servers: what each of them says, who they are, and what it is called when they say nothing."""

import asyncio
from collections.abc import Iterable

import pytest

from relay.dns.answers import Absent, Answer, Fault, Found, Referral, Trouble
from relay.dns.exchange import ask
from relay.dns.names import NameProblem, ascii_name
from relay.dns.servers import Server, read_server, system_servers
from relay.dns.zones import Sight, Zone
from tests.dns.lab import A6, NOBODY, SLOW, A, B
from tests.dns.sites import FEEDBACK, KEY, SPF, TOKEN

pytestmark = pytest.mark.system


def of_address(sights: Iterable[Sight], address: str) -> Answer:
    return next(sight.answer for sight in sights if sight.server.address == address)


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("t2._domainkey.good.test", "CNAME", {"t2.dkim.amazonses.com"}),
        ("own._domainkey.good.test", "TXT", {f"v=DKIM1; k=rsa; p={KEY}"}),
        ("bounce.good.test", "MX", {f"10 {FEEDBACK.rstrip('.')}"}),
        ("bounce.good.test", "TXT", {SPF, "something else"}),
        ("null.test", "MX", {"0 ."}),
        ("good.test", "NS", {"ns-a.lab.test", "ns-b.lab.test"}),
        ("ns-a.lab.test", "AAAA", {"::1"}),
    ],
)
async def test_what_is_there_is_told_alike_by_all(lab, name, kind, values):
    sights = await lab.net().sights(name, kind)

    assert [sight.server.address for sight in sights] == [A, A6, B, A]
    assert [sight.is_authoritative for sight in sights] == [True, True, True, False]
    assert all(isinstance(sight.answer, Found) and set(sight.answer.values) == values for sight in sights)


async def test_no_such_name_and_no_such_record_are_two_things(lab):
    net = lab.net()

    for sight in await net.sights("nothing-here.good.test", "TXT"):
        assert isinstance(sight.answer, Absent)
        assert not sight.answer.name_exists
    for sight in await net.sights("bounce.good.test", "CNAME"):
        assert isinstance(sight.answer, Absent)
        assert (sight.answer.name_exists, sight.answer.zone) == (True, "good.test")


async def test_negative_answers_are_believed_as_long_as_the_soa_says(lab):
    """Its MINIMUM is seven seconds (RFC 2308 section 5)."""
    [first, *_] = await lab.net().sights("nothing-here.good.test", "TXT")

    assert first.answer == Absent(name_exists=False, ttl=7, zone="good.test")


async def test_an_answer_too_long_for_udp_comes_by_tcp(lab):
    for sight in await lab.net().sights("big.test", "TXT"):
        assert isinstance(sight.answer, Found)
        assert len(sight.answer.values) == 20


async def test_servers_that_disagree_are_each_heard(lab):
    sights = await lab.net().sights("x.split.test", "TXT")

    assert of_address(sights, A6) == Found((TOKEN,), 60)
    assert of_address(sights, B) == Found(("old",), 3600)


async def test_lame_servers_are_named(lab):
    """One refuses, one has never heard of it and passes on, at one address is nobody."""
    sights = await lab.net().sights("x.lame.test", "TXT")

    assert of_address(sights, B) == Found((TOKEN,), 60)
    refused, silent = of_address(sights, A6), of_address(sights, NOBODY)
    assert isinstance(refused, Trouble)
    assert refused.fault is Fault.REFUSED
    assert isinstance(silent, Trouble)
    assert silent.fault is Fault.UNREACHABLE
    assert [str(sight.server) for sight in sights if sight.server.address == NOBODY] == [
        f"ns-nobody.lab.test ({NOBODY}:{lab.port})"
    ]


async def test_a_zone_that_nobody_serves_is_found_by_its_delegation(lab):
    """Resolvers know nothing of it; the parent's servers say whom they pass on to."""
    zone = await lab.net().zone_of("x.gone.test")

    assert zone == Zone("gone.test", (Server(NOBODY, lab.port, "ns-nobody.lab.test"),))


async def test_a_server_asked_for_what_it_does_not_serve_passes_on(lab):
    answer = await ask(Server(B, lab.port), "x.gone.test", "TXT", recursive=False, seconds=2)

    assert isinstance(answer, Referral)
    assert (answer.zone, answer.hosts) == ("gone.test", ("ns-nobody.lab.test",))
    assert answer.addresses == {"ns-nobody.lab.test": (NOBODY,)}


async def test_servfail_of_a_broken_zone(lab):
    sights = await lab.net().sights("x.broken.test", "TXT")

    assert {sight.answer.fault for sight in sights if isinstance(sight.answer, Trouble)} == {Fault.SERVFAIL}
    assert len(sights) == 3


async def test_servfail_by_dnssec_is_told_from_others(lab):
    """The zone answers; a resolver that validates lets none of it through."""
    *own, resolver = await lab.net().sights("x.bogus.test", "TXT")

    assert all(isinstance(sight.answer, Found) for sight in own)
    assert isinstance(resolver.answer, Trouble)
    assert resolver.answer.fault is Fault.BOGUS
    assert "dnssec bogus" in resolver.answer.why


async def test_a_slow_server_is_waited_for_as_long_as_was_said(lab):
    hurried = await ask(Server(SLOW, lab.port), "x.slow.test", "TXT", recursive=False, seconds=0.1)

    assert of_address(await lab.net().sights("x.slow.test", "TXT"), SLOW) == Found((TOKEN,), 60)
    assert hurried == Trouble(Fault.SILENT, "no answer within 0.1 s")


async def test_a_name_in_a_zone_of_its_own_is_asked_of_its_own_servers(lab):
    net = lab.net()

    assert {sight.server.address for sight in await net.sights("mail.deep.test", "MX")} == {B, A}
    assert (await net.zone_of("t1._domainkey.deep.test")).apex == "deep.test"


async def test_an_alias_is_told_with_where_it_leads(lab):
    sights = await lab.net().sights("_dmarc.alias.test", "TXT")

    resolved = sights[-1].answer
    assert isinstance(resolved, Found)
    assert (resolved.aliases, resolved.values) == (("_dmarc.good.test",), ("v=DMARC1; p=reject; aspf=s",))


async def test_a_server_that_does_not_look_further_is_no_resolver(lab):
    answer = await ask(Server(A, lab.port), "example.org", "A", recursive=True, seconds=2)

    assert isinstance(answer, Trouble)


async def test_what_is_no_answer_is_passed_over():
    """Datagrams that cannot be read, and answers to other questions, are not for us (RFC 5452)."""

    class Liar(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, client):
            for forged in (b"", b"\xff" * 40, bytes([data[0] ^ 1]) + data[1:]):
                self.transport.sendto(forged, client)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Liar, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    answer = await ask(Server("127.0.0.1", port), "good.test", "A", recursive=True, seconds=0.2)
    transport.close()

    assert answer == Trouble(Fault.SILENT, "no answer within 0.2 s")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("BÜCHER.test", "xn--bcher-kva.test"),
        ("_dmarc.bücher.test", "_dmarc.xn--bcher-kva.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
    ],
)
def test_names_in_any_script_are_asked_in_a_labels(text, name):
    assert ascii_name(text) == name


@pytest.mark.parametrize("text", ["", "a..b", f"{'a' * 64}.test", f"{'a.' * 130}test", "\u2028.test"])
def test_what_is_no_name_is_a_problem(text):
    with pytest.raises(NameProblem):
        ascii_name(text)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", Server("192.0.2.53")),
        ("192.0.2.53:5353", Server("192.0.2.53", 5353)),
        ("2001:db8::53", Server("2001:db8::53")),
        ("[2001:db8::53]", Server("2001:db8::53")),
        ("[2001:DB8::53]:5353", Server("2001:db8::53", 5353)),
    ],
)
def test_servers_are_read(text, server):
    assert read_server(text) == server


@pytest.mark.parametrize(
    "text", ["", "dns.example.com", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:65536", "[::1", "[::1]x", "::1]:53"]
)
def test_what_is_no_server_is_refused(text):
    with pytest.raises(ValueError, match="is no name server"):
        read_server(text)


def test_the_systems_servers_are_those_of_resolv_conf(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# nameserver 192.0.2.1\nsearch example.com\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver x\n"
    )

    assert [str(server) for server in system_servers(path)] == ["192.0.2.53", "fe80::1%eth0"]
    assert system_servers(tmp_path / "none") == (Server("127.0.0.1"),)
