"""Decisions of the past explained: the judge asked again, by the policies of then, for the admin endpoint."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from relay.console.spool_pages import Json
from relay.judgement.catalog import Catalog
from relay.judgement.rules import Rules
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

if TYPE_CHECKING:
    from relay.owner.policy_texts import PolicyTexts

#: Questions that may wait while another is answered: each takes the interpreter from the mail.
MOST_WAITING: Final = 8
_BUSY: Final = Unavailable("too many ask at once: ask again in a moment")


@dataclass(frozen=True, slots=True)
class Present:
    """
    What holds now. ``delegate`` finds one by name. ``texts``: where texts of the past are kept, None for nowhere; those
    in ``catalog`` are known anyway.
    """

    delegate: Callable[[str], Delegate | None]
    rules: Callable[[], Rules]
    catalog: Callable[[], Catalog]
    texts: "PolicyTexts | None" = None


class PastDesk:
    """Explains records, in a thread, one after the other."""

    def __init__(self, present: Present) -> None:
        self._present = present
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def explain(self, record: str) -> Json | Unavailable:
        """Explain the decision of *record*, JSON."""
        if self._waiting >= MOST_WAITING:
            return _BUSY
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._explained, json.loads(record))
        finally:
            self._waiting -= 1

    def _explained(self, record: Mapping[str, Any]) -> Json:
        from relay.owner.past import explained  # noqa: PLC0415  who asks first loads it

        now = self._present
        told = explained(record, now.delegate, now.rules(), alive=now.catalog(), texts=now.texts)
        return Json(json.dumps(told))
