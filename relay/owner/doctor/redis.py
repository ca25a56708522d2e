"""The Redis that relays share, and that of a spool: whether they are there, and do what is asked of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from relay.owner.doctor.findings import Finding, Look, failing, ok, warning
from relay.spools import Place

if TYPE_CHECKING:  # redis is an extra, and takes a moment of every start
    from relay.shared.address import Address
    from relay.shared.engine import Engine

#: Seconds that one answer may take: people wait longer than mail does.
_PATIENCE: Final = 5.0


def look_at_shared(url: str) -> Look:
    """Look whether the Redis at *url* lets this relay in, as ``shared.url`` names it."""
    return Look(("shared",), lambda: [asyncio.run(_shared(url))], asks="network")


def look_at_spool_server(place: Place) -> Look:
    """Look whether the Redis of *place* is there and promises what ``spool.url`` asks; nothing is written."""
    return Look(("spool.server",), lambda: [asyncio.run(_spool(place.url))], asks="network")


async def _shared(url: str) -> Finding:
    from relay.shared.address import read_address  # noqa: PLC0415 - an extra that few need

    async with _asked(read_address(url)) as engine:
        if not engine.state.is_up:
            return warning("shared", f"{engine.address} is away: {engine.state.why}", "")
        return ok("shared", f"{engine.address}: {engine.state.server}")


async def _spool(url: str) -> Finding:
    from relay.shared import spool_promise  # noqa: PLC0415 - an extra that few need
    from relay.shared.address import read_address  # noqa: PLC0415 - the same
    from relay.shared.answers import Away  # noqa: PLC0415 - the same

    wish = spool_promise.wish_of(url)
    async with _asked(read_address(url, ignored=spool_promise.PARAMETERS)) as engine:
        found = await spool_promise.look(engine)
        if isinstance(found, Away):
            return failing("spool.server", f"{engine.address} is away: {found.why}", "")
        if (lacking := spool_promise.problem_with(found, engine.state.server, wish)) is not None:
            return failing("spool.server", f"{engine.address}: {lacking}", "")
        return ok("spool.server", f"{engine.address}: {spool_promise.promise_of(found, wish)}")


@asynccontextmanager
async def _asked(address: "Address") -> AsyncIterator["Engine"]:
    from relay.shared.engine import Engine  # noqa: PLC0415 - an extra that few need

    engine = Engine(address, lambda _: None, deadline=_PATIENCE, connections=2, clock=time.monotonic)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()
