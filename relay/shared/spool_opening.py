"""Opening the spool at a Redis: what the server promises is looked at first; a relay that wants more does not start."""

import secrets
import time
from collections.abc import Callable
from typing import Final, TypeVar

from relay.observe.events import Noted, Observer
from relay.shared import spool_scripts as scripts
from relay.shared.address import AddressProblem, read_address
from relay.shared.answers import Away
from relay.shared.engine import Engine, Part
from relay.shared.spool import RedisSpool, root_of
from relay.shared.spool_lease import SCHEMA
from relay.shared.spool_promise import PARAMETERS, Server, Wish, look, problem_with, promise_of, wish_of
from relay.spool.problems import SpoolProblem

#: Seconds for a call, its sync included: a message is worth waiting for, a pace is not.
CALL_SECONDS: Final = 5.0
_CONNECTIONS: Final = 64
_OLDEST: Final = (7, 0)
_T = TypeVar("_T")


async def open_redis_spool(
    url: str,
    *,
    max_bytes: int,
    observe: Observer,
    lease_seconds: float,
    visiting: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> RedisSpool:
    """
    Open the spool at *url*, or make it.

    *max_bytes* bounds what all relays keep there together, 2 KiB counted for each entry beside its message.
    *lease_seconds*: how long the relay may be silent before others take over what it sends; longer than a call to SES
    may take. *visiting*: for people, next to relays that have it open.

    Raises:
        SpoolProblem: It cannot be reached, or does not keep what is asked of it; what is there is left as it is.
    """
    wish = wish_of(url)
    try:
        address = read_address(url, ignored=PARAMETERS)
    except AddressProblem as problem:
        raise SpoolProblem(f"spool.url: {problem}") from None
    engine = Engine(
        address, observe, use="spool", deadline=CALL_SECONDS, connections=4 if visiting else _CONNECTIONS, clock=clock
    )
    await engine.start()
    try:
        server = await _looked_at(engine, wish)
        promise = promise_of(server, wish)
        spool = RedisSpool(
            engine,
            name=await _named(engine, make=not visiting),
            wish=wish,
            max_bytes=max_bytes,
            lease_seconds=0 if visiting else lease_seconds,
            promise=promise,
        )
        _had(engine, await spool.lease.start() or "")
    except BaseException:
        await engine.close()
        raise
    if not visiting:
        memory = server.limit or "no limit"
        observe(Noted("info", "spool.promise", {"spool": str(address), "promise": promise, "maxmemory": memory}))
    return spool


async def _looked_at(engine: Engine, wish: Wish) -> Server:
    """See that the server is there, and keeps what is wished."""
    if not engine.state.is_up:
        raise SpoolProblem(f"the spool at {engine.address}: {engine.state.why}")
    _see_version(engine)
    server = _had(engine, await look(engine))
    if (why := problem_with(server, wish)) is not None:
        raise SpoolProblem(f"the spool at {engine.address}: {why}")
    return server


async def _named(engine: Engine, *, make: bool) -> str:
    """Return the name of the spool that is there, or is made."""
    asked: list[Part] = [SCHEMA, secrets.token_hex(8), int(make)]
    schema, name = _had(engine, await engine.run(scripts.OPEN, [root_of(engine)], asked))
    if schema is None:
        raise SpoolProblem(f"the spool at {engine.address}: there is none")
    if schema != str(SCHEMA).encode():
        raise SpoolProblem(
            f"the spool at {engine.address} was written by another release of ses-relay (schema "
            f"{schema.decode(errors='replace')[:20]}, this one knows {SCHEMA}): start that release, or set ?prefix=..."
        )
    return str(name.decode(errors="replace")) if name else ""


def _see_version(engine: Engine) -> None:
    name, _, version = engine.state.server.partition(" ")
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    if name == "Redis" and numbers and numbers < _OLDEST:
        raise SpoolProblem(f"the spool at {engine.address}: {engine.state.server} is too old: 7.0 or later is needed")


def _had(engine: Engine, answer: _T | Away) -> _T:
    if isinstance(answer, Away):
        raise SpoolProblem(f"the spool at {engine.address}: {answer.why}")
    return answer
