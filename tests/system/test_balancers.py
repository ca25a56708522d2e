"""Behind real balancers the client is whom they name: in replies' limits, in the log, and in what goes to SES."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from tests.system.balancers import KINDS, LISTENERS, VERSIONS, Balancer, haproxy, stunnel
from tests.system.houses import House
from tests.system.recording_ses import RecordingSes
from tests.system.relays import Client, RunningRelay
from tests.system.rows import PERMITTED, secret_of

pytestmark = pytest.mark.system

MINE = PERMITTED[0]
HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def behind(
    tool: Callable[[str], str], certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningRelay, RecordingSes, Balancer]]:
    """A relay with three listeners that balancers stand before, and haproxy before all of them."""
    program, folder = tool("haproxy"), tmp_path_factory.mktemp("behind")
    with RecordingSes() as ses:
        house = House(folder, certificate, ses=ses.url)
        text = house.settings.read_text()
        head, _, tail = re.sub(r"\[\[listener\]\].*?(?=\n\[tls\])", "", text, flags=re.DOTALL).partition("[tls]\n")
        limits = "\n[limits]\nconnections_per_client = 3\nauth_failures_per_minute = 2\n"
        house.settings.write_text(head + LISTENERS.lstrip() + tail + limits)
        with house.serve() as relay, haproxy(program, folder, relay.addresses["listeners"]) as balancer:
            yield relay, ses, balancer


def logged_in(address: tuple[str, int], kind: str, source: str) -> Client:
    client = Client(address, implicit=kind == "implicit", source=source)
    if kind == "starttls":
        client.start_tls()
    else:
        client.command("EHLO client.test")
    client.log_in(MINE.delegate, secret_of(MINE.delegate))
    return client


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_haproxy_brings_the_client(
    version: str, kind: str, behind: tuple[RunningRelay, RecordingSes, Balancer]
) -> None:
    """In clear, before STARTTLS and before implicit TLS, in both versions."""
    relay, ses, balancer = behind
    source = f"127.0.{list(VERSIONS).index(version)}.{KINDS.index(kind) + 10}"
    with logged_in(balancer.addresses[version, kind], kind, source) as client:
        assert client.hand_over(MINE.mail_from, MINE.recipients, MINE.raw).startswith("250")
    assert f"[{source}]".encode() in ses.taken[-1].head.partition(b"\r\nFrom")[0]
    relay.wait_until(lambda: source in [line["client"] for line in relay.lines("message")], source)


@pytest.mark.parametrize("version", VERSIONS)
def test_haproxys_health_check_finds_the_relay_well(
    version: str, behind: tuple[RunningRelay, RecordingSes, Balancer]
) -> None:
    """It begins with a header that names nobody, and goes as far as EHLO."""
    relay, _, balancer = behind
    before = relay.count("ses_relay_smtp_replies_total", command="EHLO", code="250")
    relay.wait_until(lambda: relay.count("ses_relay_smtp_replies_total", command="EHLO", code="250") > before + 6)
    assert "DOWN" not in balancer.running.text
    assert relay.lines("listener.no-proxy-header") == []


def test_limits_count_the_client_behind_the_balancer(behind: tuple[RunningRelay, RecordingSes, Balancer]) -> None:
    """Its share of connections and its guesses are its own; another client behind the same balancer has others."""
    _, _, balancer = behind
    address = balancer.addresses["v1", "plain"]
    guesser, other = "127.0.9.1", "127.0.9.2"
    clients = [Client(address, source=guesser) for _ in range(3)]
    with closing(Client(address, source=guesser)) as fourth:
        assert fourth.greeting.startswith("421 4.7.0 ")
    for client in clients:
        client.command("EHLO client.test")
    answers = [client.command("AUTH PLAIN AGJpbGxpbmcAd3Jvbmc=")[:3] for client in clients]
    assert answers == ["535", "535", "454"]
    with logged_in(address, "plain", other) as client:
        assert client.hand_over(MINE.mail_from, MINE.recipients, MINE.raw).startswith("250")
    for client in clients:
        client.close()


def test_who_goes_around_the_balancer_is_not_let_in(behind: tuple[RunningRelay, RecordingSes, Balancer]) -> None:
    """From the balancer's own address, without a header: hung up on, and said."""
    relay, _, _ = behind
    before = len(relay.lines("listener.no-proxy-header"))
    with closing(socket.create_connection(relay.smtp, 10)) as client:
        client.sendall(b"EHLO client.test\r\n")
        with suppress(ConnectionResetError):
            assert client.recv(100) == b""
    line = relay.wait_for("listener.no-proxy-header", after=before)
    assert (line["balancer"], line["why"]) == (HERE, "no PROXY header, and one must come first")


def test_stunnel_ends_tls_and_brings_the_client(
    behind: tuple[RunningRelay, RecordingSes, Balancer], tool: Callable[[str], str], certificate, tmp_path
) -> None:
    relay, ses, _ = behind
    with (
        stunnel(tool("stunnel4"), tmp_path, relay.addresses["listeners"][0], certificate) as address,
        logged_in(address, "implicit", "127.0.7.7") as client,
    ):
        assert client.hand_over(MINE.mail_from, MINE.recipients, MINE.raw).startswith("250")
    assert b"[127.0.7.7]" in ses.taken[-1].head.partition(b"\r\nFrom")[0]
    assert b" with ESMTPA " in ses.taken[-1].head  # the TLS of others is not ours to vouch for
