"""What all connections of the street door share."""

import asyncio
import mmap
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import field
from typing import Any, Final, Protocol

from relay.observe.events import Observer
from relay.smtp.behind_tls import READ_SIZE
from relay.smtp.budgets import Crowd, Guesses, Ledger, Prefix
from relay.smtp.limits import Limits
from relay.smtp.ports import Delegates, MakeRecord, Reception, RecipientDomains
from relay.smtp.regulars import Regulars
from relay.smtp.said import Said
from relay.words.values import dataclass

#: Between two looks at the clocks of all connections, at most.
_ROUND_SECONDS: Final = 1.0


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

    def glance(self, now: float) -> None:
        """Look whether its time is up; *now* is the loop's."""


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
    said: Said
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
    leaving: asyncio.Event | None = None
    is_watched: bool = False

    def enter(self, visitor: Visitor) -> None:
        """Let a connection in."""
        self.visitors.add(visitor)
        if not self.is_watched:
            self.is_watched = True
            self._look_again()

    def _look_again(self) -> None:
        asyncio.get_running_loop().call_later(min(_ROUND_SECONDS, self.limits.shortest / 4), self._look_around)

    def _look_around(self) -> None:
        """
        Look at the clocks of all, again and again while anybody is inside: a timer for each connection would cost as
        much as its greeting.
        """
        self.is_watched = bool(self.visitors)
        if self.is_watched:
            self._look_again()  # first: whatever one of them does, the next round comes
        now = asyncio.get_running_loop().time()
        for visitor in tuple(self.visitors):
            visitor.glance(now)

    def leave(self, visitor: Visitor, prefix: Prefix) -> None:
        """Note that a connection is gone."""
        if visitor in self.visitors:
            self.visitors.discard(visitor)
            self.crowd.leave(prefix)
            if self.leaving is not None:
                self.leaving.set()

    def run(self, errand: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start what must come to its end even when its client is gone."""
        task = asyncio.get_running_loop().create_task(errand)
        self.errands.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self.errands.discard(task)
        if self.leaving is not None:
            self.leaving.set()

    async def emptied(self) -> None:
        """Wait until nobody is inside and nothing under way; what ends may lead to more."""
        while self.visitors or self.errands:
            self.leaving = self.leaving or asyncio.Event()
            self.leaving.clear()
            await self.leaving.wait()
        self.said.tell()
