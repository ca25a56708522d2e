"""
The least policy that would have let through what was seen: every address by itself, nothing that was not there.

Where exactness does not fit into the 4,096 bytes of a policy it is widened step by step, and every step is told. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeAlias

from relay.judgement.verdicts import Role
from relay.owner.observed import Observed
from relay.owner.statements import ACTION, Json, Pattern, allow, compare, compare_each, document, fits, join, text_of
from relay.owner.widening import FEW_DOMAINS, GROUPED, WIDENINGS, Domains, Row, few, grouped, merged
from relay.words.addresses import Address
from relay.words.apis import apis_for
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn
from relay.words.values import dataclass

Pair: TypeAlias = tuple[Address, Address]


@dataclass(slots=True)
class Sightings:
    """
    What was seen of one delegate's mail: for each identity, author and feedback address with recipient domains.

    ``spared``: messages that went out only because the delegate is observed; ``denied``: those that met a Deny.
    """

    delegate: str
    messages: int = 0
    principals: dict[str, int] = field(default_factory=dict)
    actions: set[str] = field(default_factory=lambda: {ACTION})
    names: set[str] = field(default_factory=set)
    by_identity: dict[str, dict[Pair, Domains]] = field(default_factory=dict)
    without_identity: int = 0
    spared: int = 0
    denied: int = 0

    def add(self, seen: Observed) -> None:
        """
        Take one message in.

        Every question of it goes to the identity that governed, and to those that had to agree: with the author, and
        the address of that question as feedback address. A message whose author nobody saw teaches nothing.
        """
        if seen.author is None or seen.principal is None:
            return
        if any(role.identity is None for role in seen.roles):
            self.without_identity += 1
            return
        self.messages += 1
        self.spared += seen.spared
        self.denied += seen.answer.verdict == "denied"
        self.principals[seen.principal] = self.principals.pop(seen.principal, 0) + 1
        self.actions.update([seen.api] if seen.api else [])
        self.actions.update(api.action for api in apis_for(seen.octets))
        self.names.update([seen.display_name.decoded] if seen.display_name else [])
        domains = frozenset(recipient.rpartition("@")[2].lower() for recipient in seen.recipients)
        for role in seen.roles:
            feedback = seen.feedback if role.role == Role.FROM else role.address
            pair = (seen.author, feedback.with_domain_lowered())
            for identity in (role.identity or "", *role.agreeing):
                pairs = self.by_identity.setdefault(identity, {})
                pairs[pair] = few(pairs.get(pair, frozenset()), domains)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One policy for one identity. ``widened`` and ``open``: sentences on what it allows beyond what was seen."""

    identity: IdentityArn
    name: str
    policy: Json
    widened: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def text(self) -> str:
        """The policy as SES takes it."""
        return text_of(self.policy)

    @property
    def fits(self) -> bool:
        """Whether it is small enough for SES; it is not where thousands of domains were seen."""
        return fits(self.policy)

    def to_json(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "identity": str(self.identity),
            "name": self.name,
            "policy": self.policy,
            "bytes": len(self.text.encode()),
            "widened": list(self.widened),
            "leaves_open": list(self.open),
        }


def suggest(sightings: Sightings, identity: IdentityArn, *, group: bool = False) -> Suggestion:
    """
    Return the policy for one identity of the sightings; see :attr:`Suggestion.fits` for whether SES would take it.

    With *group*, addresses that differ in their ``+label`` only, and more than a few of one domain, become patterns.
    """
    pairs = sightings.by_identity[str(identity)]
    principal = next(reversed(sightings.principals))
    actions = sorted(sightings.actions)
    rows = exact_rows(pairs)
    widened: list[str] = []
    if group:
        before, rows = rows, grouped(rows)
        widened += [GROUPED] if rows != before else []
    policy = _policy(rows, principal, actions, identity)
    for sentence, widen in WIDENINGS:
        if fits(policy):
            break
        before, rows = rows, widen(rows)
        if rows != before:
            widened.append(sentence)
            policy = _policy(rows, principal, actions, identity)
    return Suggestion(identity, sightings.delegate, policy, tuple(widened), tuple(_left_open(rows, sightings)))


def identities_of(sightings: Sightings) -> list[IdentityArn]:
    """Return the identities that a policy can be suggested for, in order."""
    found = []
    for text in sightings.by_identity:
        try:
            found.append(parse_identity_arn(text))
        except ArnProblem:
            continue
    return sorted(found)


def exact_rows(pairs: Mapping[Pair, Domains]) -> list[Row]:
    """Group the pairs so that nothing is added: authors with the very same feedback addresses share a statement."""
    feedback_of: dict[tuple[Address, Domains], set[Pattern]] = defaultdict(set)
    for (author, feedback), domains in pairs.items():
        feedback_of[author, domains].add(Pattern(str(feedback)))
    rows = [
        Row(frozenset({Pattern(str(author)), Pattern(str(author.with_domain_lowered()))}), frozenset(feedback), domains)
        for (author, domains), feedback in feedback_of.items()
    ]
    return merged(rows)


def _policy(rows: Sequence[Row], principal: str, actions: Sequence[str], identity: IdentityArn) -> Json:
    statements = [
        allow(f"Observed{number}", principal, actions, str(identity), _condition(row))
        for number, row in enumerate(rows, start=1)
    ]
    return document(statements)


def _condition(row: Row) -> Json:
    conditions = [compare("ses:FromAddress", sorted(row.authors))]
    if row.feedback is not None:
        conditions.append(compare("ses:FeedbackAddress", sorted(row.feedback)))
    if row.domains is not None:
        domains = [Pattern(f"*@{domain}", is_wild=True) for domain in sorted(row.domains)]
        conditions.append(compare_each("ses:Recipients", domains))
    return join(*conditions)


def _left_open(rows: Sequence[Row], sightings: Sightings) -> Iterable[str]:
    if any(row.domains is None for row in rows):
        yield f"any recipient, for authors that wrote to more than {FEW_DOMAINS} domains"
    if any(row.domains is not None for row in rows):
        yield "any address of the recipient domains"
    seen = ", ".join(sorted(sightings.names)[:3])
    yield f"any display name; seen: {seen or 'none'}" + (", ..." if len(sightings.names) > 3 else "")
    yield "no end: a condition on aws:CurrentTime would set one"
    if len(sightings.principals) > 1:
        yield f"mail was seen of {len(sightings.principals)} principals; the latest is named"
    if sightings.spared:
        yield f"{sightings.spared} of {sightings.messages} messages went out only because observed: look at them first"
    if sightings.denied:
        yield f"a Deny was met by {sightings.denied} of {sightings.messages} messages, and no Allow lifts a Deny"
    principal = next(reversed(sightings.principals))
    if ":assumed-role/" in principal:
        yield f"{principal} is one session of a role: the next one may have another name; name the role to mean all"
    elif principal.isdigit() or principal.endswith(":root"):
        yield f"{principal} is a whole account: it counts only where the relay's account_grant says so"
