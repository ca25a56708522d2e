"""Opening the spool at a Redis: what the server promises is looked at first; a relay that wants more does not start."""

import time
from typing import Final

from relay.observe.events import Noted, Observer
from relay.shared.address import AddressProblem, read_address
from relay.shared.engine import Engine
from relay.shared.spool import RedisSpool
from relay.shared.spool_promise import PARAMETERS, wish_of
from relay.spool.problems import SpoolProblem

#: Seconds for a call, its sync included: a message is worth waiting for, a pace is not.
CALL_SECONDS: Final = 5.0
_CONNECTIONS: Final = 64


async def open_redis_spool(
    url: str, *, max_bytes: int, observe: Observer, lease_seconds: float, visiting: bool = False
) -> RedisSpool:
    """
    Open the spool at *url*, or make it. While the server is away it is open all the same, and says so.

    *max_bytes* bounds what all relays keep there together, 2 KiB counted for each entry beside its message.
    *lease_seconds*: how long the relay may be silent before others take over what it sends; longer than a call to SES
    may take. *visiting*: for people, next to relays that have it open; then the server must be there.

    Raises:
        SpoolProblem: The URL is none, or the server does not keep what is asked of it; what is there is left as it is.
    """
    wish = wish_of(url)
    try:
        address = read_address(url, ignored=PARAMETERS)
    except AddressProblem as problem:
        raise SpoolProblem(f"spool.url: {problem}") from None
    connections = 4 if visiting else _CONNECTIONS
    engine = Engine(address, observe, use="spool", deadline=CALL_SECONDS, connections=connections, clock=time.monotonic)
    await engine.start()
    spool = RedisSpool(engine, wish=wish, max_bytes=max_bytes, lease_seconds=0 if visiting else lease_seconds)
    try:
        if visiting and not engine.state.is_up:
            raise SpoolProblem(f"the spool at {address}: {engine.state.why}")  # noqa: TRY301  # closed on the way out
        await spool.lease.start()
    except BaseException:
        await engine.close()
        raise
    if not visiting:
        observe(Noted("info", "spool.promise", {"spool": str(address), "promise": spool.promise}))
    return spool
