"""
A worker: the street door, the judge and the first call to SES, in a process of its own.

What only one may have, the supervisor has: spool, courier, policies, pace, budgets, metrics, journal and log. When the
wire to it breaks the worker lets nobody in any more, finishes what it can, and ends.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from relay.observe.events import Incident, Noted, Observer
from relay.observe.libraries import take_over_logging
from relay.observe.loop_lag import watch_loop_lag
from relay.observe.observers import fan_out
from relay.observe.plain import LONGEST_TEXT, trace_of
from relay.sending.ports import NotNow
from relay.smtp.budgets import Prefix
from relay.smtp.gossip import Guess, Tried
from relay.workers.asking import Asking
from relay.workers.crowd import Telling
from relay.workers.far import FarGates, FarIdentities, FarKey, FarPace, FarRoles, FarSpool
from relay.workers.house import FarRooms, WorkersHouse
from relay.workers.orders import Beginning, Orders
from relay.workers.sums import Sums
from relay.workers.tables import Memory, Shared
from relay.workers.telling import Teller
from relay.workers.wire import Message, Wire, unpickled

#: Seconds to finish what runs when the supervisor has died.
ORPHAN_SECONDS: Final = 5.0
#: Seconds that the supervisor has to hear what the kernel does not hold of the last that was told: less than it gives.
LAST_WORDS: Final = 2.0


class Worker:
    """One worker, at its end of the wire. :meth:`run` returns when it has done its work."""

    def __init__(self, end: socket.socket, books: socket.socket, when_open: Callable[[], None] = lambda: None) -> None:
        self._when_open = when_open
        self._wire = Wire(end, self._hear, self._orphaned)
        self._books = Wire(books, _nothing, lambda: None)
        self._sums = Sums(self._books.mention)
        self._observe = fan_out(Teller(self._books, self._sums))
        self._asking = Asking(self._wire, self._books, self._sums)
        self._far = FarRooms(
            self._asking,
            FarIdentities(self._asking),
            FarGates(),
            FarPace(self._asking),
            FarSpool(self._asking),
            FarKey(None, self._wire.say),
            FarRoles(self._asking, self._observe),
            lambda delegate: self._barred.get(delegate),  # noqa: PLW0108 - whatever is told by then
            self._observe,
        )
        self._barred: Mapping[str, NotNow] = {}
        self._waiting: list[Callable[[WorkersHouse], None]] = []  # what other doors tell, before there is one here
        self._house: WorkersHouse | None = None
        self._turn = asyncio.Lock()  # orders count one after the other, also those that come while the door opens
        self._over = asyncio.Event()
        self._errands: set[asyncio.Task[None]] = set()
        self._hears: dict[str, Callable[..., None]] = {
            "answer": self._asking.answered,
            "catalog": lambda piece: self._far.identities.take(unpickled(piece)),
            "hold": self._far.identities.hold,
            "shut": self._take_shut,
            "barred": self._take_barred,
            "keys": self._take_keys,
            "refused": self._take_refused,
            "marks": self._take_marks,
            "guess": self._take_guess,
            "elsewhere": self._take_elsewhere,
            "without": self._take_without,
            "open": lambda beginning, orders: self._run(self._open(unpickled(beginning), unpickled(orders))),
            "renew": lambda orders: self._run(self._renew(unpickled(orders))),
            "drain": lambda patience: self._run(self._drain(patience)),
        }

    async def run(self) -> None:
        """Serve until the supervisor hangs up."""
        put_back = take_over_logging(_Tells(self._observe))
        self._wire.open()
        lag = asyncio.create_task(watch_loop_lag(self._observe), name="loop-lag")
        await self._over.wait()
        lag.cancel()
        if self._house is not None:
            await self._house.close()
        self._sums.tell()
        self._books.close(patience=LAST_WORDS)
        self._wire.close()
        put_back()

    # What the supervisor says

    def _hear(self, batch: list[Message]) -> None:
        for what, *values in batch:
            try:
                self._hears[what](*values)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next message may go well
                self._observe(Incident(f"worker-{what}", "-", error))

    def _take_shut(self, shut: bytes) -> None:
        self._far.gates.shut = unpickled(shut)

    def _take_barred(self, barred: bytes) -> None:
        self._barred = unpickled(barred)

    def _take_keys(self, octets: bytes) -> None:
        keys = unpickled(octets)
        own = keys.pop(None, None)
        if own is not None:
            self._far.key.take(own)
        self._far.roles.take(keys)

    def _take_refused(self, refused: bytes) -> None:
        self._far.spool.refused = unpickled(refused)

    def _take_marks(self, key: bytes) -> None:
        self._at_door(lambda house: setattr(house.door.gossip, "key", unpickled(key)))

    def _take_guess(self, version: int, prefix: int, mark: int, tried: str, ago: float) -> None:
        guess = Guess((version, prefix), mark, Tried(tried))
        self._at_door(lambda house: house.door.heard(guess, ago))

    def _take_elsewhere(self, relay: str, counts: Mapping[Prefix, int]) -> None:
        self._at_door(lambda house: house.door.crowd.elsewhere(relay, counts))

    def _take_without(self, relay: str) -> None:
        self._at_door(lambda house: house.door.crowd.without(relay))

    def _at_door(self, tell: Callable[[WorkersHouse], None]) -> None:
        if self._house is None:
            self._waiting.append(tell)
        else:
            tell(self._house)

    async def _open(self, beginning: Beginning, orders: Orders) -> None:
        try:
            async with self._turn:
                house = self._house = await self._opened(beginning, orders)
        except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor has to know
            self._wire.say("failed", f"{type(error).__name__}: {error}")
            return
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell(house)
        self._wire.say("serving")
        self._when_open()

    async def _opened(self, beginning: Beginning, orders: Orders) -> WorkersHouse:
        memory = Memory(beginning.workers, beginning.key, beginning.memory)
        house = WorkersHouse(orders, Shared(memory, beginning.number), self._far)
        house.door.gossip.tell = self._tell_guess
        Telling(house.door.crowd, self._books.mention)
        await house.open()
        return house

    async def _renew(self, orders: Orders) -> None:
        try:
            async with self._turn:
                if self._house is not None:
                    await self._house.renew(orders)
                self._far.pace.renew()
        except Exception as error:  # noqa: BLE001 - what could not be taken over is told, the old goes on
            self._wire.say("renewed", f"{type(error).__name__}: {error}")
        else:
            self._wire.say("renewed", "")
        finally:
            self._far.identities.release()

    async def _drain(self, patience: float) -> None:
        is_quiet = self._house is None or await self._house.drain(patience)
        self._wire.say("drained", "quiet" if is_quiet else "cut short")

    def _orphaned(self) -> None:
        """The supervisor has hung up, or died: then nobody may come in, and what runs has a little time to end."""
        self._asking.end()
        self._run(self._leave())

    async def _leave(self) -> None:
        if self._house is not None:
            await self._house.drain(ORPHAN_SECONDS)
        self._over.set()

    # What the house asks

    def _tell_guess(self, guess: Guess) -> None:
        self._wire.say("guess", *guess.prefix, guess.mark, guess.tried.value)

    def _run(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def _nothing(batch: list[Message]) -> None:
    """Nobody speaks on the wire for the books but this worker."""


class _Tells:
    """What libraries log, as an event."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe

    def library(self, level: str, logger: str, text: str, error: BaseException | None) -> None:
        """Tell a line of a library."""
        trace = {} if error is None else {"exception": trace_of(error)[-LONGEST_TEXT:]}  # what it is stands last
        self._observe(Noted(level, "library", {"logger": logger, "text": text, **trace}))
