"""
Judgements that hold for later messages, too: what permitted one permits the next that cannot be told from it.

A judgement depends on its arguments and nothing else. Of these a message's recipients and the time matter only where a
policy asks for them; then, and for whatever is refused, every message is judged by itself.
"""

from collections.abc import Hashable
from typing import Final, TypeAlias

from relay.judgement.catalog import Catalog
from relay.judgement.choice import Choice, Grounds
from relay.judgement.early import judge_early_by
from relay.judgement.message import Bulk, judge_by
from relay.judgement.observing import mode_of
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement
from relay.mail.facts import MessageFacts
from relay.words.addresses import ReversePath
from relay.words.apis import MOST_RECIPIENTS, apis_for
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope

#: Condition keys that differ from message to message, though it looks the same.
OF_ONE_MESSAGE: Final = frozenset({"ses:recipients", "aws:currenttime", "aws:epochtime"})
#: Judgements remembered; one more, and all are forgotten: there are few authors in most houses.
MOST_REMEMBERED: Final = 4096

_Entry: TypeAlias = tuple[Delegate, Grounds, Judgement | None]


class Memory:
    """Answers as :func:`judge_by` and :func:`judge_early_by` do, from memory where the answer must be the same."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._by: tuple[Catalog, Rules] | None = None
        self._entries: dict[Hashable, _Entry] = {}

    def judge(self, choice: Choice, facts: MessageFacts, envelope: Envelope, bulk: Bulk) -> Judgement:
        """Judge a message, or remember how one was judged that was the same in all that matters."""
        if bulk.batches is not None or len(envelope.forward_paths) > MOST_RECIPIENTS:
            return judge_by(choice, facts, envelope, bulk=bulk)
        key = (
            choice.delegate.name,
            mode_of(choice.delegate, choice.rules, choice.now),
            envelope.reverse_path,
            facts.author,
            facts.display_name,
            facts.return_path,
            facts.source_arn,
            facts.from_arn,
            facts.return_path_arn,
            tuple(facts.x_ses.items()),
            apis_for(bulk.octets),
            len(envelope.forward_paths) > 1,  # read in two ways, if only by statements about others
        )
        entry = self._find(key, choice)
        if entry is not None and entry[2] is not None:
            return entry[2]
        judgement = judge_by(choice, facts, envelope, bulk=bulk)
        if judgement.permit is not None and judgement.unenforced is None:
            self._keep(key, choice, judgement)
        return judgement

    def judge_early(self, choice: Choice, reverse_path: ReversePath) -> Judgement | None:
        """Refuse at MAIL, or remember that there was no reason to."""
        key = (choice.delegate.name, mode_of(choice.delegate, choice.rules, choice.now), reverse_path)
        if self._find(key, choice) is not None:
            return None
        judgement = judge_early_by(choice, reverse_path)
        if judgement is None:
            self._keep(key, choice, None)
        return judgement

    def _find(self, key: Hashable, choice: Choice) -> _Entry | None:
        if self._by is None or self._by[0] is not choice.catalog or self._by[1] is not choice.rules:
            self._by = (choice.catalog, choice.rules)
            self._entries.clear()
        entry = self._entries.get(key)
        if entry is None or entry[0] != choice.delegate or not entry[1].hold(choice.rules, choice.now):
            return None
        return entry

    def _keep(self, key: Hashable, choice: Choice, judgement: Judgement | None) -> None:
        grounds = choice.grounds
        if grounds.are_lasting and grounds.keys.isdisjoint(OF_ONE_MESSAGE):
            if len(self._entries) >= self._most:
                self._entries.clear()
            self._entries[key] = (choice.delegate, grounds, judgement)
