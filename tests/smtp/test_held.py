"""Sockets that systemd holds are taken by the listener of their address, or the relay does not start."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from relay.smtp.entrance import bind
from relay.smtp.held import Held, handed_over
from relay.smtp.listeners import Listener, ListenerProblem


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as made:
        yield made


def said(pid: int, count: object) -> dict[str, str]:
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": "ses-relay.socket", "HOME": "/"}


def test_what_is_meant_for_this_process_is_taken_over_and_no_child_is_told(listening):
    environ = said(7, 1)
    held = handed_over(environ, 7, first=listening.dup().detach())

    assert environ == {"HOME": "/"}
    assert held
    taken = held.take(socket.AF_INET, *listening.getsockname())
    assert taken is not None
    with closing(taken):
        assert taken.getsockname() == listening.getsockname()
        assert not taken.getblocking()
        assert not taken.get_inheritable()
    assert not held


def test_what_is_meant_for_another_process_is_left_alone(listening):
    assert not handed_over(said(8, 1), 7, first=listening.fileno())
    assert not handed_over({}, 7)


def test_what_is_no_listening_socket_is_named(listening):
    with closing(socket.socket()) as bare, pytest.raises(ListenerProblem, match="does not listen"):
        Held([bare])
    with pytest.raises(ListenerProblem, match="LISTEN_FDS=many"):
        handed_over(said(7, "many"), 7)
    with pytest.raises(ListenerProblem, match="LISTEN_FDS=1"):
        handed_over(said(7, 1), 7, first=1_000_000)


async def test_a_listener_takes_the_socket_of_its_address_and_opens_others_itself(listening):
    host, port = listening.getsockname()
    held = Held([listening.dup()])
    [other] = await bind(Listener("b", host, 0), 5, reuse_port=False, held=held)
    [ours] = await bind(Listener("a", host, port), 5, reuse_port=False, held=held)
    with closing(ours), closing(other), socket.create_connection((host, port), 5), closing(ours.accept()[0]):
        assert ours.getsockname() == listening.getsockname()
        assert other.getsockname() != listening.getsockname()
        assert held.left() == []


async def test_a_socket_that_nobody_takes_is_named(listening):
    """Clients would be connected by the kernel, and wait there."""
    host, port = listening.getsockname()
    with closing(listening.dup()) as again:
        assert Held([again]).left() == [f"{host}:{port}"]
