"""
Owners' changes of identities and policies, heard through a queue: what changed is read again at once.

CloudTrail tells within minutes as a rule, and nobody promises that: the directory's own rounds go on as ever.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from relay.feedback.policy_changes import PolicyChange, read_policy_change
from relay.feedback.queues import Letter, Queue, QueueReader, sort_letters
from relay.identities.ports import Directory
from relay.observe.events import Event, Noted, Observer, QueueRead
from relay.words.arns import IdentityArn

PURPOSE: Final = "policies"
#: Seconds in which one identity, or all of them, are read again no more than once for such events.
PAUSE: Final = 5.0
#: Identities that wait for their turn; with more everything is read again.
MOST_WAITING: Final = 10_000


class PolicyEvents:
    """
    Reads queues of such events, and lets *directory* read again what changed.

    Args:
        directory: Returns the directory of the moment: a reload brings another one.
        observe: Hears of queues, and of every change.
        clock: Monotonic seconds.

    """

    def __init__(
        self, directory: Callable[[], Directory], observe: Observer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._observe = observe
        self._clock = clock
        self._readers: dict[Queue, tuple[QueueReader[_Found], asyncio.Task[None]]] = {}
        self._done: dict[IdentityArn | None, float] = {}
        self._waiting: dict[IdentityArn | None, asyncio.TimerHandle] = {}

    async def renew(self, queues: Sequence[Queue]) -> None:
        """Read *queues* from now on, and no others."""
        await self._stop([queue for queue in self._readers if queue not in queues])
        for queue in queues:
            if queue not in self._readers:
                reader = QueueReader(queue, PURPOSE, take=_take, told=self._told, observe=self._observe)
                self._readers[queue] = reader, asyncio.create_task(reader.run(), name=f"queue {queue.name}")

    async def close(self) -> None:
        """Read no more."""
        await self._stop(list(self._readers))
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()

    @property
    def is_read(self) -> bool:
        """Whether there is a queue."""
        return bool(self._readers)

    def troubles(self) -> list[str]:
        """Tell which queues cannot be read, and why."""
        return [f"{queue.name}: {reader.why}" for queue, (reader, _) in self._readers.items() if reader.why]

    async def _stop(self, queues: Sequence[Queue]) -> None:
        tasks = [self._readers.pop(queue)[1] for queue in queues]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _told(self, found: "_Found") -> None:
        """Hear what was read; foreign accounts and regions are ignored, once and for all."""
        changes, events = found
        for event in events:
            self._observe(event)
        places = {(state.account, state.region) for state in self._directory().places()}
        for change in changes:
            is_ours = (change.account, change.region) in places
            self._observe(QueueRead(PURPOSE, "taken" if is_ours else "ignored"))
            if is_ours:
                self._changed(change)

    def _changed(self, change: PolicyChange) -> None:
        """Have it read again now, or as soon as its pause is over: the last change is never missed."""
        told = {"call": change.call, "account": change.account, "region": change.region}
        identity = None if change.identity is None else str(change.identity)
        self._observe(Noted("info", "policies.changed-at-ses", {**told, "identity": identity}))
        what = change.identity if len(self._waiting) < MOST_WAITING else None
        if what in self._waiting:
            return
        now = self._clock()
        wait = self._done.get(what, now - PAUSE) + PAUSE - now
        if wait <= 0:
            self._invalidate(what)
        else:
            self._waiting[what] = asyncio.get_running_loop().call_later(wait, self._invalidate, what)

    def _invalidate(self, what: IdentityArn | None) -> None:
        self._waiting.pop(what, None)
        now = self._clock()
        if len(self._done) > MOST_WAITING:
            self._done = {each: at for each, at in self._done.items() if now - at < PAUSE}
        self._done[what] = now
        self._directory().invalidate(what)


_Found = tuple[list[PolicyChange], list[Event]]


def _take(letters: Sequence[Letter]) -> _Found:
    return sort_letters(letters, read_policy_change, PURPOSE)
