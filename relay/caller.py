"""Who the relay itself is to AWS: asked of STS until it answers, and known from then on."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from relay.observe import labels
from relay.observe.events import Noted, Observer
from relay.sending.callers import Caller
from relay.sending.door import SesDoor
from relay.settings.model import Settings
from relay.words.delegates import CALLER

#: Between two questions to STS, which cost nothing, and what the start waits for the first answer.
RETRY_SECONDS: Final = 2.0
RARELY_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 3.0


class OwnCaller:
    """
    Asks STS by the relay's own key.

    ``settings`` are those of now; ``known`` is called once, with the answer: ``arn`` and ``account`` are set by then.
    """

    def __init__(
        self,
        ses: SesDoor,
        settings: Callable[[], Settings],
        known: Callable[[Caller], Awaitable[None]],
        observe: Observer,
    ) -> None:
        self._ses, self._settings, self._known, self._observe = ses, settings, known, observe
        self.arn: str | None = None
        self.account = labels.UNKNOWN

    async def start(self) -> None:
        """Where mail waits for the answer, wait for it, too, a little."""
        if self._is_needed():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ask(), PATIENCE_SECONDS)

    async def run(self) -> None:
        """Ask until STS answers: often where mail waits for it."""
        pause = RETRY_SECONDS if self._is_needed() else 0.0
        while self.arn is None:
            await asyncio.sleep(pause)
            await self._ask()
            pause = RETRY_SECONDS if self._is_needed() else RARELY_SECONDS

    async def _ask(self) -> None:
        found = await self._ses.caller_identity(self._settings().ses.region or "us-east-1")
        if isinstance(found, Caller):
            self.arn, self.account = found.arn, found.account
            await self._known(found)
        elif self._is_needed():
            self._observe(Noted("warning", "caller.unknown", {"why": found.why}))

    def _is_needed(self) -> bool:
        """Whether mail waits for it: of a delegate that is the relay itself, or notifications. Else it is a label."""
        notices, delegates = self._settings().notifications, self._settings().delegate
        notifies = notices.sender is not None and notices.role is None
        return notifies or any(each.principal == CALLER for each in delegates)
