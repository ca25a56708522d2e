"""What became of messages in the last hour, minute by minute, for each delegate and reason: for people who watch."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from relay.observe.events import Event, MessageEnded
from relay.words.endings import Outcome, Reason
from relay.words.values import dataclass

#: Seconds that are counted together, and how many such spans are kept.
STEP: Final = 60
SPANS: Final = 60


@dataclass(frozen=True, slots=True)
class Series:
    """Messages of one delegate that ended alike: ``counts`` for each span, the oldest first. ``-`` is before AUTH."""

    delegate: str
    outcome: Outcome
    reason: Reason
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """All of the hour."""
        return sum(self.counts)


class Traffic:
    """
    An observer that counts. Delegates are those of the configuration, so what it keeps is bounded.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._spans: dict[int, Counter[tuple[str, Outcome, Reason]]] = {}

    def __call__(self, event: Event) -> None:
        """Count *event*."""
        if isinstance(event, MessageEnded):
            now = int(self._clock() // STEP)
            span = self._spans.get(now)
            if span is None:
                span = self._spans[now] = Counter()
                for old in [each for each in self._spans if not now - SPANS < each <= now]:
                    del self._spans[old]
            span[event.delegate, event.outcome, event.reason] += 1

    def ear(self, kind: type) -> Callable[[Event], None] | None:
        """Return itself for the kind that is counted."""
        return self if kind is MessageEnded else None

    def begin(self) -> float:
        """Return when the oldest span began, in seconds since the epoch."""
        return (self._clock() // STEP - SPANS + 1) * STEP

    def series(self) -> Iterator[Series]:
        """Yield what was counted, the most first."""
        first = int(self.begin()) // STEP
        spans = [self._spans.get(number, _NOTHING) for number in range(first, first + SPANS)]
        found = {key for span in spans for key in span}
        rows = [Series(*key, tuple(span[key] for span in spans)) for key in found]
        yield from sorted(rows, key=lambda row: (-row.total, row.delegate, row.outcome, row.reason))


_NOTHING: Final[Counter[tuple[str, Outcome, Reason]]] = Counter()
