"""A running embedded SES for each test."""

from collections.abc import Iterator

import pytest

from relay.localses.app import LocalSes, Served
from relay.localses.keys import DEMO_KEYS
from tests.localses.running import Clock, Door, House


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[Served]:
    return []


@pytest.fixture
def door(house: House, clock: Clock, told: list[Served]) -> Iterator[Door]:
    with house.running(LocalSes(DEMO_KEYS, clock=clock, tell=told.append)) as door:
        yield door
