"""The engine at Redis keeps the contract of the spool: on a real server that syncs before it acknowledges."""

from collections.abc import Iterator

import pytest

from relay.shared.spool import RedisSpool
from relay.spool.ports import Spool
from tests.contracts.spool import Place, SpoolContract
from tests.shared.servers import RedisServer
from tests.shared.spools import DURABLE, open_at, vanish


@pytest.fixture(scope="module")
def cluster(redis_program: str) -> Iterator[RedisServer]:
    """A cluster of one: it refuses scripts whose keys do not lie in one slot."""
    server = RedisServer(redis_program, DURABLE | {"cluster-enabled": "yes"}, port=None).start()
    assert server.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383") == b"+OK"
    while server.ask("SET", "x", "y") != b"+OK":
        pass
    yield server
    server.close()


class Server(Place):
    """A server that outlives the relays that are killed."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    async def open(self, *, max_bytes: int = 1 << 30) -> Spool:
        return await open_at(self._server, max_bytes=max_bytes)

    async def crash(self, spool: Spool) -> Spool:
        assert isinstance(spool, RedisSpool)
        await vanish(self._server, spool)
        return await open_at(self._server)

    def damage(self, spool: Spool, name: str) -> None:
        assert self._server.ask("DEL", f"{{ses-relay:spool}}:b:{name}") == b":1"


class TestRedis(SpoolContract):
    @pytest.fixture
    def place(self, server: RedisServer) -> Place:
        assert server.ask("FLUSHALL") == b"+OK"
        return Server(server)


class TestCluster(SpoolContract):
    @pytest.fixture
    def place(self, cluster: RedisServer) -> Place:
        assert cluster.ask("FLUSHALL") == b"+OK"
        return Server(cluster)
