"""
Who sent which message, by SES's name of it: for what SES tells without our tag, as an identity's notifications do.

It is remembered since the start, for so many messages; events with the tag need none of it.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from relay.observe.events import Delivered, Event, MessageEnded

MOST: Final = 100_000


class Senders:
    """An observer that remembers the delegate of the last *most* messages; ``find`` may be called in any thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, str] = OrderedDict()  # a dict looks for its first past all that were let go

    def __call__(self, event: Event) -> None:
        """Remember what SES has taken."""
        tell = self.ear(type(event))
        if tell is not None:
            tell(event)

    def ear(self, kind: type) -> Callable[[Any], None] | None:
        """Return what is to be told of events of *kind*."""
        if kind is MessageEnded:
            return self._ended
        return self._delivered if kind is Delivered else None

    def find(self, ses_id: str) -> str | None:
        """Return the delegate that sent it, None for one that is not known."""
        return self._known.get(ses_id)

    def _ended(self, event: MessageEnded) -> None:
        ses_id = event.record.get("ses_id")
        if ses_id:
            self._remember(ses_id, event.delegate)

    def _delivered(self, event: Delivered) -> None:
        for ses_id in event.record.get("ses_ids", ()):
            self._remember(ses_id, event.delegate)

    def _remember(self, ses_id: str, delegate: str) -> None:
        self._known[ses_id] = delegate
        if len(self._known) > self._most:
            self._known.popitem(last=False)
