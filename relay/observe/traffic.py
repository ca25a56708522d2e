"""What became of messages in the last hour, minute by minute, for each delegate and reason: for people who watch."""

from collections.abc import Callable
from heapq import nsmallest
from typing import Any, Final, TypeAlias

from relay.observe.events import Event, MessageEnded
from relay.words.endings import Outcome, Reason
from relay.words.values import dataclass

#: Seconds that are counted together, and how many such spans are kept.
STEP: Final = 60
SPANS: Final = 60

_Key: TypeAlias = tuple[str, Outcome, Reason]


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
        self._spans: dict[int, dict[_Key, int]] = {}
        self._totals: dict[_Key, int] = {}  # of all spans that are kept

    def __call__(self, event: Event) -> None:
        """Count *event*."""
        if isinstance(event, MessageEnded):
            self._ended(event)

    def ear(self, kind: type) -> Callable[[Any], None] | None:
        """Return what counts events of *kind*."""
        return self._ended if kind is MessageEnded else None

    def _ended(self, event: MessageEnded) -> None:
        now = int(self._clock() // STEP)
        span = self._spans.get(now)
        if span is None:
            self._forget(now)
            span = self._spans[now] = {}
        key = event.delegate, event.outcome, event.reason
        span[key] = span.get(key, 0) + 1
        self._totals[key] = self._totals.get(key, 0) + 1

    def _forget(self, now: int) -> None:
        """Let go of spans that are no part of the last hour."""
        for old in [each for each in self._spans if not now - SPANS < each <= now]:
            for key, count in self._spans.pop(old).items():
                self._totals[key] -= count
                if not self._totals[key]:
                    del self._totals[key]

    def begin(self) -> float:
        """Return when the oldest span began, in seconds since the epoch."""
        return (self._clock() // STEP - SPANS + 1) * STEP

    def series(self, most: int, is_wanted: Callable[[str], bool] = lambda _: True) -> tuple[list[Series], int]:
        """
        Return what was counted for the delegates that are wanted, the most first, and the messages that it leaves out.

        Args:
            most: Rows. Their counts alone are gathered: there may be thousands of delegates, and mail waits meanwhile.
            is_wanted: Whether a delegate, by name, is.
        """
        first = int(self.begin()) // STEP
        self._forget(first + SPANS - 1)
        totals = [(total, key) for key, total in self._totals.items() if is_wanted(key[0])]
        chosen = nsmallest(most, totals, key=lambda each: (-each[0], *each[1]))
        spans = [self._spans.get(number, {}) for number in range(first, first + SPANS)]
        rows = [Series(*key, tuple([span.get(key, 0) for span in spans])) for _, key in chosen]
        return rows, sum(total for total, _ in totals) - sum(total for total, _ in chosen)
