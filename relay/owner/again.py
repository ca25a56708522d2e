"""One decision of the past, judged again by the policy texts of then or of another time. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Any

from relay.judgement.catalog import Catalog
from relay.judgement.explanation import to_json
from relay.judgement.message import Bulk, judge_early, judge_message
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement
from relay.owner.catalogs import InForce, KeptText, catalog_in_force, catalog_of
from relay.owner.observed import Answer, Observed
from relay.owner.replay import judged_of
from relay.words.delegates import Delegate
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Again:
    """
    What came of it. ``told``: the explanation, JSON-ready. ``gone``: digests of texts that nobody has any more; while
    there are any, what they said is not known. ``answer``: the new one.
    """

    told: dict[str, Any]
    answer: Answer
    gone: tuple[str, ...]


def judge_again(
    seen: Observed, delegate: Delegate, rules: Rules, kept: Iterable[KeptText], alive: Catalog | None = None
) -> Again | None:
    """
    Judge a message as it was judged; None where nothing is left to ask: no identity governed any of it.

    *alive*: what is in force now, for texts that nobody kept.
    """
    if all(role.identity is None for role in seen.roles):
        return None
    catalog, gone = catalog_of(seen, kept, alive)
    return _judged(seen, delegate, rules, catalog, gone)


def judge_at(
    seen: Observed, delegate: Delegate, rules: Rules, places: Mapping[tuple[str, str], InForce], at: float
) -> Again | None:
    """Judge a message as if it had come at the time *at*, by what was in force then."""
    catalog = catalog_in_force(seen, places, at)
    gone = tuple(sorted({digest for then in places.values() for _, digest in then.gone}))
    return _judged(replace(seen, time=at), delegate, rules, catalog, gone)


def _judged(seen: Observed, delegate: Delegate, rules: Rules, catalog: Catalog, gone: tuple[str, ...]) -> Again | None:
    rules = replace(rules, max_stale=inf, sealed=frozenset(), reveal="full")
    delegate = replace(delegate, return_path="envelope", mode="enforce")
    facts, envelope = seen.facts(), seen.envelope()
    judgement: Judgement | None
    if facts is None:
        judgement = judge_early(seen.mail_from, delegate, catalog, rules, seen.time)
    else:
        bulk = Bulk(seen.octets)
        judgement = judge_message(facts, envelope, delegate, catalog, rules, seen.time, bulk=bulk, trace=True)
    if judgement is None:
        return None
    told = to_json(judgement, delegate, facts=facts, envelope=envelope)
    return Again(told, judged_of(judgement).answer, gone)
