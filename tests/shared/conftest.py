"""A redis-server for each worker of the tests, emptied before each test; engines at it, and spools."""

import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from relay.observe.events import Event
from relay.shared.address import read_address
from relay.shared.engine import Engine
from relay.shared.spool import RedisSpool
from tests.shared.servers import RedisServer
from tests.shared.spools import DURABLE, LEASE, Open, open_at


@pytest.fixture(scope="session")
def redis_program(tool: Callable[[str], str]) -> str:
    """The server's program."""
    return tool("redis-server")


@pytest.fixture(scope="session")
def _server(redis_program: str) -> Iterator[RedisServer]:
    server = RedisServer(redis_program).start()
    yield server
    server.close()


@pytest.fixture
def redis_server(_server: RedisServer) -> RedisServer:
    """A server of this worker, empty. Do not kill or pause it: make one of your own for that (own_server)."""
    assert _server.ask("FLUSHALL") == b"+OK"
    return _server


@pytest.fixture
def own_server(redis_program: str) -> Iterator[Callable[..., RedisServer]]:
    """Makes servers that a test may ill-treat; arguments of RedisServer, started."""
    servers: list[RedisServer] = []

    def make(options: dict[str, str] | None = None, **further: Any) -> RedisServer:
        server = RedisServer(redis_program, options, **further)
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def told() -> list[Event]:
    """What the engines told."""
    return []


@pytest.fixture
async def engine_at(told: list[Event]) -> AsyncIterator[Callable[..., Awaitable[Engine]]]:
    """Makes engines at a URL, started; further arguments are the engine's. Closed after the test."""
    engines: list[Engine] = []

    async def make(url: str, **further: Any) -> Engine:
        engine = Engine(read_address(url), told.append, clock=time.monotonic, **further)
        engines.append(engine)
        await engine.start()
        return engine

    yield make
    for engine in engines:
        await engine.close()


@pytest.fixture
async def engine(redis_server: RedisServer, engine_at: Callable[..., Awaitable[Engine]]) -> Engine:
    """An engine at an empty server."""
    return await engine_at(redis_server.url)


@pytest.fixture(scope="module")
def server(redis_program: str) -> Iterator[RedisServer]:
    """A server that syncs before it acknowledges, for a module's spools."""
    server = RedisServer(redis_program, DURABLE).start()
    yield server
    server.close()


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Opens spools as open_at does; all are closed after the test."""
    spools: list[RedisSpool] = []

    async def opened(server: RedisServer, **options: Any) -> RedisSpool:
        spools.append(await open_at(server, **options))
        return spools[-1]

    yield opened
    for spool in spools:
        await spool.close()


@pytest.fixture
def lease() -> float:
    """Seconds that a relay of ``open_one`` may be silent."""
    return LEASE


@pytest.fixture
def open_one(server: RedisServer, lease: float, opened: Open) -> Open:
    """Opens the spool at the module's server, empty by now, for one relay more."""
    assert server.ask("FLUSHALL") == b"+OK"
    return functools.partial(opened, server, lease=lease)
