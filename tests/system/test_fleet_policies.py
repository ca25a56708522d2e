"""Relays of a fleet: what one of them reads, hears and counts, all of them know."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.shared.servers import RedisServer
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, plain_response, split
from tests.system.test_owner_and_delegate import hand_over
from tests.system.test_policies_from_ses import Owned, ends, owned

__all__ = ["owned"]
pytestmark = pytest.mark.system

BEHIND = """
[[listener]]
address = "127.0.0.1:0"
tls = "off"
allow_plaintext_auth = true
proxy_protocol_from = ["127.0.0.1"]

[tls]
"""


@pytest.fixture
def redis(tool: Callable[[str], str]) -> Iterator[RedisServer]:
    server = RedisServer(tool("redis-server")).start()
    yield server
    server.close()


def join(house: House, redis: RedisServer) -> None:
    """Let the relay of *house* be one of those at *redis*."""
    house.settings.write_text(f'{house.settings.read_text()}\n[shared]\nurl = "{redis.url}"\n')


def another(owned: Owned, redis: RedisServer, certificate: tuple[Path, Path]) -> House:
    """Another house of the same settings, without a snapshot."""
    house = House(owned.house.folder.with_name("other"), certificate, ses=owned.ses.url)
    text = owned.house.settings.read_text()
    house.settings.write_text("".join(line for line in text.splitlines(True) if not line.startswith("snapshot")))
    return house


def test_one_relay_reads_all_decide_and_another_takes_over(
    owned: Owned, redis: RedisServer, certificate: tuple[Path, Path]
) -> None:
    """A second relay decides at once though SES tells nothing; SIGHUP at it reaches the first; kill -9 is survived."""
    owned.house.edit('refresh_interval = "500ms"\nmax_stale = "4s"', 'refresh_interval = "1h"\nmax_stale = "2h"')
    join(owned.house, redis)
    with ExitStack() as stack:
        first = stack.enter_context(owned.house.serve())
        assert hand_over(first).startswith("250")
        first.wait_for("policies.leading")
        owned.cannot_be_read()
        second = stack.enter_context(another(owned, redis, certificate).serve())
        assert hand_over(second).startswith("250")
        assert second.count("ses_relay_ses_requests_total", operation="GetEmailIdentity") == 0
        assert "ok policies\n" in second.readiness()

        owned.ses.forget_faults()
        owned.forbid()
        second.reload()
        ends(first, "55")
        ends(second, "55")
        assert second.count("ses_relay_ses_requests_total", operation="GetEmailIdentity") == 0

        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        second.wait_for("policies.leading")
        owned.let()
        second.reload()
        ends(second, "250")


def test_guesses_at_one_relay_are_guesses_at_all(
    redis: RedisServer, tmp_path: Path, certificate: tuple[Path, Path], ses: EmbeddedSes
) -> None:
    """Three wrong passwords from one address, spread over two relays, use up what it has in a minute at both."""
    with ExitStack() as stack:
        relays = []
        for name in ("one", "other"):
            house = House(tmp_path / name, certificate, ses=ses.url)
            house.edit("[tls]\n", BEHIND)
            text = house.settings.read_text()
            house.settings.write_text(f"{text}\n[limits]\nauth_failures_per_minute = 3\n")
            join(house, redis)
            relays.append(stack.enter_context(house.serve()))
        replies = [guess(relays[number % 2], "192.0.2.7") for number in range(3)]
        assert [reply[:3] for reply in replies] == [b"535"] * 3
        for relay in relays:
            relay.wait_until(partial(is_throttled, relay), "454")
            assert guess(relay, "192.0.2.8", "demo-billing-secret")[:3] == b"235"


def is_throttled(relay: RunningRelay) -> bool:
    return guess(relay, "192.0.2.7", "demo-billing-secret").startswith(b"454")


def guess(relay: RunningRelay, address: str, password: str = "wrong") -> bytes:
    """Try a password for billing, as a client whom a balancer brings; return the reply."""
    with socket.create_connection(split(relay.addresses["listeners"][1]), 15) as wire:
        file = wire.makefile("rb")
        wire.sendall(f"PROXY TCP4 {address} 127.0.0.1 40000 25\r\n".encode())
        assert file.readline().startswith(b"220")
        wire.sendall(b"EHLO client.test\r\n")
        while file.readline()[3:4] == b"-":
            pass
        wire.sendall(f"AUTH PLAIN {plain_response('billing', password)}\r\n".encode())
        return file.readline()
