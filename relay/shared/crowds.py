"""
How many connections each relay has of each client, told to all: limits per client hold for them together.

Nothing is kept: each relay says what has changed, five times a second at most, and says that it is there; of one that
is not heard of its connections are forgotten. Who has missed something asks, and is told all.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from relay.shared.answers import Away
from relay.shared.engine import Engine
from relay.shared.prefixes import is_prefix, travels
from relay.smtp.budgets import Crowd, Prefix

#: Between two words about what changed, and about being there; silence after which a relay is taken for gone (seconds).
COALESCED: Final = 0.2
PRESENT: Final = 3.0
SILENCE: Final = 10.0
#: Clients in one word, its octets, the relays that are listened to, and the longest name of one.
AT_ONCE: Final = 500
LONGEST: Final = 65_536
MOST_RELAYS: Final = 2000
LONGEST_NAME: Final = 64
_MOST: Final = 1_000_000


class Crowds:
    """
    Args:
        crowd: Our own connections, told of the others'.
        me: Names this relay.
        tag: Names the channel.
        stir: Called when something is to be told.
        clock: Monotonic seconds.
    """

    def __init__(
        self, engine: Engine, crowd: Crowd, *, me: str, tag: str, stir: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._crowd = crowd
        self._me = me
        self._channel = f"{tag}:crowds"
        self._stir = stir
        self._clock = clock
        self._changed: dict[Prefix, None] = {}
        self._is_whole = True  # what is told next is all there is
        self._is_asking = True
        self._told_at = -PRESENT
        self._heard_at: dict[str, float] = {}
        crowd.tell = self._note

    def subscribe(self) -> Callable[[], None]:
        """Listen until the answer is called."""
        return self._engine.subscribe(self._channel, self._hear, self._missed)

    def _note(self, prefix: Prefix) -> None:
        if travels(prefix):
            if not self._changed:
                self._stir()
            self._changed[prefix] = None

    @property
    def pause(self) -> float:
        """Seconds until something is to be told."""
        waits = COALESCED if self._changed or self._is_whole or self._is_asking else PRESENT
        return max(0.0, self._told_at + waits - self._clock())

    async def send(self) -> None:
        """Tell what has changed, or all; and forget who is gone."""
        self._forget()
        if self.pause > 0:
            return
        self._told_at = self._clock()
        changed: Iterable[Prefix] = [*self._crowd.prefixes] if self._is_whole else [*self._changed]
        is_whole, is_asking = self._is_whole, self._is_asking
        self._is_whole = self._is_asking = False
        self._changed.clear()
        counts = ([*prefix, self._crowd.here(prefix)] for prefix in changed if travels(prefix))
        while True:
            some = list(islice(counts, AT_ONCE))
            told = {"by": self._me, "whole": is_whole, "ask": is_asking, "counts": some}
            answer = await self._engine.publish(self._channel, json.dumps(told, separators=(",", ":")))
            if isinstance(answer, Away):
                self._is_whole = True
                self._is_asking = self._is_asking or is_asking
                return
            is_whole = is_asking = False
            if len(some) < AT_ONCE:
                return

    def _missed(self) -> None:
        """Forget all: what is true now, the others will tell."""
        for relay in tuple(self._heard_at):
            self._lose(relay)
        self._is_asking = self._is_whole = True
        self._stir()

    def _forget(self) -> None:
        silent = self._clock() - SILENCE
        for relay in [relay for relay, at in self._heard_at.items() if at < silent]:
            self._lose(relay)

    def _lose(self, relay: str) -> None:
        del self._heard_at[relay]
        self._crowd.without(relay)

    def _hear(self, payload: bytes) -> None:
        """Hear another relay; what makes no sense is passed over."""
        with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            told = json.loads(payload) if len(payload) <= LONGEST else {"by": self._me}
            relay = told["by"]
            if type(relay) is str and relay != self._me and len(relay) <= LONGEST_NAME:
                self._take(relay, told)

    def _take(self, relay: str, told: dict[str, Any]) -> None:
        is_new = relay not in self._heard_at
        if is_new and len(self._heard_at) >= MOST_RELAYS:
            return
        self._heard_at[relay] = self._clock()
        if told["whole"]:
            self._crowd.without(relay)
        elif is_new:  # it was silent, or we have missed how it began
            self._is_asking = True
            self._stir()
        if told["ask"]:
            self._is_whole = True
            self._stir()
        self._crowd.elsewhere(relay, dict(_counts(told["counts"])))


def _counts(told: Any) -> Iterable[tuple[Prefix, int]]:
    for version, prefix, count in told[:AT_ONCE]:
        if is_prefix(each := (version, prefix)) and type(count) is int:
            yield each, min(count, _MOST)
