"""Whoever dies, no mail that was answered 250 is lost, every message has ended once, and somebody serves on."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.houses import IMPLICIT, House
from tests.system.relays import Client, EmbeddedSes, RunningRelay, command
from tests.system.rows import secret_of
from tests.workers.staff import MINE, hand_over, of_each, send, with_workers, workers_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

CLIENTS = 8


class Load:
    """Clients that send until they are told to stop, and remember which message was answered 250."""

    def __init__(self, relay: RunningRelay) -> None:
        self._relay = relay
        self._enough = threading.Event()
        self.taken: list[str] = []

    def one(self, number: int) -> None:
        count = 0
        while not self._enough.is_set():
            with suppress(OSError, AssertionError), Client(self._relay.smtp) as client:
                client.start_tls()
                client.log_in(MINE.delegate, secret_of(MINE.delegate))
                while not self._enough.is_set():
                    count += 1
                    name = f"load-{number}-{count}"
                    reply = hand_over(client, replace(MINE, name=name))
                    if reply == "CLOSED":
                        break
                    if reply.startswith("250"):
                        self.taken.append(name)

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(CLIENTS) as pool:
            ends = [pool.submit(self.one, number) for number in range(CLIENTS)]
            try:
                yield
            finally:
                self._enough.set()
                for end in ends:
                    end.result(60)


@pytest.mark.parametrize("mode", ["direct", "fallback", "spool"])
def test_a_killed_worker_costs_no_mail(house: House, ses: EmbeddedSes, mode: str) -> None:
    """
    Under load: what was answered 250 is at SES, sooner or later; received and ended are the same;
    another worker takes its place.
    """
    if mode != "direct":
        house.keep(mode, budget="100ms")
        ses.suffer({"delay": "300ms", "times": 20})
    with with_workers(house).serve() as relay:
        load = Load(relay)
        with load.running():
            time.sleep(0.5)
            os.kill(workers_of(relay)[0], signal.SIGKILL)
            relay.wait_for("worker.serving", after=2)
        relay.wait_until(lambda: relay.count("ses_relay_sessions") == 0, "no session")
        assert load.taken
        relay.wait_until(lambda: not lost(load, ses), "all that was taken, at SES", 60)
        assert relay.count("ses_relay_messages_received_total") == relay.count("ses_relay_messages_total")
        ended = [line for line in relay.lines("message") if line["outcome"] in ("accepted", "queued")]
        assert len(ended) >= len(load.taken)
        assert len({line["id"] for line in relay.lines("message")}) == len(relay.lines("message"))
        assert len(relay.lines("worker.died")) == 1
        assert len(workers_of(relay)) == 2
        assert relay.is_ready()


def test_a_call_that_died_with_its_worker_is_counted(house: House, ses: EmbeddedSes) -> None:
    """Its client has heard 250 by then: SES may have the message, and it goes again, marked."""
    house.keep("fallback", budget="100ms")
    ses.suffer({"delay": "3s"})
    with with_workers(house).serve() as relay:
        assert "queued as" in send(relay)
        for pid in workers_of(relay):
            os.kill(pid, signal.SIGKILL)
        relay.wait_until(lambda: relay.count("ses_relay_deliveries_total", result="sent") == 1, "second attempt")
        (queued,) = relay.lines("message")
        (found,) = relay.lines("spool.attempts-found")
        assert [line["result"] for line in relay.lines("delivery")] == ["ambiguous", "sent"]
        assert relay.count("ses_relay_possible_duplicates_total") == 1
        assert found["queue_ids"] == [queued["queue_id"]]


def lost(load: Load, ses: EmbeddedSes) -> set[str]:
    """What was answered 250 and is not at SES."""
    return set(load.taken) - {subject_of(message["raw"]) for message in ses.messages()}


def subject_of(raw: bytes) -> str:
    return next(line for line in raw.split(b"\r\n") if line.startswith(b"Subject: "))[9:].decode()


def test_a_worker_that_keeps_dying_is_started_ever_more_seldom(house: House) -> None:
    """The other one serves meanwhile, and who looks sees it: in the log, in /readyz?verbose and in the metrics."""
    with with_workers(house).serve() as relay:
        for number in range(2):
            last = relay.wait_for("worker.serving", after=1 + number)  # the second time in place of the first
            os.kill(last["pid"], signal.SIGKILL)
            relay.wait_for("worker.died", after=number)
        assert "ok workers: worker " in relay.readiness()
        assert "killed by signal 9, to be started again in 0.5 s" in relay.readiness()
        assert relay.count("ses_relay_workers") == 1
        assert send(relay).startswith("250")
        relay.wait_until(lambda: relay.count("ses_relay_workers") == 2, "both")
        assert "ok workers\n" in relay.readiness()


def test_a_drain_answers_whoever_waits_for_ses(house: House, ses: EmbeddedSes) -> None:
    """At all workers: the running transactions finish, who is idle hears 421, and nobody is let in any more."""
    ses.suffer({"delay": "700ms", "times": 2})
    with with_workers(house).serve() as relay, of_each(relay) as clients, of_each(relay) as idle:
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(hand_over, client) for client in clients]
            relay.wait_until(lambda: relay.count("ses_relay_messages_received_total") == 2, "both at SES")
            relay.process.send_signal(signal.SIGTERM)
            assert all(each.result(20).startswith("250 2.0.0 Ok ") for each in waiting)
        assert {client.reply()[:9] for client in idle} == {"421 4.3.2"}
        assert relay.process.wait(20) == 0
        assert relay.lines("relay.stopped")[0]["quiet"] is True
    assert [line["outcome"] for line in relay.lines("message")] == ["accepted", "accepted"]
    assert len(ses.messages()) == 2


def test_workers_end_with_their_supervisor(house: House) -> None:
    """At once: nobody is let in by a relay whose books nobody keeps."""
    with with_workers(house).serve() as relay, of_each(relay) as clients:
        workers = workers_of(relay)
        relay.process.kill()
        relay.process.wait()
        began = time.monotonic()
        while any(Path(f"/proc/{pid}/cmdline").exists() and _lives(pid) for pid in workers):
            assert time.monotonic() - began < 20
            time.sleep(0.05)
        assert all(client.reply()[:3] in ("421", "CLO") for client in clients)
        with pytest.raises(ConnectionRefusedError):
            Client(relay.smtp)


def _lives(pid: int) -> bool:
    with suppress(OSError):
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def test_an_address_that_somebody_else_has_keeps_the_relay_from_starting(house: House) -> None:
    """Said in the words of a relay of one process, and no worker is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        house.edit('address = "127.0.0.1:0"', f'address = "127.0.0.1:{taken.getsockname()[1]}"')
        done = command("serve", "-c", str(with_workers(house).settings))
    assert done.returncode == 1
    assert b"cannot listen on 127.0.0.1:" in done.stderr


def test_a_worker_that_cannot_open_its_door_tries_again(house: House) -> None:
    """A certificate is replaced, and for a moment its key is another's: who is started again then says why it waits."""
    with with_workers(house).serve() as relay:
        last = relay.wait_for("worker.serving", after=1)
        relay.wait_for("caller.known")
        key = house.folder / "key.pem"
        whole = key.read_text()
        key.write_text("half a key")
        os.kill(last["pid"], signal.SIGKILL)
        assert "SSLError" in relay.wait_for("worker.failed")["why"]
        relay.wait_until(lambda: "ended with 0, to be started again in " in relay.readiness(), "the next try")
        assert send(relay).startswith("250")
        key.write_text(whole)
        relay.wait_until(lambda: relay.count("ses_relay_workers") == 2, "both")


def test_a_worker_is_started_again_after_a_reload_without_tls(house: House) -> None:
    """Listeners are read at the start only, and so they show their certificate until the next one."""
    with with_workers(house).serve() as relay:
        last = relay.wait_for("worker.serving", after=1)
        relay.wait_for("caller.known")
        house.edit('tls = "starttls"', 'tls = "off"')
        house.edit(f'{IMPLICIT}certificate = "certificate.pem"\nkey = "key.pem"\n', "")
        assert relay.reload()["needs_restart"] == ["listener"]
        os.kill(last["pid"], signal.SIGKILL)
        relay.wait_for("worker.serving", after=2)
        with of_each(relay) as clients:
            assert all(hand_over(client).startswith("250") for client in clients)
