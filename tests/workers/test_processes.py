"""Two workers are one relay: its limits, its settings, its policies and its counts."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.houses import House
from tests.system.relays import Client, RunningRelay, plain_response
from tests.system.rows import FORBIDDEN, PERMITTED, secret_of
from tests.workers.staff import MINE, hand_over, of_each, send, workers_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

NEWS = next(row for row in PERMITTED if row.delegate == "newsletter")
SALES = FORBIDDEN[3]


@pytest.fixture
def edited(staffed: tuple[House, RunningRelay]) -> Iterator[tuple[House, RunningRelay]]:
    """The relay, whose settings and policies are put back in the end."""
    house, relay = staffed
    policy = house.policy("example.com/billing")
    before, granted = house.settings.read_text(), policy.read_text()
    yield house, relay
    house.settings.write_text(before)
    policy.write_text(granted)
    assert relay.reload()["event"] == "relay.reloaded"
    relay.wait_until(lambda: send(relay).startswith("250"), "what was before")


def test_every_worker_takes_mail(staffed: tuple[House, RunningRelay]) -> None:
    """There are two, and each sends, refuses and greets as a relay of one process does."""
    _, relay = staffed
    with of_each(relay) as clients:
        assert len(clients) == 2
        assert {hand_over(client)[:12] for client in clients} == {"250 2.0.0 Ok"}
        assert {hand_over(client, SALES)[:9] for client in clients} == {"554 5.7.1"}
        assert "ok workers\n" in relay.readiness()
        assert relay.count("ses_relay_workers") == 2


def test_a_burst_of_connections_gets_exactly_its_share(edited: tuple[House, RunningRelay]) -> None:
    """Of one address at all workers together, whoever asks at once."""
    house, relay = edited
    house.settings.write_text(house.settings.read_text() + "\n[limits]\nconnections_per_client = 15\n")
    assert relay.reload()["event"] == "relay.reloaded"
    relay.wait_until(lambda: relay.count("ses_relay_sessions") == 0, "no session")

    def connect(_: int) -> tuple[socket.socket, bytes]:
        client = socket.create_connection(relay.smtp, 15)
        return client, client.recv(200)

    with ThreadPoolExecutor(30) as pool:
        came = list(pool.map(connect, range(60)))

    assert Counter(greeting[:3] for _, greeting in came) == {b"220": 15, b"421": 45}
    for client, _ in came:
        client.close()


def test_guesses_at_all_workers_are_one_budget(edited: tuple[House, RunningRelay]) -> None:
    """Whoever guesses on many connections at once has no more guesses than on one."""
    house, relay = edited
    house.settings.write_text(house.settings.read_text() + "\n[limits]\nauth_failures_per_minute = 6\n")
    assert relay.reload()["event"] == "relay.reloaded"

    def guess(number: int) -> str:
        with Client(relay.implicit, implicit=True) as client:
            client.command("EHLO client.test")
            return client.command(f"AUTH PLAIN {plain_response('billing', f'guess{number}')}")[:3]

    with ThreadPoolExecutor(12) as pool:
        heard = Counter(pool.map(guess, range(24)))

    assert heard == {"535": 6, "454": 18}


def test_a_reload_reaches_all_before_it_is_told(edited: tuple[House, RunningRelay]) -> None:
    """Delegates, rules and limits."""
    house, relay = edited
    with of_each(relay) as clients:
        house.edit('reveal = "full"', 'reveal = "reason"')
        house.edit('name = "newsletter"', 'name = "letters"')
        assert relay.reload()["event"] == "relay.reloaded"
        for client in clients:
            assert "BillingSendsInvoices" not in hand_over(client, SALES)
    for _ in range(6):
        with relay.client("letters", secret_of("newsletter")) as client:
            assert hand_over(client, NEWS).startswith("250")


def test_a_withdrawn_policy_counts_at_all_within_a_second(edited: tuple[House, RunningRelay]) -> None:
    house, relay = edited
    policy = house.policy("example.com/billing")
    with of_each(relay) as clients:
        assert all(hand_over(client).startswith("250") for client in clients)
        policy.write_text(policy.read_text().replace('"billing@example.com"', '"nobody@example.com"'))
        time.sleep(1.0)
        assert all(hand_over(client).startswith("554 5.7.1") for client in clients)


def test_a_delegate_has_one_share_at_all_workers(edited: tuple[House, RunningRelay]) -> None:
    """Of recipients a day: exactly; and a second, as a relay of one process counts."""
    house, relay = edited
    house.edit('name = "billing"', 'name = "billing"\ndaily_recipients = 5')
    house.edit('name = "newsletter"', 'name = "newsletter"\nrate = "1/s"')
    assert relay.reload()["event"] == "relay.reloaded"

    def five(client: Client) -> list[str]:
        return [hand_over(client)[:9] for _ in range(5)]

    with of_each(relay) as clients, ThreadPoolExecutor(2) as pool:
        heard = Counter(reply for replies in pool.map(five, clients) for reply in replies)

    assert heard == {"250 2.0.0": 5, "454 4.7.0": 5}
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        assert {reply[:3] for reply in pool.map(lambda _: send(relay, NEWS), range(4))} == {"250"}
    assert time.monotonic() - began > 1.5  # two at once, each further one a second later; a share each would take none


def test_signals_for_the_whole_group_are_the_supervisors(staffed: tuple[House, RunningRelay]) -> None:
    """As systemd sends them to all processes of a service: workers leave when the supervisor lets them."""
    _, relay = staffed
    with of_each(relay) as clients:
        for pid in workers_of(relay):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
        assert all(hand_over(client).startswith("250") for client in clients)


def test_everything_is_counted_once(staffed: tuple[House, RunningRelay]) -> None:
    """By the supervisor, who alone has the metrics: what was received has ended, and nobody is inside."""
    _, relay = staffed
    relay.wait_until(lambda: relay.count("ses_relay_sessions") == 0, "no session")
    relay.wait_until(
        lambda: relay.count("ses_relay_messages_received_total") == relay.count("ses_relay_messages_total"), "balance"
    )

    assert relay.count("ses_relay_messages_total", outcome="accepted") == len(
        [line for line in relay.lines("message") if line["outcome"] == "accepted"]
    )
    assert relay.count("ses_relay_incidents_total") == 0
    assert len(workers_of(relay)) == 2
    assert not relay.lines("worker.died")
    assert MINE.is_permitted
