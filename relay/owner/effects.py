"""
What a change of an identity's policies means for the delegates: which addresses they gain and which they lose.

The judge is asked about real requests, before and after: addresses, recipients, names and times that the policies
themselves tell apart (:mod:`relay.owner.samples`). What was not asked is not claimed. Only the one identity's own
policies are asked; others may have to agree with them. Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from itertools import product
from typing import Any, Final, TypeAlias

from relay.judgement.catalog import Identity
from relay.judgement.context import Circumstances, caller_of, contexts
from relay.judgement.decisions import keys_of
from relay.judgement.grants import is_vouched_for, verdict_of
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Verdict
from relay.mail.facts import DisplayName
from relay.owner.samples import SOMEBODY, USUAL, Author, Company, authors_of, companies_of
from relay.policy.document import Policy
from relay.policy.evaluation import could_allow, evaluate
from relay.policy.request import Context, Request
from relay.policy.statements import Statement
from relay.policy.wildcards import compile_glob
from relay.words.addresses import Address
from relay.words.apis import Api
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.values import dataclass

#: Questions about one delegate; what is beyond them is not asked, and that is said.
MOST_QUESTIONS: Final = 2000
#: Sentences about one delegate in a summary.
_MOST_TOLD: Final = 6
#: Exceptions that are named.
_FEW: Final = 3

_NO_RULES: Final = Rules()


class Answer(Enum):
    """What one side answers. ``PERHAPS``: not allowed by the relay, which cannot know what it hangs on."""

    ALLOWED = auto()
    PERHAPS = auto()
    REFUSED = auto()
    UNDECIDED = auto()


_Answers: TypeAlias = dict[tuple[Author, Company], tuple[Answer, Answer]]


@dataclass(frozen=True, slots=True)
class Effect:
    """
    What a change means for one delegate under one identity.

    ``gained`` and ``lost``: phrases, ``From invoices*@example.com, to *@example.net``; ``unclear``: sentences about
    what cannot be told. ``asked``: how many requests were judged; ``has_left``: any of them is allowed afterwards.
    """

    delegate: str
    identity: IdentityArn
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    asked: int = 0
    has_left: bool = False

    @property
    def is_none(self) -> bool:
        """Whether everything that was asked is answered as before."""
        return not (self.gained or self.lost or self.unclear)

    def __str__(self) -> str:
        loses = "loses everything:" if self.has_lost_all else "loses"
        parts = [f"gains {_several(self.gained)}" if self.gained else ""]
        parts += [f"{loses} {_several(self.lost)}" if self.lost else "", *self.unclear]
        return "; ".join(filter(None, parts)) or "unchanged"

    @property
    def has_lost_all(self) -> bool:
        """Whether something that was asked was allowed before, and surely nothing is afterwards."""
        return bool(self.lost) and not (self.has_left or self.unclear)

    def to_json(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "delegate": self.delegate,
            "identity": str(self.identity),
            "gained": list(self.gained),
            "lost": list(self.lost),
            "unclear": list(self.unclear),
            "loses_everything": self.has_lost_all,
            "asked": self.asked,
        }


def effects(
    before: Identity, after: Identity, delegates: Iterable[Delegate], now: float, rules: Rules = _NO_RULES
) -> tuple[Effect, ...]:
    """
    Tell what the change from *before* to *after*, two states of one identity, means for each of *delegates*.

    *now*: seconds since the epoch. *rules*: what the operator makes known.
    """
    return tuple(_effect(before, after, delegate, now, rules) for delegate in delegates)


def summary(found: Sequence[Effect]) -> list[str]:
    """Return a line for each delegate that something changes for, and one for all others together."""
    changed = [effect for effect in found if not effect.is_none]
    lines = [f"{effect.delegate} {effect}" for effect in changed]
    others = len(found) - len(changed)
    if others:
        asked = sum(effect.asked for effect in found if effect.is_none)
        how = f"{asked} requests answered as before" if asked else "no statement is about them"
        lines.append(f"unchanged for {others} delegate{'' if others == 1 else 's'}: {how}")
    return lines


def _effect(before: Identity, after: Identity, delegate: Delegate, now: float, rules: Rules) -> Effect:
    sides = [_Side(identity, delegate, rules) for identity in (before, after)]
    asked, left_out = _questions(before, after, delegate, now)
    answers: _Answers = {}
    for author, company in asked:
        first, second = (side.answer(author.address, company, now) for side in sides)
        answers[author, company] = first, second
    told = _Told(answers)
    unclear = list(told.unclear())
    if left_out:
        unclear.append(f"only {len(asked)} requests were judged, there would be more to ask")
    return Effect(
        delegate.name,
        before.arn,
        tuple(told.phrases(_is_gained)),
        tuple(told.phrases(_is_lost)),
        tuple(unclear),
        len(asked),
        any(second is Answer.ALLOWED for _, second in answers.values()),
    )


# --- asking -----------------------------------------------------------------------------------------------------------


def _questions(
    before: Identity, after: Identity, delegate: Delegate, now: float
) -> tuple[list[tuple[Author, Company]], bool]:
    """What to ask, and whether something had to be left out."""
    arn = before.arn
    statements = [s for s in _statements(before, after) if s.principals.match(caller_of(delegate))]
    if not statements and not is_vouched_for(delegate, arn) and _are_read(before, after):
        return [], False
    context = _known_of(before, after, delegate)
    authors = authors_of(arn, statements, context)
    companies = companies_of(arn, statements, context, now)
    asked: dict[tuple[Author, Company], None] = {}
    # Companies outside: where there are too many, every author is at least asked about in the usual company.
    for company, author in product(companies, authors):
        if (here := _here(author, company, arn)) is None:
            continue
        if len(asked) == MOST_QUESTIONS and (author, here) not in asked:
            return list(asked), True
        asked[author, here] = None
    return list(asked), False


def _are_read(*identities: Identity) -> bool:
    return all(i.problem is None and all(isinstance(p, Policy) for p in i.policies) for i in identities)


def _statements(*identities: Identity) -> list[Statement]:
    policies = [policy for identity in identities for policy in identity.policies]
    return list({id(s): s for policy in policies if isinstance(policy, Policy) for s in policy.statements}.values())


def _known_of(before: Identity, after: Identity, delegate: Delegate) -> Context:
    """What variables of the policies stand for, as far as it does not hang on the message."""
    seen = _circumstances(delegate, _NO_RULES)
    keys, _ = keys_of((*before.policies, *after.policies))
    return next(context for _, context in contexts(seen, before.arn, keys, frozenset()))


def _here(author: Author, company: Company, arn: IdentityArn) -> Company | None:
    """*company* for an author of this identity; for any other the identity can be that of bounces, or is not asked."""
    if arn.covers(author.address):
        return company
    if company.feedback is None:
        own = arn.name if arn.is_address else f"anyone-0@{arn.name}"
        return replace(company, feedback=(arn.name, own))
    local, _, domain = company.feedback[1].rpartition("@")
    return company if arn.covers(Address(local, domain)) else None


def _circumstances(delegate: Delegate, rules: Rules) -> Circumstances:
    return Circumstances(None, None, "", None, caller_of(delegate), delegate, rules, None)


class _Side:
    """One state of the identity, asked for one delegate."""

    def __init__(self, identity: Identity, delegate: Delegate, rules: Rules) -> None:
        self._identity = identity
        self._delegate = delegate
        self._seen = _circumstances(delegate, rules)
        self._keys, self._bare_keys = keys_of(identity.policies)

    def answer(self, author: Address, company: Company, now: float) -> Answer:
        identity, delegate = self._identity, self._delegate
        if identity.problem is not None:
            return Answer.UNDECIDED
        answers = set()
        for _, context in contexts(
            self._circumstances(author, company, now), identity.arn, self._keys, self._bare_keys
        ):
            request = Request(self._seen.caller, Api.RAW.action, str(identity.arn), context)
            verdict = verdict_of(evaluate(request, identity.policies), delegate, identity.arn)
            if verdict is Verdict.ALLOWED:
                answers.add(Answer.ALLOWED)
            elif verdict is Verdict.UNDECIDED:
                answers.add(Answer.UNDECIDED)
            elif could_allow(request, identity.policies):
                answers.add(Answer.PERHAPS)
            else:
                return Answer.REFUSED
        return next(one for one in (Answer.PERHAPS, Answer.UNDECIDED, Answer.ALLOWED) if one in answers)

    def _circumstances(self, author: Address, company: Company, now: float) -> Circumstances:
        name = None if company.name is None else DisplayName(company.name[1], company.name[1])
        return replace(
            self._seen,
            author=author,
            display_name=name,
            feedback=str(author.with_domain_lowered()) if company.feedback is None else company.feedback[1],
            recipients=(SOMEBODY,) if company.recipients is None else company.recipients[1],
            now=now if company.time is None else company.time[1],
        )


# --- telling ----------------------------------------------------------------------------------------------------------

_Change: TypeAlias = Callable[[Answer, Answer], bool]
_Heard: TypeAlias = Mapping[Company, tuple[Answer, Answer]]


def _is_gained(before: Answer, after: Answer) -> bool:
    return after is Answer.ALLOWED and before is not Answer.ALLOWED


def _is_lost(before: Answer, after: Answer) -> bool:
    return before is Answer.ALLOWED and after in {Answer.REFUSED, Answer.PERHAPS}


def _is_untold(before: Answer, after: Answer) -> bool:
    return before is not after and after is not Answer.ALLOWED and Answer.UNDECIDED in {before, after}


def _may_be_gained(before: Answer, after: Answer) -> bool:
    return before is Answer.REFUSED and after is Answer.PERHAPS


def _may_be_lost(before: Answer, after: Answer) -> bool:
    return before is Answer.PERHAPS and after is Answer.REFUSED


_UNCLEAR: Final[tuple[tuple[str, _Change], ...]] = (
    ("cannot be told, a policy cannot be read", _is_untold),
    ("may gain, by what the relay cannot know or does not count", _may_be_gained),
    ("may lose, by what the relay cannot know or did not count", _may_be_lost),
)


class _Told:
    """The answers, put into as few words as say no more than they do."""

    def __init__(self, answers: _Answers) -> None:
        self._by_author: dict[Author, dict[Company, tuple[Answer, Answer]]] = {}
        for (author, company), both in answers.items():
            self._by_author.setdefault(author, {})[company] = both

    def phrases(self, is_changed: _Change) -> Iterator[str]:
        """Say for which authors, or for which of their mail, the answers changed so."""
        together: dict[str, list[Author]] = {}
        for author, heard in self._by_author.items():
            for what in _kinds(heard, is_changed):
                together.setdefault(what, []).append(author)
        for what, authors in together.items():
            yield from (f"{who}{what}" for who in self._who(authors))

    def unclear(self) -> Iterator[str]:
        """Say what is undecided, and what hangs on what nobody here knows."""
        for words, is_changed in _UNCLEAR:
            if found := list(self.phrases(is_changed)):
                yield f"{words}: {_several(found)}"

    def _who(self, authors: Sequence[Author]) -> Iterator[str]:
        """Patterns whose samples are all among *authors*; of the others the single addresses."""
        all_of, here = (Counter(author.pattern for author in some) for some in (self._by_author, authors))
        whole = {pattern for pattern, count in here.items() if count == all_of[pattern]}
        told = set(authors)
        others = [author for author in self._by_author if author not in told]
        names = [a.pattern + _without(a, others) if a.pattern in whole else str(a.address) for a in authors]
        yield from (f"From {name}" for name in dict.fromkeys(names))


def _without(author: Author, others: Iterable[Author]) -> str:
    """Name those of *others*, to whom nothing happened, that match the author's pattern, and were named themselves."""
    glob = compile_glob(author.glob)
    near = (other for other in others if other.glob != author.glob and glob.matches(str(other.address)))
    named = list(dict.fromkeys(other.pattern for other in near))
    return f" (without {_few(named)})" if named else ""


def _kinds(heard: _Heard, is_changed: _Change) -> list[str]:
    """Say of what mail the answers changed: nothing where it is all that was allowed."""
    changed = [company for company, both in heard.items() if is_changed(*both)]
    if USUAL not in changed:
        return [f", {company}" for company in _widest(changed)]
    is_gain = heard[USUAL][1] is Answer.ALLOWED
    if kept := _widest(company for company, both in heard.items() if both == (Answer.ALLOWED, Answer.ALLOWED)):
        return [f", {'beyond' if is_gain else 'but for'} mail {_few(kept)}"]
    refused = [c for c, (_, after) in heard.items() if after is not Answer.ALLOWED and c.parts == 1]
    return [f", but not {_few(refused)}" if is_gain and refused else ""]


def _widest(companies: Iterable[Company]) -> list[Company]:
    """Those that are not another of them with more said."""
    told: list[Company] = []
    for company in sorted(companies, key=lambda company: company.parts):
        if not any(company.is_within(known) for known in told):
            told.append(company)
    return told


def _few(things: Sequence[object]) -> str:
    more = f" and {len(things) - _FEW} more" if len(things) > _FEW else ""
    return " or ".join(map(str, things[:_FEW])) + more


def _several(phrases: Sequence[str]) -> str:
    more = f"; and {len(phrases) - _MOST_TOLD} more" if len(phrases) > _MOST_TOLD else ""
    return "; ".join(phrases[:_MOST_TOLD]) + more
