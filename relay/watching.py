"""Whoever is told of what happens, put together: metrics, log, journal, trail, and the counts of the console."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence

from relay.audit.trail import Surroundings, Trail
from relay.feedback.senders import Senders
from relay.journal.keeping import Journal
from relay.observe.events import Noted, Observer
from relay.observe.libraries import take_over_logging
from relay.observe.lines import Lines
from relay.observe.log import Log
from relay.observe.metrics import Metrics
from relay.observe.observers import fan_out
from relay.observe.redaction import RedactedTexts
from relay.observe.tally import Tally
from relay.observe.traffic import Traffic
from relay.settings.model import Settings
from relay.translation import book_of, log_options, pinned_of


class Watching:
    """
    Watches the relay from ``start`` to ``close``; all that happens is told to ``observe``.

    ``around`` is what the trail compares; ``observers`` are told of every event, too. Log lines of what is told within
    ``with together()`` are written at once.
    """

    def __init__(self, settings: Settings, around: Surroundings, observers: Sequence[Observer]) -> None:
        self._lines = Lines()
        self.together = self._lines.together
        self._log = Log(log_options(settings), write=self._lines.write, key=secrets.token_bytes(32))
        self._put_back_logging: Callable[[], None] = lambda: None
        self.metrics = Metrics(
            delegates=[each.name for each in settings.delegate],
            listeners=[str(each.address) for each in settings.listener],
            max_identities=settings.metrics.max_identities,
            identities=pinned_of(settings),
        )
        journal, records = settings.journal, self._log.records
        told = fan_out(self.metrics, self._log, *observers)
        self.trail = Trail(book_of(settings), around, told, keep=journal.keep)
        texts = records if not journal.redact else RedactedTexts(records, journal.redact)
        self.journal = Journal(journal.path, journal.entries, texts=texts, observe=fan_out(told, self.trail))
        self.tally, self.traffic, self.senders = Tally(time.time), Traffic(time.time), Senders()
        counts = (self.tally, self.traffic, self.senders)
        self.observe = fan_out(self.metrics, self._log, self.journal, self.trail, *counts, *observers)

    async def start(self) -> None:
        """Hear what libraries log, and keep decisions. The trail starts when policies have been read."""
        self._put_back_logging = take_over_logging(self._log)
        await asyncio.to_thread(self.journal.start)

    async def close(self, last: Noted) -> None:
        """Keep what waits to be kept, and tell *last*."""
        await asyncio.to_thread(self.journal.close)
        self.observe(last)
        await self.trail.close()
        self._lines.close()
        self._put_back_logging()
