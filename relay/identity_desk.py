"""The running relay's directory of identities, for the admin endpoint."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from heapq import nsmallest
from operator import itemgetter
from typing import Any, Final

from relay.console.asked import limit_of, once
from relay.console.spool_pages import Declined, Told
from relay.identities.ports import Directory, PlaceState
from relay.judgement.catalog import Catalog, Identity
from relay.observe.events import Noted, Observer
from relay.policy.actions import Actions
from relay.policy.document import Policy, UnreadablePolicy
from relay.policy.principals import Principals
from relay.policy.resources import Resources
from relay.policy.statements import Statement
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn

_FIELDS: Final = ("account", "region", "name", "in_use", "limit", "after")
_OF_ONE: Final = ("identity",)
_NO_IDENTITY: Final = Declined("there is no such identity here", is_known=False)
_FLAGS: Final = {"true": True, "false": False}


class IdentityDesk:
    """
    A :class:`relay.console.identity_pages.IdentitiesPort`.

    Args:
        directory: Returns the directory of the moment: a reload brings another one.
        observe: Hears of what people asked for.
        texts: Returns the texts of an identity's policies by name, as far as they can be had; may block.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        directory: Callable[[], Directory],
        observe: Observer,
        texts: Callable[[IdentityArn], Mapping[str, str]],
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._observe = observe
        self._texts = texts
        self._clock = clock

    async def listed(self, asked: Sequence[tuple[str, str]]) -> Told:
        """List a page of identities in the order of their ARNs, and every account and region."""
        directory, now = self._directory(), self._clock()
        wanted = _wanted(asked)
        states = {(state.account, state.region): state for state in directory.places()}
        catalog, limit = directory.catalog, limit_of(wanted.get("limit"))
        page = await asyncio.to_thread(_page, catalog, wanted, states, limit + 1)
        return {
            "identities": [_row(each, states, now) for each in page[:limit]],
            "next": str(page[limit - 1].arn) if len(page) > limit else None,
            "places": [_place(catalog, state, now) for state in states.values()],
        }

    async def policies(self, asked: Sequence[tuple[str, str]]) -> Told:
        """Tell every policy of one identity, with its text where it is still the one that was read."""
        named = once(asked, _OF_ONE).get("identity", "")
        try:
            arn = parse_identity_arn(named)
        except ArnProblem as problem:
            raise ValueError(f"identity: {problem}") from None
        identity = self._directory().catalog.find(arn)
        if identity is None:
            return _NO_IDENTITY
        texts = await asyncio.to_thread(self._texts, arn)
        return {"arn": str(arn), "policies": [_whole(policy, texts.get(policy.name)) for policy in identity.policies]}

    def refresh(self, identity: str | None) -> Told:
        """Let one identity, or all, be read again as soon as may be."""
        try:
            arn = None if identity is None else parse_identity_arn(identity)
        except ArnProblem as problem:
            raise ValueError(f"identity: {problem}") from None
        if not self._directory().invalidate(arn):
            return Declined("no identity of this account and region is read here", is_known=False)
        self._observe(Noted("info", "policies.refresh-wanted", {"identity": identity}))
        return {"refreshing": identity or "all"}


def _wanted(asked: Sequence[tuple[str, str]]) -> dict[str, str]:
    wanted = once(asked, _FIELDS)
    if wanted.get("in_use", "true") not in _FLAGS:
        raise ValueError("in_use is true or false")
    return wanted


def _page(
    catalog: Catalog, wanted: Mapping[str, str], states: Mapping[tuple[str, str], PlaceState], most: int
) -> list[Identity]:
    """Find the first *most*, for a thread: of a hundred thousand it takes half a second, mostly without a long step."""
    after = wanted.get("after", "")
    named = ((str(each.arn), each) for each in _identities(catalog) if _is_wanted(each, wanted, states))
    return [each for _, each in nsmallest(most, (pair for pair in named if pair[0] > after), key=itemgetter(0))]


def _identities(catalog: Catalog) -> Iterator[Identity]:
    return (each for owned in catalog.owners.values() for group in owned.by_folded_name.values() for each in group)


def _is_wanted(identity: Identity, wanted: Mapping[str, str], states: Mapping[tuple[str, str], PlaceState]) -> bool:
    arn = identity.arn
    is_here = all(
        wanted.get(name, value) == value for name, value in (("account", arn.account), ("region", arn.region))
    )
    if not is_here or wanted.get("name", arn.name).lower() != arn.name.lower():
        return False
    return "in_use" not in wanted or bool(_in_use(identity, states)) is _FLAGS[wanted["in_use"]]


def _in_use(identity: Identity, states: Mapping[tuple[str, str], PlaceState]) -> bool | None:
    state = states.get((identity.arn.account, identity.arn.region))
    return None if state is None or state.in_use is None else identity.arn.name in state.in_use


def _row(identity: Identity, states: Mapping[tuple[str, str], PlaceState], now: float) -> dict[str, Any]:
    policies = [
        {
            "name": policy.name,
            "digest": policy.digest,
            "problem": policy.problems[0].why if isinstance(policy, UnreadablePolicy) else None,
        }
        for policy in identity.policies
    ]
    return {
        "arn": str(identity.arn),
        "verified": identity.verified,
        "age": round(now - identity.read_at, 1) if identity.read_at else None,
        "problem": identity.problem,
        "policies": policies,
        "in_use": _in_use(identity, states),
    }


def _place(catalog: Catalog, state: PlaceState, now: float) -> dict[str, Any]:
    owned = catalog.owners[state.account, state.region]
    revocation = None if state.revocation is None else round(state.revocation, 1)
    return {
        "account": state.account,
        "region": state.region,
        "source": state.source,
        "identities": sum(map(len, owned.by_folded_name.values())),
        "in_use": None if state.in_use is None else len(state.in_use),
        "listed_age": round(now - owned.listed_at, 1) if owned.listed_at else None,
        "revocation": revocation,
        "problem": owned.problem,
        "troubles": list(state.troubles),
    }


def _whole(policy: Policy | UnreadablePolicy, text: str | None) -> dict[str, Any]:
    is_same = text is not None and sha256(text.encode(errors="surrogatepass")).hexdigest() == policy.digest
    problems = policy.problems if isinstance(policy, UnreadablePolicy) else ()
    statements = policy.statements if isinstance(policy, Policy) else ()
    return {
        "name": policy.name,
        "digest": policy.digest,
        "text": text.encode(errors="replace").decode() if is_same and text is not None else None,
        "problems": [{"path": each.path, "why": each.why} for each in problems],
        "statements": [_statement(each) for each in statements],
    }


def _statement(statement: Statement) -> dict[str, Any]:
    """Say what the relay reads, in the spelling of the policy."""
    return {
        "sid": statement.ref.sid,
        "index": statement.ref.index,
        "effect": statement.effect,
        "principals": _element(statement.principals),
        "actions": _element(statement.actions),
        "resources": _element(statement.resources),
        "conditions": [
            {"operator": each.spelled_operator, "key": each.spelled_key, "values": list(each.values)}
            for each in statement.conditions
        ],
    }


def _element(element: Principals | Actions | Resources) -> dict[str, Any]:
    return {"negated": element.negated, "values": list(element.spelled)}
