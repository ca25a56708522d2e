"""What is under way, counted as it comes and goes: it is asked about for every message."""

import asyncio
from collections import Counter
from collections.abc import Iterator

from relay.sending.troubles import Lane
from relay.spool.details import ALONE
from relay.spool.entries import Entry
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be under way at once: calls to SES, and octets of messages in memory."""

    calls: int = 32
    octets: int = 32 << 20


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A message that is being sent; ``is_ours``: by a call of the courier's, else by one that was handed over."""

    entry: Entry
    lane: Lane
    task: "asyncio.Task[None]"
    is_ours: bool


class Slots:
    """
    Messages under way by their ids; counted are ours: calls handed over are not the courier's to bound.

    ``calls`` of ours; ``octets`` of their messages.
    """

    def __init__(self) -> None:
        self._each: dict[str, UnderWay] = {}
        self._on: dict[tuple[str, str], int] = {}
        self._alone = 0
        self.calls = 0
        self.octets = 0

    def __contains__(self, entry_id: str) -> bool:
        """Tell whether a message is under way."""
        return entry_id in self._each

    def __iter__(self) -> Iterator[str]:
        """Go through the ids of all."""
        return iter(self._each)

    @property
    def tasks(self) -> "list[asyncio.Task[None]]":
        """What brings each of them to its end."""
        return [each.task for each in self._each.values()]

    @property
    def has_alone(self) -> bool:
        """Whether one is under way beside which nothing else may be."""
        return self._alone > 0

    def of_delegates(self) -> Counter[str]:
        """Count ours by delegate."""
        return Counter(each.entry.session.delegate for each in self._each.values() if each.is_ours)

    def on(self, lane: Lane) -> int:
        """Count our calls to the account and region of *lane*."""
        return self._on.get((lane.account, lane.region), 0)

    def add(self, one: UnderWay) -> None:
        """Count one that begins."""
        self._each[one.entry.id] = one
        self._count(one, 1)

    def remove(self, entry_id: str) -> None:
        """Count one no more: it has ended."""
        self._count(self._each.pop(entry_id), -1)

    def _count(self, one: UnderWay, by: int) -> None:
        if one.is_ours:
            account = one.lane.account, one.lane.region
            self._on[account] = self._on.get(account, 0) + by
            self._alone += by * (ALONE in one.entry.details)
            self.calls += by
            self.octets += by * one.entry.size
