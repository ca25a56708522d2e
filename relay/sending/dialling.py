"""
From a host's name to a socket: addresses are asked for once in a while and tried one family after the other, each with
a short start over the next (RFC 8305, "Happy Eyeballs"): a family that is broken costs no message its time.

The event loops do not serve: uvloop's tries one address after the other, each for as long as the system likes.
"""

import asyncio
import socket
from itertools import chain, zip_longest
from typing import Any, Final, TypeAlias

#: Seconds that a name's addresses are used for.
NAME_SECONDS: Final = 30.0
#: Seconds before the next address is tried beside those under way (RFC 8305 section 5).
HEAD_START: Final = 0.25

#: A name or address, and a port.
Place: TypeAlias = tuple[str, int]
Address: TypeAlias = tuple[socket.AddressFamily, Any]


class Dialler:
    """Opens sockets."""

    def __init__(self) -> None:
        self._names: dict[Place, tuple[asyncio.Task[list[Address]], float]] = {}
        self._dialled = 0

    async def dial(self, place: Place) -> socket.socket:
        """
        Return a socket that is connected to *place*. Whoever calls bounds the time.

        Raises:
            OSError: There is no address, or none that answers.
        """
        self._dialled += 1
        try:
            addresses = await asyncio.shield(self._addresses(place))
            return await first_of(in_turns(addresses, self._dialled))
        except OSError:
            self._names.pop(place, None)
            raise

    def _addresses(self, place: Place) -> "asyncio.Task[list[Address]]":
        """Ask the system, once for all who want to know at the same time."""
        now = asyncio.get_running_loop().time()
        asked, until = self._names.get(place, (None, 0.0))
        if asked is None or until < now:
            asked = asyncio.create_task(_addresses_of(place))
            self._names[place] = asked, now + NAME_SECONDS
        return asked


async def _addresses_of(place: Place) -> list[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(*place, type=socket.SOCK_STREAM)
    except UnicodeError:  # of the codec for international names: an empty label, or one that is too long
        raise OSError("no name of a host") from None
    return [(family, address) for family, _, _, _, address in found]


def in_turns(addresses: list[Address], turn: int = 0) -> list[Address]:
    """
    Return *addresses* with the families in turns, that of the first one first.

    Within a family they begin with another one at each *turn*: connections spread over all that a name has.
    """
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    turned = [of[turn % len(of) :] + of[: turn % len(of)] for of in families.values()]
    return [address for address in chain.from_iterable(zip_longest(*turned)) if address is not None]


async def first_of(addresses: list[Address]) -> socket.socket:
    """
    Return a socket that is connected to the first of *addresses* to answer.

    Raises:
        OSError: All failed; the failure of the first to do so.
    """
    left, failures = iter(addresses), list[BaseException]()
    tries, running = list[asyncio.Task[socket.socket]](), set[asyncio.Task[socket.socket]]()
    try:
        while True:
            if address := next(left, None):
                tries.append(asyncio.create_task(_connected(*address)))
                running.add(tries[-1])
            elif not running:
                raise failures[0] if failures else OSError("a name without an address")
            patience = HEAD_START if address else None
            done, running = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                if failure := each.exception():
                    failures.append(failure)
                else:
                    tries.remove(each)
                    return each.result()
    finally:
        for each in tries:
            each.cancel()
            each.add_done_callback(_close_late)


def _close_late(late: "asyncio.Task[socket.socket]") -> None:
    """Close what connected after all."""
    if not late.cancelled() and late.exception() is None:
        late.result().close()


async def _connected(family: socket.AddressFamily, address: Any) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
