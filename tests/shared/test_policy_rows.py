"""What relays keep for each other of policies: rows that come back as they were, or not at all; and their times."""

import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.identities.fellows import Told
from relay.identities.known import KnownIdentity
from relay.identities.ses_answers import Clocks
from relay.shared.policy_rows import LONGEST, Gone, Listed, Row, RowProblem, read, write
from relay.shared.server_clock import ServerClock

PLACE = "policies:888888888888:us-east-1"
KNOWN = KnownIdentity("example.com", may_send=True, read_at=12.5, verified=True, policies={"p": "{}"}, refused="no")
GOOD: dict[str, Any] = {
    "v": 1,
    "place": PLACE,
    "name": "example.com",
    "as_of": 13.0,
    "may_send": True,
    "read_at": 12.5,
    "verified": True,
    "policies": {"p": "{}"},
    "refused": "no",
}


def sealed(text: str) -> bytes:
    """Octets with a sum that fits."""
    return hashlib.sha256(text.encode()).hexdigest()[:32].encode() + text.encode()


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("example.com", Told(KNOWN, 13.0)),
        ("app@example.com", Told(KnownIdentity("app@example.com", may_send=False), 1.0)),
        ("example.com", Gone(7.25)),
        ("", Listed(99.0, 12)),
    ],
)
def test_a_row_comes_back_as_it_was(name: str, row: Row):
    assert read(PLACE, name, write(PLACE, name, row)) == row


def test_what_is_good_is_read():
    assert read(PLACE, "example.com", sealed(json.dumps(GOOD))) == Told(KNOWN, 13.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2},
        {"v": "1"},
        {"place": "policies:999999999999:us-east-1"},
        {"name": "other.example"},
        {"as_of": "now"},
        {"as_of": 1e999},
        {"as_of": True},
        {"may_send": 1},
        {"verified": None},
        {"read_at": float("nan")},
        {"policies": []},
        {"policies": {"p": 1}},
        {"policies": {"../p": "{}"}},
        {"policies": {f"p{number}": "{}" for number in range(101)}},
        {"policies": {"p": "\udcff"}},
        {"refused": "x" * 1001},
        {"gone": []},
        {"listed_at": 1.0, "pages": 0},
        {"listed_at": 1.0, "pages": "1"},
    ],
)
def test_what_has_another_shape_is_no_row(changed: dict[str, Any]):
    with pytest.raises(RowProblem):
        read(PLACE, "example.com", sealed(json.dumps(GOOD | changed)))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        sealed(""),
        sealed("[]"),
        sealed("null"),
        sealed("[" * 100_000),
        sealed(json.dumps(GOOD))[:-1],
        sealed(json.dumps(GOOD))[1:],
        write(PLACE, "example.com", Told(KnownIdentity("example.com", True, policies={"p": "x" * LONGEST}), 1.0)),
    ],
)
def test_octets_that_are_cut_swapped_or_too_many_are_no_row(octets: bytes):
    with pytest.raises(RowProblem):
        read(PLACE, "example.com", octets)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_row_with_one_octet_changed_is_no_row(at: int, by: int):
    octets = bytearray(write(PLACE, "example.com", Told(KNOWN, 13.0)))
    octets[at % len(octets)] ^= by
    with pytest.raises(RowProblem):
        read(PLACE, "example.com", bytes(octets))


@pytest.mark.parametrize("name", ["not a name", "x" * 330 + ".example", "a@b@c"])
def test_a_name_under_which_no_mail_can_be_sent_is_no_identity(name: str):
    with pytest.raises(RowProblem):
        read(PLACE, name, write(PLACE, name, Gone(1.0)))


class Relay:
    """A relay's clocks, and what it knows of the server's; ``true`` is the time that all of them miss."""

    def __init__(self, rng: random.Random) -> None:
        self.true = 1_000_000.0
        self._wall, self._monotonic = rng.uniform(-1e5, 1e5), rng.uniform(-1e5, 0)
        self.server = ServerClock(Clocks(lambda: self.true + self._wall, lambda: self.true + self._monotonic))

    @property
    def wall(self) -> float:
        return self.true + self._wall

    def ask(self, there: float, back: float, server: float) -> None:
        """Ask the server for its time: so long on the way there, so long back."""
        asked_at = self.true + self._monotonic
        self.true += there
        told = self.true + server
        self.true += back
        self.server.heard(told, asked_at)


@given(st.randoms(use_true_random=False), *[st.floats(0, 0.25) for _ in range(4)], st.floats(0, 4000))
def test_an_age_is_never_less_than_it_is_whatever_clocks_say(
    rng: random.Random, there: float, back: float, there_too: float, back_too: float, age: float
):
    """And not more by the ways of both questions and a quarter of a second."""
    server = rng.uniform(-1e5, 1e5)
    one, other = Relay(rng), Relay(rng)
    one.ask(there, back, server)
    other.true = one.true
    told = one.server.theirs(one.wall - age)
    assert told is not None
    other.ask(there_too, back_too, server)
    one_later = other.true - one.true
    heard = other.server.ours(told)
    assert heard is not None

    assert -1e-6 <= (other.wall - heard) - (age + one_later) <= 0.2501 + there + back + there_too + back_too


def test_what_is_yet_to_come_has_no_age():
    relay = Relay(random.Random(1))
    relay.ask(0.1, 0.1, 5.0)

    assert relay.server.theirs(relay.wall + 1) is None
    assert relay.server.ours(relay.true + 5.0 + 1) is None
    assert relay.server.ours(float("nan")) is None
