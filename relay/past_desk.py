"""Decisions of the past explained: the judge asked again, by the policies of then, for the admin endpoint."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from relay.console.spool_pages import Json
from relay.journal.schema import JournalProblem
from relay.judgement.catalog import Catalog
from relay.judgement.rules import Rules
from relay.owner.again import Again, judge_again
from relay.owner.catalogs import KeptText
from relay.owner.observed import HashedAddresses, NotReplayable, Observed
from relay.owner.policy_texts import PolicyTexts
from relay.owner.records import read_observed
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

#: Questions that may wait while another is answered: each takes the interpreter from the mail.
MOST_WAITING: Final = 8
#: Recipients of a message that is judged again: more would keep the interpreter from the mail.
MOST_RECIPIENTS: Final = 100
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
    texts: PolicyTexts | None = None


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
        seen, why = _observed(record)
        again = None if seen is None else self._again(seen)
        if again is None:
            return _told(why or "no identity governed its addresses")
        is_same = seen is not None and seen.answer.reason == again.answer.reason
        return _told(None, explanation=again.told, gone=list(again.gone), same_answer=is_same)

    def _again(self, seen: Observed) -> Again | None:
        present = self._present
        delegate = present.delegate(seen.delegate)
        if delegate is None or delegate.principal != seen.principal:
            delegate = seen.recorded_delegate()
        return judge_again(seen, delegate, present.rules(), self._kept(seen), present.catalog())

    def _kept(self, seen: Observed) -> list[KeptText]:
        if self._present.texts is None:
            return []
        try:
            return self._present.texts.texts([digest for role in seen.roles for digest in role.digests])
        except JournalProblem:
            return []  # its texts are then told as gone


def _observed(record: Mapping[str, Any]) -> tuple[Observed | None, str | None]:
    """Read what can be judged again, or say why there is nothing."""
    try:
        seen = read_observed(record)
    except HashedAddresses as problem:
        return None, str(problem)
    if isinstance(seen, NotReplayable):
        return None, seen.why
    if seen.answer.verdict == "sealed":
        return None, "SES alone judged it"
    if len(seen.recipients) > MOST_RECIPIENTS:
        return None, f"it has more than {MOST_RECIPIENTS} recipients: ses-relay explain --decision judges it again"
    return seen, None


def _told(
    why_not: str | None,
    *,
    explanation: Mapping[str, Any] | None = None,
    gone: list[str] | None = None,
    same_answer: bool | None = None,
) -> Json:
    told = {"not_judged_again": why_not, "policies_gone": gone or [], "same_answer": same_answer}
    return Json(json.dumps({**told, "explanation": explanation}))
