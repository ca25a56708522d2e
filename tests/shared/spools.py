"""Spools at a Redis, and a Redis that keeps what it acknowledges."""

from collections.abc import Awaitable, Callable
from typing import Final

from relay.observe.events import Event
from relay.shared.spool import RedisSpool
from relay.shared.spool_opening import open_redis_spool
from tests.shared.servers import RedisServer

DURABLE: Final = {"appendonly": "yes", "appendfsync": "always"}
LEASE: Final = 30.0
#: Opens the spool once more, with options of ``open_at``.
Open = Callable[..., Awaitable[RedisSpool]]


async def open_at(
    server: RedisServer,
    *,
    max_bytes: int = 1 << 30,
    lease: float = LEASE,
    visiting: bool = False,
    url: str | None = None,
    parameters: str = "",
    observe: Callable[[Event], None] = lambda _: None,
) -> RedisSpool:
    """Open the spool at *server*."""
    return await open_redis_spool(
        f"{url or server.url}{parameters}", max_bytes=max_bytes, observe=observe, lease_seconds=lease, visiting=visiting
    )


def end_lease(server: RedisServer, spool: RedisSpool) -> None:
    """Let the lease of *spool* have ended, as when its relay has been silent for so long."""
    assert server.ask("ZADD", "{ses-relay:spool}:holders", "1", spool.lease.holder) in {b":0", b":1"}


async def vanish(server: RedisServer, spool: RedisSpool) -> None:
    """What is left of a relay after kill -9, once its lease has ended."""
    assert spool.lease._running is not None
    spool.lease._running.cancel()
    await spool._engine.close()
    end_lease(server, spool)
