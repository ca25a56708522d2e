"""What became of each delegate's messages since the start, and when it was last here: for people."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import field

from relay.observe.events import AuthTried, Event, MessageEnded
from relay.words.endings import Outcome
from relay.words.values import dataclass


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
        match event:
            case AuthTried(result="ok", delegate=str(name)):
                self._of(name)
            case MessageEnded(delegate=name) if name != "-":
                count = self._of(name)
                count.messages[event.outcome] += 1
                if event.outcome in {Outcome.ACCEPTED, Outcome.QUEUED}:
                    count.recipients += event.recipients

    def ear(self, kind: type) -> Callable[[Event], None] | None:
        """Return itself for the kinds that are counted."""
        return self if kind in (AuthTried, MessageEnded) else None

    def _of(self, name: str) -> Count:
        count = self._counts.setdefault(name, Count())
        count.last_seen = self._clock()
        return count
