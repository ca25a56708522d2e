"""Relays of workers that share a Redis: what clients and delegates may is theirs at all workers of all relays."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.shared.conftest import own_server, redis_program
from tests.shared.servers import RedisServer
from tests.shared.spools import DURABLE
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, split
from tests.workers.staff import MINE, send, with_workers

__all__ = ["own_server", "redis_program"]

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

MOST = 6
TABLES = f"""
[[listener]]
address = "127.0.0.2:0"
proxy_protocol_from = ["127.0.0.1"]

[limits]
connections_per_client = {MOST}

[shared]
url = "%s"
"""


def connect(relay: RunningRelay) -> tuple[socket.socket, str]:
    """Come by the balancer's listener, which is the last one, as a client that is the same at every relay."""
    client = socket.create_connection(split(relay.addresses["listeners"][-1]), 15)
    client.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 25\r\n")
    return client, client.recv(200)[:3].decode()


def test_relays_of_workers_are_one_relay(
    own_server: Callable[..., RedisServer], make_house: Callable[[str], House], ses: EmbeddedSes
) -> None:
    """
    Messages lie in the Redis and are sent, a day's limit holds at both, and connections to one count at the other.
    """
    server = own_server(DURABLE)
    with ExitStack() as stack:
        relays = []
        for name in ("one", "other"):
            house = with_workers(make_house(name)).keep("spool", url=server.url)
            house.edit(f'name = "{MINE.delegate}"', f'name = "{MINE.delegate}"\ndaily_recipients = 6')
            house.settings.write_text(f"{house.settings.read_text()}\n{TABLES % server.url}")
            relays.append(stack.enter_context(house.serve()))
        one, other = relays

        assert [send(relay)[:3] for relay in (one, other) * 4] == ["250"] * 8
        one.wait_until(lambda: len(ses.messages()) == 6, "the day's recipients at SES")

        mine = [connect(one) for _ in range(MOST)]
        assert {greeting for _, greeting in mine} == {"220"}
        other.wait_until(lambda: refuses(other), "the other relay's count")
        for client, _ in mine:
            client.close()
        other.wait_until(lambda: not refuses(other), "the end of that")
        assert len(ses.messages()) == 6


def refuses(relay: RunningRelay) -> bool:
    client, greeting = connect(relay)
    client.close()
    return greeting == "421"


@pytest.fixture
def make_house(tmp_path: Path, certificate: tuple[Path, Path], ses: EmbeddedSes) -> Callable[[str], House]:
    """Makes houses of a fleet, by name."""
    return lambda name: House(tmp_path / name, certificate, ses=ses.url)
