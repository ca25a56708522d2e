"""Names, each with a moment, the oldest first. Pure."""

import heapq
from collections.abc import Collection


class Oldest:
    """Names, each with a moment, the oldest first."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._moments)

    def __contains__(self, name: str) -> bool:
        return name in self._moments

    def put(self, name: str, moment: float) -> None:
        """Put *name* in, or elsewhere."""
        self._moments[name] = moment
        heapq.heappush(self._heap, (moment, name))
        if len(self._heap) > 2 * len(self._moments) + 64:
            self._heap = [(moment, name) for name, moment in self._moments.items()]
            heapq.heapify(self._heap)

    def drop(self, name: str) -> float | None:
        """Take *name* out and return its moment; None where it was not."""
        return self._moments.pop(name, None)

    def get(self, name: str) -> float | None:
        """Return the moment of *name*."""
        return self._moments.get(name)

    def first(self) -> tuple[float, str] | None:
        """Return the oldest and its moment."""
        while self._heap and self._moments.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def names(self) -> Collection[str]:
        """Return all names."""
        return self._moments.keys()
