"""
Who goes next: a line for each delegate, and turns among them by recipients. Nobody's flood is another's drought.

Each delegate has a clock that its recipients move on; the one whose clock is behind goes first. Who comes late starts
at the present, not at zero: absence saves up nothing (start-time fair queueing; weights are equal, unless other relays
share the pace).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import field
from typing import Generic, Protocol, TypeVar

from relay.words.values import dataclass

_Waiting = TypeVar("_Waiting")


class Waiting(Protocol):
    """Who waits, for whoever divides the pace among relays."""

    weights: Mapping[str, float]

    @property
    def first(self) -> tuple[str, int]:
        """Who goes next: the delegate, and its message's recipients."""

    @property
    def recipients(self) -> dict[str, int]:
        """How many recipients wait, by delegate."""


@dataclass(slots=True)
class Line(Generic[_Waiting]):
    """Waiting messages by delegate. Adding and taking cost nothing but the number of delegates that wait."""

    weights: Mapping[str, float] = field(default_factory=dict)
    _queues: dict[str, deque[tuple[_Waiting, int]]] = field(default_factory=dict)
    _clocks: dict[str, float] = field(default_factory=dict)
    _present: float = 0.0

    def __bool__(self) -> bool:
        return bool(self._queues)

    @property
    def first(self) -> tuple[str, int]:
        """
        Who goes next: the delegate, and its message's recipients.

        Raises:
            ValueError: Nobody waits.
        """
        delegate = min(self._queues, key=self._clocks.__getitem__)
        return delegate, self._queues[delegate][0][1]

    @property
    def recipients(self) -> dict[str, int]:
        """How many recipients wait, by delegate."""
        return {delegate: sum(each for _, each in queue) for delegate, queue in self._queues.items()}

    def join(self, delegate: str, waiting: _Waiting, recipients: int) -> None:
        """Stand at the end of one's own delegate's queue."""
        if delegate not in self._queues:
            self._queues[delegate] = deque()
            self._clocks[delegate] = max(self._present, self._clocks.get(delegate, 0.0))
        self._queues[delegate].append((waiting, recipients))

    def leave(self, delegate: str, waiting: _Waiting) -> None:
        """Go away without a turn."""
        queue = self._queues.get(delegate, deque())
        for place, (other, _) in enumerate(queue):
            if other is waiting:
                del queue[place]
                break
        if not queue:
            self._queues.pop(delegate, None)

    def next(self) -> tuple[_Waiting, int]:
        """
        Take who goes next, with its recipients.

        Raises:
            ValueError: Nobody waits.
        """
        delegate = min(self._queues, key=self._clocks.__getitem__)
        queue = self._queues[delegate]
        waiting, recipients = queue.popleft()
        self._present = self._clocks[delegate]
        self._clocks[delegate] += recipients / self.weights.get(delegate, 1.0) if self.weights else recipients
        if not queue:
            del self._queues[delegate]
            self._forget()
        return waiting, recipients

    def _forget(self) -> None:
        """Keep the clocks that are ahead of the present, while anybody waits: they may come back at once."""
        if not self._queues:
            self._clocks, self._present = {}, 0.0
        elif len(self._clocks) > 2 * len(self._queues) + 64:
            self._clocks = {name: at for name, at in self._clocks.items() if name in self._queues or at > self._present}
