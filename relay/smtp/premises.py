"""What all connections of the street door share."""

import asyncio
import mmap
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import field
from typing import Any, Protocol

from relay.observe.events import Observer
from relay.smtp.behind_tls import READ_SIZE
from relay.smtp.budgets import Crowd, Guesses, Ledger, Prefix
from relay.smtp.limits import Limits
from relay.smtp.ports import Delegates, MakeRecord, Reception, RecipientDomains
from relay.smtp.regulars import Regulars
from relay.words.values import dataclass


def _place() -> memoryview:
    """Make room that takes no memory before it is used, nor more of it than was."""
    return memoryview(mmap.mmap(-1, READ_SIZE))


class Visitor(Protocol):
    """A connection, as the door sees it."""

    def wind_down(self) -> None:
        """Finish what is running, then say goodbye."""

    def cut_short(self) -> None:
        """Say goodbye at the next word of the client, whatever is open."""

    def cut(self) -> None:
        """Drop the connection now."""


@dataclass(slots=True)
class Premises:
    """
    The door's inside: who decides, who is told, and what is counted over all connections.

    ``limits`` and ``tls_context`` may be replaced while sessions run; a connection keeps those it began with.
    ``tls_place``: where all that comes by TLS is read into.
    """

    hostname: str
    limits: Limits
    tls_context: ssl.SSLContext | None
    reception: Reception
    delegates: Delegates
    observe: Observer
    make_record: MakeRecord
    new_id: Callable[[], str]
    monotonic: Callable[[], float]
    guesses: Guesses
    regulars: Regulars
    recipient_domains: RecipientDomains | None = None
    crowd: Crowd = field(default_factory=Crowd)
    ledger: Ledger = field(default_factory=Ledger)
    draining: bool = False
    tls_place: memoryview = field(default_factory=_place)
    visitors: set[Visitor] = field(default_factory=set)
    errands: set[asyncio.Task[Any]] = field(default_factory=set)
    empty: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self, visitor: Visitor) -> None:
        """Let a connection in."""
        self.visitors.add(visitor)
        self.empty.clear()

    def leave(self, visitor: Visitor, prefix: Prefix) -> None:
        """Note that a connection is gone."""
        if visitor in self.visitors:
            self.visitors.discard(visitor)
            self.crowd.leave(prefix)
            self._look_around()

    def run(self, errand: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start what must come to its end even when its client is gone."""
        task = asyncio.get_running_loop().create_task(errand)
        self.errands.add(task)
        self.empty.clear()
        task.add_done_callback(self._done)
        return task

    async def emptied(self) -> None:
        """Wait until nobody is inside and nothing under way."""
        while not self.empty.is_set():
            await self.empty.wait()  # what ended may have led to more since

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self.errands.discard(task)
        self._look_around()

    def _look_around(self) -> None:
        if not self.visitors and not self.errands:
            self.empty.set()
