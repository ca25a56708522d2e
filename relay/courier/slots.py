"""What is under way, counted as it comes and goes: it is asked about for every message."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

from relay.sending.troubles import Lane
from relay.spool.details import ALONE
from relay.spool.entries import Entry
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be under way at once: calls to SES, and octets of messages in memory."""

    calls: int = 32
    octets: int = 32 << 20


@dataclass(slots=True)
class UnderWay:
    """
    A message that is being sent; ``is_ours``: by a call of the courier's, else by one that was handed over. ``step``
    brings it to its end: the commit of one that is new, then the attempt at it.
    """

    entry: Entry
    lane: Lane
    step: "asyncio.Future[Any]"
    is_ours: bool


class Slots:
    """
    Messages under way by their ids; counted are ours: calls handed over are not the courier's to bound.

    ``calls`` of ours; ``octets`` of their messages.
    """

    def __init__(self) -> None:
        self._each: dict[str, UnderWay] = {}
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
    def steps(self) -> "list[asyncio.Future[Any]]":
        """What brings each of them to its end."""
        return [each.step for each in self._each.values()]

    @property
    def has_alone(self) -> bool:
        """Whether one is under way beside which nothing else may be."""
        return self._alone > 0

    def of_delegates(self) -> Counter[str]:
        """Count ours by delegate."""
        return Counter(each.entry.session.delegate for each in self._each.values() if each.is_ours)

    def fit(self, lane: Lane, window: int) -> bool:
        """Tell whether fewer than *window* calls of ours go to the account and region of *lane*."""
        if self.calls < window:  # to all of them together, as nearly always
            return True
        account = lane.account, lane.region
        ours = [each.lane for each in self._each.values() if each.is_ours]
        return sum([(each.account, each.region) == account for each in ours]) < window

    def add(self, one: UnderWay) -> None:
        """Count one that begins."""
        entry = one.entry
        self._each[entry.id] = one
        if one.is_ours:
            self.calls += 1
            self.octets += entry.size
            self._alone += ALONE in entry.details

    def remove(self, entry_id: str) -> None:
        """Count one no more: it has ended."""
        one = self._each.pop(entry_id)
        if one.is_ours:
            self.calls -= 1
            self.octets -= one.entry.size
            self._alone -= ALONE in one.entry.details
