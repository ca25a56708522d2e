"""The connections of all workers, on their way to other relays, and theirs on the way to the workers."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from relay.smtp.budgets import Crowd, Prefix

#: Seconds for which a worker gathers what changes: much comes and goes at the same prefix.
GATHERING: Final = 0.1
#: Prefixes in one message to a worker.
AT_ONCE: Final = 1000


class StaffCrowd(Crowd):
    """
    The supervisor's count, a moment old: no limit hangs by it here. ``say`` reaches every worker.

    What it is told of elsewhere, workers count beside their own at once.
    """

    def __init__(self, say: Callable[..., None]) -> None:
        super().__init__()
        self._say = say
        self._of_workers: dict[int, dict[Prefix, int]] = {}

    def heard(self, worker: int, counts: Mapping[Prefix, int]) -> None:
        """Hear how many connections *worker* has now of these prefixes."""
        held = self._of_workers.setdefault(worker, {})
        for prefix, count in counts.items():
            more = count - held.pop(prefix, 0)
            if count:
                held[prefix] = count
            for _ in range(more):
                self.enter(prefix)
            for _ in range(-more):
                self.leave(prefix)

    def gone(self, worker: int) -> None:
        """Forget the connections of *worker*: they have ended with it."""
        self.heard(worker, dict.fromkeys(self._of_workers.get(worker, ()), 0))

    def elsewhere(self, source: str, counts: Mapping[Prefix, int]) -> None:
        """Learn how many connections of these prefixes are open at *source*, and tell the workers."""
        super().elsewhere(source, counts)
        self._say("elsewhere", source, dict(counts))

    def without(self, source: str) -> None:
        """Forget what *source* said, and have the workers forget it."""
        super().without(source)
        self._say("without", source)

    def tell_all(self, say: Callable[..., None]) -> None:
        """Tell a new worker what is open elsewhere."""
        for source, held in self._elsewhere.items():
            left = iter(held.items())
            while some := dict(islice(left, AT_ONCE)):
                say("elsewhere", source, some)


class Telling:
    """Tells the supervisor of a worker's own connections, as they change."""

    def __init__(self, crowd: Crowd, mention: Callable[[tuple[Any, ...]], None]) -> None:
        self._crowd = crowd
        self._mention = mention
        self._changed: set[Prefix] = set()
        crowd.tell = self._note

    def _note(self, prefix: Prefix) -> None:
        if not self._changed:
            asyncio.get_running_loop().call_later(GATHERING, self._tell)
        self._changed.add(prefix)

    def _tell(self) -> None:
        changed, self._changed = self._changed, set()
        self._mention(("crowd", {prefix: self._crowd.here(prefix) for prefix in changed}))
