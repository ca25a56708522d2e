"""What a listener lets in: weaknesses W14, W15, W16 and W28 of aiosmtpd, by number."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from relay.observe.events import MessageEnded, SessionOpened
from relay.smtp.door import StreetDoor
from relay.smtp.limits import Limits
from relay.smtp.listeners import Listener, ListenerProblem
from tests.smtp.stage import DEMO, IMPLICIT, PLAIN, STARTTLS, Delegates, Reception, plain, stage


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


async def test_w14_implicit_tls_offers_auth_and_takes_it(authority):
    async with stage(authority, IMPLICIT) as on:
        client = await on.client("implicit")
        await client.reply()

        assert "AUTH PLAIN LOGIN" in await client.says("EHLO client.test")
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("235")
        assert (await client.hands_in()).startswith("250")
        assert on.reception.taken[0][0].protocol == "ESMTPSA"


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


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0"])
def test_w28_a_proxy_header_is_not_read_from_just_anybody(everybody):
    proxied = replace(PLAIN, proxy_protocol_from=(ip_network("10.0.0.0/8"), ip_network(everybody)))

    with pytest.raises(ListenerProblem, match="proxy_protocol_from is everybody"):
        opened_with(proxied)


async def test_w28_a_proxy_header_is_no_command(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.client("plain")
        await client.reply()

        assert (await client.says("PROXY TCP4 1.2.3.4 5.6.7.8 1 25")).startswith("500 5.5.1")
        assert on.of(SessionOpened)[0].client == "127.0.0.1"
