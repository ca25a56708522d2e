"""The contract of directories, by one that asks nobody: it knows what another relay tells it."""

import asyncio
import random
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from relay.identities.rounds import Wait
from relay.identities.ses_answers import Clocks
from relay.identities.ses_directory import SesDirectory
from relay.localses.app import LocalSes
from relay.localses.identities import Identities
from relay.shared.address import read_address
from relay.shared.engine import Engine
from relay.shared.policies import SharedDirectory
from relay.words.freshness import Terms
from tests.contracts.directory import MAX_STALE, DirectoryContract, Source
from tests.identities.test_contract import KEY, EmbeddedSes
from tests.judgement.building import OWNER, REGION
from tests.localses.running import House
from tests.shared.servers import RedisServer


class Loop:
    """An event loop in a thread of its own: the tests of the contract have one only where they need it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, errand: Coroutine[Any, Any, Any]) -> Any:
        """Run it there, and wait here."""
        return asyncio.run_coroutine_threadsafe(errand, self.loop).result(20)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Told(SharedDirectory):
    """A shared directory that lives in that loop, whichever its tests are in."""

    elsewhere: Loop

    async def run(self) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(super().run(), self.elsewhere.loop))


class SharedSes(EmbeddedSes):
    """Two relays at the embedded SES: one asks it, the other is the source. Time passes as fast as the plan lets it."""

    def __init__(self, url: str, identities: Identities, loop: Loop, redis: RedisServer) -> None:
        super().__init__(url, identities)
        self._loop = loop
        terms, clocks = Terms(60.0, MAX_STALE, 0.5), Clocks(lambda: self.now, lambda: self.seconds, random.random)
        self.engine = Engine(read_address(redis.url), lambda _event: None, clock=time.monotonic)
        loop.run(self.engine.start())
        other = SesDirectory([(OWNER, REGION)], self.accounts, terms, lambda _event: None, clocks=clocks)
        options: dict[str, Any] = {"terms": terms, "clocks": clocks, "observe": lambda _event: None}
        self._asks = SharedDirectory(self.ses, self.engine, **options)
        self.directory = Told(other, self.engine, **options)
        self.directory.elsewhere = loop
        self._turn()

    def _turn(self) -> None:
        for directory in (self._asks, self.directory, self._asks, self.directory):
            assert isinstance(directory, SharedDirectory)
            self._loop.run(directory.fellowships[0].turn())

    def wait(self, seconds: float) -> None:
        (place,) = self.ses.all_places
        until = self.seconds + seconds
        while self.seconds < until:
            self._turn()
            step = place.next_step()
            if isinstance(step, Wait):
                self.seconds = min(until, self.seconds + step.seconds)
            else:
                place.take_over(step, place.ask(step))
                self._turn()

    def close(self) -> None:
        self._loop.run(self.engine.close())


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


class TestShared(DirectoryContract):
    @pytest.fixture
    def source(self, house: House, loop: Loop, redis_server: RedisServer) -> Iterator[Source]:
        identities = Identities()
        with house.running(LocalSes([KEY], identities=identities)) as door:
            source = SharedSes(door.url, identities, loop, redis_server)
            yield source
            source.close()
