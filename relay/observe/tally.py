"""What became of each delegate's messages since the start, and when it was last here: for people."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final

from relay.observe.events import AuthTried, Event, MessageEnded
from relay.words.endings import Outcome
from relay.words.values import dataclass

_TAKEN: Final = frozenset({Outcome.ACCEPTED, Outcome.QUEUED})


@dataclass(slots=True)
class Count:
    """One delegate's: messages by their outcome, recipients of what was taken, and seconds since the epoch."""

    messages: Counter[Outcome] = field(default_factory=Counter)
    recipients: int = 0
    last_seen: float | None = None


class Tally:
    """
    An observer that counts for every delegate; names are those of the configuration.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[str, Count] = {}
        self.since = clock()

    @property
    def counts(self) -> Mapping[str, Count]:
        """What was counted of those who were here."""
        return self._counts

    def __call__(self, event: Event) -> None:
        """Count *event*."""
        count = self.ear(type(event))
        if count is not None:
            count(event)

    def ear(self, kind: type) -> Callable[[Any], None] | None:
        """Return what counts events of *kind*."""
        if kind is MessageEnded:
            return self._message_ended
        return self._auth_tried if kind is AuthTried else None

    def _auth_tried(self, event: AuthTried) -> None:
        if event.result == "ok" and event.delegate is not None:
            self._of(event.delegate)

    def _message_ended(self, event: MessageEnded) -> None:
        if event.delegate == "-":
            return
        count = self._of(event.delegate)
        count.messages[event.outcome] += 1
        if event.outcome in _TAKEN:
            count.recipients += event.recipients

    def _of(self, name: str) -> Count:
        count = self._counts.get(name)
        if count is None:
            count = self._counts[name] = Count()
        count.last_seen = self._clock()
        return count
