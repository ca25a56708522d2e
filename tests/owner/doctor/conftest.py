"""A running embedded SES for each test, with the identities of the demo, and a set-up before it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.localses.app import LocalSes, Served
from tests.localses.running import Clock, House
from tests.owner.doctor.scene import MAILER, OWNER, READER, RELAY, ROOT, STRANGER, Scene


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture
def told() -> list[Served]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scene(house: House, clock: Clock, told: list[Served], tmp_path: Path) -> Iterator[Scene]:
    keys = (OWNER, RELAY, STRANGER, ROOT)
    with house.running(LocalSes(keys, roles=(READER, MAILER), clock=clock, tell=told.append)) as door:
        scene = Scene(tmp_path, door)
        for name in ("example.com", "ceo@example.com"):
            scene.owner().create_email_identity(EmailIdentity=name)
        yield scene
