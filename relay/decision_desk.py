"""The journal's decisions, for the admin endpoint, which does not know it."""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

from relay.console.asked import limit_of, once
from relay.console.spool_pages import Declined, Json
from relay.journal.keeping import Journal
from relay.journal.queries import Wanted, decision, page
from relay.journal.ring import SEVERITY
from relay.past_desk import PastDesk
from relay.words.endings import Outcome, Reason
from relay.words.unavailable import Unavailable

_READERS: Final = 2
_FIELDS: Final = ("delegate", "verdict", "outcome", "reason", "since", "until", "limit", "after")
_WORDS: Final[Mapping[str, Sequence[str]]] = {
    "verdict": SEVERITY,
    "outcome": tuple(each.value for each in Outcome),
    "reason": tuple(each.value for each in Reason),
}
_DELEGATE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,128}", re.ASCII)
_UNKNOWN: Final = Declined("no decision of this id is kept", is_known=False)

_T = TypeVar("_T")


class DecisionDesk:
    """A :class:`relay.console.decision_pages.DecisionsPort` over the running journal, which is asked in threads."""

    def __init__(self, journal: Journal, past: PastDesk) -> None:
        self._journal = journal
        self._past = past
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="decisions")

    async def listed(
        self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None
    ) -> Json | Declined | Unavailable:
        """List a page of decisions, the newest first."""
        wanted, limit, after = _read(asked, delegates)
        found = await self._ask(partial(page, wanted=wanted, limit=limit, after=after))
        if isinstance(found, Unavailable):
            return found
        following = "null" if found.next is None else f'"{found.next}"'
        return Json(f'{{"decisions":[{",".join(found.texts)}],"next":{following}}}')

    async def shown(self, name: str, delegates: frozenset[str] | None = None) -> Json | Declined | Unavailable:
        """Tell the whole record."""
        if not _ID.fullmatch(name):
            return _UNKNOWN
        found = await self._ask(partial(decision, name=name, delegates=delegates))
        if isinstance(found, Unavailable):
            return found
        return _UNKNOWN if found is None else Json(found)

    async def explained(self, name: str, delegates: frozenset[str] | None = None) -> Json | Declined | Unavailable:
        """Explain it, as far as the judge can be asked again."""
        record = await self.shown(name, delegates)
        return await self._past.explain(record) if isinstance(record, str) else record

    def close(self) -> None:
        """Answer nobody any more."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, ask: Callable[[sqlite3.Connection], _T]) -> _T | Unavailable:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._journal.read, ask)
        except ValueError as damaged:
            return Unavailable(str(damaged))


def _read(asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None) -> tuple[Wanted, int, str | None]:
    wanted = once(asked, _FIELDS)
    for name, known in _WORDS.items():
        if wanted.get(name, known[0]) not in known:
            raise ValueError(f"{name} is one of {', '.join(known)}")
    if not _DELEGATE.fullmatch(wanted.get("delegate", "-")):
        raise ValueError("delegate is a name: letters, digits, _ and -; or - alone, for mail before AUTH")
    if not _ID.fullmatch(wanted.get("after", "-")):
        raise ValueError("after is the id of a decision")
    plain = {name: wanted.get(name) for name in ("delegate", *_WORDS)}
    since, until = (_moment(name, wanted.get(name)) for name in ("since", "until"))
    return (
        Wanted(**plain, since=since, until=until, delegates=delegates),
        limit_of(wanted.get("limit")),
        wanted.get("after"),
    )


def _moment(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is a time such as 2026-11-21T12:00:00Z") from None
