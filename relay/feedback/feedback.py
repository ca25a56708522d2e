"""
Feedback: SES's events from SQS queues, attributed to delegates, counted, and what that comes to.

Nothing here is on the way of a message but :meth:`Feedback.restraint`.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from relay.feedback.options import FeedbackOptions
from relay.observe.events import Observer, StandingChanged
from relay.sending.ports import NotNow, Restraint
from relay.words.standings import Standing
from relay.words.unavailable import Unavailable

if TYPE_CHECKING:
    from relay.feedback.counting import Counting


class Feedback:
    """
    The feedback of one relay; without queues there is none, and nobody is judged by what was long ago.

    Args:
        options: As the settings say.
        observe: Hears of every event that is news, of standings, and of queues.
        clock: Seconds since the epoch.
        sender_of: Finds the delegate of a message by SES's name of it, where no tag tells; called in threads.

    """

    def __init__(
        self,
        options: FeedbackOptions,
        observe: Observer,
        *,
        clock: Callable[[], float] = time.time,
        sender_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._options = options
        self._observe = observe
        self._clock = clock
        self._sender_of = sender_of
        self._counting: Counting | None = None

    async def start(self) -> None:
        """Open the ledger, take up the standings that are there, and begin to read."""
        if not self.is_read:
            return
        from relay.feedback.counting import Counting  # noqa: PLC0415  most relays have no queue and load nothing of it

        self._counting = Counting(self._options, self._observe, clock=self._clock, sender_of=self._sender_of)
        await self._counting.start()

    async def renew(self, options: FeedbackOptions) -> None:
        """Take over other options; queues that stay are read on."""
        before, self._options = self._options, options
        for name in sorted(before.tolerances.keys() - options.tolerances.keys()):  # it costs them nothing any more
            self._observe(StandingChanged(name, Standing.GOOD, None, "", is_news=False))
        if (options.path, bool(options.queues)) != (before.path, bool(before.queues)):
            await self.close()
            await self.start()
        elif self._counting is not None:
            await self._counting.renew(options)

    async def close(self) -> None:
        """Read no more. What was not deleted from the queue comes again, and is known by then."""
        counting, self._counting = self._counting, None
        if counting is not None:
            await counting.close()

    def restraint(self, delegate: str) -> Restraint | None:
        """Return what its bounces and complaints cost a delegate now; None for nothing."""
        return None if self._counting is None else self._counting.restraint(delegate)

    def barred(self, delegate: str) -> NotNow | None:
        """Return what a suspended delegate hears; None for all others."""
        restraint = self.restraint(delegate)
        return None if restraint is None else restraint.barred

    def all_barred(self) -> dict[str, NotNow]:
        """Return the suspended delegates, each with what it hears."""
        if self._counting is None:
            return {}
        told = {name: self.barred(name) for name in self._counting.restrained()}
        return {name: barred for name, barred in told.items() if barred is not None}

    @property
    def is_read(self) -> bool:
        """Whether anything is read at all."""
        return bool(self._options.queues)

    def troubles(self) -> list[str]:
        """Tell which queues cannot be read, and why, and who is suspended."""
        return [] if self._counting is None else self._counting.troubles()

    def told_of(self, delegate: str) -> dict[str, Any] | None:
        """
        Return standing and counts of a delegate, or of ``other``, JSON-ready; None where nothing is read.

        ``standing``, ``since``, ``until``, ``why``; and ``windows`` with the counts and rates of 1h, 24h and 7d, as
        they were some seconds ago: asking costs nothing.
        """
        return None if self._counting is None else self._counting.told_of(delegate)

    async def resume(self, delegate: str) -> bool | Unavailable:
        """Forgive *delegate* what its mail did; return whether there is such a delegate, and feedback."""
        return self._counting is not None and await self._counting.resume(delegate)
