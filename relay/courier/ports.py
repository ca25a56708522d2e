"""What the courier asks of others: that somebody hears of what failed for good."""

from typing import Protocol

from relay.spool.entries import Entry


class Notices(Protocol):
    """Whoever tells senders that their message was not delivered."""

    async def owe(self, entry: Entry, why: str) -> None:
        """
        Take note that *entry* failed for good after its client heard 250, *why* in words.

        It is *failed* in the spool by now and stays there, counted, until its retention ends: what is not told at once
        can be told later. Called once; after a crash maybe once more.
        """


class NoNotices:
    """Nobody is told; the message is kept as *failed*."""

    async def owe(self, entry: Entry, why: str) -> None:
        """Leave it to the log, the metrics and the alert."""
