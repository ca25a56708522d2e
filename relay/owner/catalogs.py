"""Catalogs taken apart, and put together again of the policies that decided once. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.owner.observed import Observed
from relay.policy.answers import PolicyProblem
from relay.policy.document import Policy, UnreadablePolicy, parse_policy
from relay.words.arns import parse_identity_arn
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class KeptText:
    """
    The text of a policy that was attached to an identity, by its ARN, under a name.

    ``digest``: SHA-256 of the text, in hexadecimal. ``first_seen`` and ``last_seen``: seconds since the epoch, None
    where it is not known when.
    """

    identity: str
    name: str
    digest: str
    text: str
    first_seen: float | None = None
    last_seen: float | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """
    What was attached to the identities of one account and region at some time.

    ``looked``: when the relay looked, the last time before. ``gone``: identities with the digests of texts that are not
    kept, or of which nobody knows whether they were in force then.
    """

    looked: float
    texts: tuple[KeptText, ...]
    gone: tuple[tuple[str, str], ...] = ()


def identities_in(catalog: Catalog) -> list[Identity]:
    """Return every identity of every owner."""
    return [i for owned in catalog.owners.values() for group in owned.by_folded_name.values() for i in group]


def catalog_of(
    seen: Observed, kept: Iterable[KeptText], alive: Catalog | None = None
) -> tuple[Catalog, tuple[str, ...]]:
    """
    Put together the identities and policies by which a message was judged; with them, the digests that are gone.

    A policy whose text is gone is unreadable: where it might have mattered nothing is decided. *alive*: what is in
    force now, in which most of them are found again.
    """
    wanted = {digest for role in seen.roles for digest in role.digests}
    by_identity: dict[str, dict[str, Policy | UnreadablePolicy]] = defaultdict(dict)
    for role in seen.roles:
        for arn in filter(None, (role.identity, *role.agreeing)):
            by_identity[arn] = {}
    found = set()
    for text in kept:
        if text.digest in wanted and text.identity in by_identity:
            by_identity[text.identity][text.digest] = parse_policy(text.name, text.text)
            found.add(text.digest)
    for arn, policies in by_identity.items():
        living = None if alive is None else alive.find(parse_identity_arn(arn))
        now = {} if living is None else {policy.digest: policy for policy in living.policies}
        policies.update((digest, policy) for digest, policy in now.items() if digest in wanted)
        found |= now.keys() & wanted
    for role in seen.roles:
        for digest in role.digests:
            if digest not in found and role.identity is not None:
                by_identity[role.identity][digest] = _gone(digest)
    identities = [
        Identity(parse_identity_arn(arn), verified=True, policies=_in_order(policies.values()), read_at=seen.time)
        for arn, policies in by_identity.items()
    ]
    return _catalog(identities, seen.time), tuple(sorted(wanted - found))


def catalog_in_force(seen: Observed, places: Mapping[tuple[str, str], InForce], at: float) -> Catalog:
    """
    Put together what was in force at another time, as far as it is known.

    Identities that had policies then, and those by which the message was judged; all are taken for verified.
    """
    by_identity: dict[str, list[Policy | UnreadablePolicy]] = defaultdict(list)
    for role in seen.roles:
        for arn in filter(None, (role.identity, *role.agreeing)):
            by_identity[arn] = []
    for then in places.values():
        for text in then.texts:
            by_identity[text.identity].append(parse_policy(text.name, text.text))
        for arn, digest in then.gone:
            by_identity[arn].append(_gone(digest))
    identities = [
        Identity(parse_identity_arn(arn), verified=True, policies=_in_order(policies), read_at=at)
        for arn, policies in by_identity.items()
    ]
    return _catalog(identities, at)


def _gone(digest: str) -> UnreadablePolicy:
    name = f"sha256-{digest[:12]}"
    return UnreadablePolicy(name, digest, (PolicyProblem(name, "$", "its text is not kept"),))


def _in_order(policies: Iterable[Policy | UnreadablePolicy]) -> tuple[Policy | UnreadablePolicy, ...]:
    return tuple(sorted(policies, key=lambda policy: policy.name))


def _catalog(identities: Sequence[Identity], at: float) -> Catalog:
    owners: dict[tuple[str, str], list[Identity]] = defaultdict(list)
    for identity in identities:
        owners[identity.arn.account, identity.arn.region].append(identity)
    return Catalog({owner: OwnedIdentities.of(own, at) for owner, own in owners.items()})
