"""A relay whose socket systemd holds: who connects while it is restarted waits a moment, and is served."""

import signal
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from tests.system.houses import House
from tests.system.relays import RunningRelay, clean_environ, ending

pytestmark = pytest.mark.system

#: What systemd does: the socket is descriptor 3, and the variable names the process that it is for.
HANDS_OVER = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several workers take none, also where the rest of the suite has some."""
    monkeypatch.delenv("TEST_WORKERS", raising=False)


def started(house: House, held: socket.socket, name: str) -> RunningRelay:
    log, serve = house.folder / name, [sys.executable, "-m", "relay", "serve", "-c", str(house.settings)]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            ["bash", "-c", HANDS_OVER, str(held.fileno()), *serve],
            pass_fds=[held.fileno()],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=clean_environ(),
        )
    return RunningRelay(process, log)


def test_who_connects_while_it_is_restarted_is_greeted_by_the_next(house):
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        host, port = held.getsockname()
        house.edit('"127.0.0.1:0"', f'"{host}:{port}"')
        first = started(house, held, "first.log")
        with ending(first):
            assert f"{host}:{port}" in first.wait_for("relay.ready")["listeners"]
            assert first.signalled(signal.SIGTERM) == 0
        with socket.create_connection((host, port), 30) as client:
            second = started(house, held, "second.log")
            with ending(second):
                assert client.recv(4) == b"220 "


def test_a_socket_of_no_listener_keeps_it_from_starting(house):
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        relay = started(house, held, "refused.log")

        assert relay.process.wait(30) == 1
        assert "no listener has the address of a socket that was handed over: 127.0.0.1:" in relay.text


def test_several_workers_open_their_own(house):
    """Nobody can share a socket that was handed over: who set it up so hears what to change."""
    house.settings.write_text(house.settings.read_text().replace("[server]\n", "[server]\nworkers = 2\n", 1))
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        relay = started(house, held, "refused.log")

        assert relay.process.wait(30) == 1
        assert "set server.workers to 1, or stop the unit ses-relay.socket" in relay.text
