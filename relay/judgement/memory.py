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
from relay.judgement.observing import is_observed
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement
from relay.mail.facts import MessageFacts
from relay.words.addresses import ReversePath
from relay.words.apis import FITS_ANY, MOST_RECIPIENTS, apis_for
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope

#: Condition keys that differ from message to message, though it looks the same.
OF_ONE_MESSAGE: Final = frozenset({"ses:recipients", "aws:currenttime", "aws:epochtime"})
#: Judgements remembered; one more, and all are forgotten: there are few authors in most houses.
MOST_REMEMBERED: Final = 4096

Batches: TypeAlias = tuple[tuple[str, ...], ...]
_Entry: TypeAlias = tuple[Delegate, Grounds, Judgement | None]


class Memory:
    """
    Answers as :func:`judge_message` and :func:`judge_early` do, from memory where the answer must be the same.

    ``catalog`` and ``rules``: by which it is judged, until :meth:`follow` says otherwise.
    """

    def __init__(self, catalog: Catalog, rules: Rules, most: int = MOST_REMEMBERED) -> None:
        self._catalog = catalog
        self._rules = rules
        self._most = most
        self._entries: dict[Hashable, _Entry] = {}

    def follow(self, catalog: Catalog, rules: Rules) -> None:
        """Judge by these from now on; of what was judged by others nothing is remembered."""
        if catalog is not self._catalog or rules is not self._rules:
            self._catalog, self._rules = catalog, rules
            self._entries.clear()

    def judge(
        self,
        facts: MessageFacts,
        envelope: Envelope,
        delegate: Delegate,
        now: float,
        *,
        octets: int,
        batches: Batches | None = None,
    ) -> Judgement:
        """
        Judge a message, or remember how one was judged that was the same in all that matters.

        ``octets`` and ``batches`` as in :class:`relay.judgement.message.Bulk`.
        """
        recipients = len(envelope.forward_paths)
        if batches is not None or recipients > MOST_RECIPIENTS:
            return judge_by(self._choice(delegate, now), facts, envelope, bulk=Bulk(octets, batches))
        key = (
            delegate.name,
            is_observed(delegate, self._rules, now),
            envelope.reverse_path,
            facts.author,
            facts.display_name,
            facts.return_path,
            facts.source_arn,
            facts.from_arn,
            facts.return_path_arn,
            tuple(facts.x_ses.items()),
            octets > FITS_ANY and apis_for(octets),
            recipients > 1,  # read in two ways, if only by statements about others
        )
        entry = self._find(key, delegate, now)
        if entry is not None and entry[2] is not None:
            return entry[2]
        choice = self._choice(delegate, now)
        judgement = judge_by(choice, facts, envelope, bulk=Bulk(octets))
        if judgement.permit is not None and judgement.unenforced is None:
            self._keep(key, choice, judgement)
        return judgement

    def judge_early(self, reverse_path: ReversePath, delegate: Delegate, now: float) -> Judgement | None:
        """Refuse at MAIL, or remember that there was no reason to."""
        key = (delegate.name, is_observed(delegate, self._rules, now), reverse_path)
        if self._find(key, delegate, now) is not None:
            return None
        choice = self._choice(delegate, now)
        judgement = judge_early_by(choice, reverse_path)
        if judgement is None:
            self._keep(key, choice, None)
        return judgement

    def _choice(self, delegate: Delegate, now: float) -> Choice:
        return Choice(delegate, self._catalog, self._rules, now)

    def _find(self, key: Hashable, delegate: Delegate, now: float) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None or not entry[1].hold(self._rules, now):
            return None
        return entry if entry[0] is delegate or entry[0] == delegate else None

    def _keep(self, key: Hashable, choice: Choice, judgement: Judgement | None) -> None:
        grounds = choice.grounds
        if grounds.are_lasting and grounds.keys.isdisjoint(OF_ONE_MESSAGE):
            if len(self._entries) >= self._most:
                self._entries.clear()
            self._entries[key] = (choice.delegate, grounds, judgement)
