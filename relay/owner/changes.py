"""
Changes of policies: what an identity's mail is judged by, compared with what it was judged by before. Pure.

What cannot be read just now is no change, and neither is what is read for the first time of an owner that was never
looked at: it is what later readings are compared with.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.policy.answers import PolicyProblem
from relay.policy.document import Policy, UnreadablePolicy, parse_policy
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

if TYPE_CHECKING:
    from relay.owner.effects import Effect

#: Sentences about one delegate in an entry; beyond them only their number is told.
_MOST_TOLD: Final = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """How an identity stood: verified or not; digests of its policies by name, None while they were never read."""

    verified: bool
    policies: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """One policy that is not what it was. ``kind``: added, changed or removed; digests are None where there is none."""

    name: str
    kind: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """
    One identity, before and after; None where it was not there.

    ``was`` and ``now``: what was read of it, as far as this run of the relay has it at hand. ``is_first``: this run had
    not read it before. ``is_told``: it is a change, and not something learnt for the first time.
    """

    arn: IdentityArn
    before: Standing | None
    after: Standing | None
    was: Identity | None = None
    now: Identity | None = None
    is_first: bool = False
    is_told: bool = True

    @property
    def differences(self) -> tuple[PolicyDifference, ...]:
        """The policies that differ, by name; none where the identity is not verified, for then they say nothing."""
        if self.after is not None and self.after.policies is None:
            return ()
        old, new = ({} if each is None else each.policies or {} for each in (self.before, self.after))
        pairs = ((name, old.get(name), new.get(name)) for name in sorted({*old, *new}))
        return tuple(_difference(name, first, second) for name, first, second in pairs if first != second)

    @property
    def kinds(self) -> tuple[str, ...]:
        """A word for the identity, where it came, went, or is verified otherwise, and one for each policy."""
        return (*self._own_kind(), *(difference.kind for difference in self.differences))

    def _own_kind(self) -> tuple[str, ...]:
        if self.before is None:
            return ("identity-added",)
        if self.after is None:
            return ("identity-removed",)
        if self.before.verified is self.after.verified:
            return ()
        return ("verified",) if self.after.verified else ("unverified",)

    def states(self, texts: Mapping[str, str]) -> tuple[Identity, Identity]:
        """
        Return both states as the judge is asked about them; what is not at hand is read from *texts*, by digest.

        A text that nobody has is unreadable: what it said is not known.
        """
        return self._state(self.before, self.was, texts), self._state(self.after, self.now, texts)

    def digests(self) -> frozenset[str]:
        """Name the texts that are not at hand."""
        return self._missing(self.before, self.was) | self._missing(self.after, self.now)

    def _missing(self, standing: Standing | None, identity: Identity | None) -> frozenset[str]:
        if standing is None or not standing.verified or not standing.policies or _is_of(identity, standing):
            return frozenset()
        return frozenset(standing.policies.values())

    def _state(self, standing: Standing | None, identity: Identity | None, texts: Mapping[str, str]) -> Identity:
        if standing is None or not standing.verified:
            return Identity(self.arn, verified=False)
        if identity is not None and _is_of(identity, standing):
            return identity
        policies = sorted((standing.policies or {}).items())
        return Identity(self.arn, verified=True, policies=tuple(_policy(*each, texts) for each in policies))


def entry_of(change: Change, at: str, effects: "Sequence[Effect] | None", why: str = "") -> dict[str, Any]:
    """
    Return what is kept and told of a change; JSON-ready.

    *at*: when it was seen. *effects*: what it means for every delegate, None where that was not asked, and *why*.
    """
    felt = [effect for effect in effects or () if not effect.is_none]
    return {
        "identity": str(change.arn),
        "seen_at": at,
        "at_start": change.is_first,
        "kinds": list(change.kinds),
        "verified": change.after is not None and change.after.verified,
        "policies": [
            {"name": each.name, "kind": each.kind, "old": each.old, "new": each.new} for each in change.differences
        ],
        "effects": None if effects is None else [_told(effect) for effect in felt],
        "effects_unknown": why or None,
        "unaffected": None if effects is None else len(effects) - len(felt),
    }


def is_loss(entry: Mapping[str, Any]) -> bool:
    """Whether somebody loses something, or may."""
    return any(effect["lost"] or effect["unclear"] for effect in entry["effects"] or ())


#: An account and a region.
Owner: TypeAlias = tuple[str, str]
_Groups: TypeAlias = Mapping[str, tuple[Identity, ...]]


class Ledger:
    """
    How every identity stood when it was read last: what the next reading is compared with.

    *standing*: from an earlier run; an owner that is there was looked at, and has these identities, or none.
    """

    def __init__(self, standing: Mapping[Owner, Mapping[IdentityArn, Standing]] | None = None) -> None:
        self._known: dict[Owner, dict[str, tuple[Standing, Identity | None]]] = {
            owner: {arn.name: (each, None) for arn, each in known.items()} for owner, known in (standing or {}).items()
        }
        self._partitions = {owner: arn.partition for owner, known in (standing or {}).items() for arn in known}
        self._catalog = Catalog()

    @property
    def owners(self) -> frozenset[Owner]:
        """The accounts and regions that are looked at."""
        return frozenset(self._known)

    def compare(self, catalog: Catalog) -> list[Change]:
        """
        Return what is not as it stood, and let it stand so from now on. What is not told was learnt, and is to be kept.

        Costs a glance at the identities of each owner of which something was read again.
        """
        before, self._catalog = self._catalog, catalog
        changes: list[Change] = []
        for owner, owned in catalog.owners.items():
            if owned.problem is None and owned is not before.owners.get(owner):
                changes += self._compare(owner, owned, before.owners.get(owner))
        if catalog.problem is None:
            for gone in self._known.keys() - catalog.owners.keys():
                changes += [self._remove(gone, name) for name in list(self._known[gone])]
                del self._known[gone]
        return changes

    def _compare(self, owner: Owner, owned: OwnedIdentities, before: OwnedIdentities | None) -> list[Change]:
        is_new = owner not in self._known
        known = self._known.setdefault(owner, {})
        was = None if before is None or before.problem is not None else before.by_folded_name
        groups = _altered(was or {}, owned.by_folded_name)
        gone = known.keys() - _names(owned.by_folded_name.values()) if was is None else _gone(was, owned.by_folded_name)
        changes = [self._remove(owner, name) for name in sorted(gone) if name in known]
        seen = (self._see(known, identity, is_new=is_new) for group in groups for identity in group)
        return [*changes, *filter(None, seen)]

    def _see(
        self, known: dict[str, tuple[Standing, Identity | None]], identity: Identity, *, is_new: bool
    ) -> Change | None:
        arn = identity.arn
        old, was = known.get(arn.name, (None, None))
        self._partitions[arn.account, arn.region] = arn.partition
        if identity.problem is not None:
            if old is not None or not is_new:
                return None
            # Known to be there, and not read yet: its first reading is no change.
            new, read = Standing(verified=True), None
        elif was is not None and was.policies is identity.policies and was.verified is identity.verified:
            return None
        else:
            kept = None if old is None else old.policies
            new, read = Standing(identity.verified, _digests(identity) if identity.verified else kept), identity
        known[arn.name] = (new, read)
        if new == old:
            return None
        is_learnt = is_new if old is None else old.verified is new.verified and old.policies is None
        return Change(arn, old, new, was, read, is_first=was is None, is_told=not is_learnt)

    def _remove(self, owner: Owner, name: str) -> Change:
        standing, was = self._known[owner].pop(name)
        account, region = owner
        arn = IdentityArn(self._partitions[owner], region, account, name) if was is None else was.arn
        return Change(arn, standing, None, was, is_first=was is None)


def _altered(was: _Groups, now: _Groups) -> list[tuple[Identity, ...]]:
    return [group for folded, group in now.items() if was.get(folded) is not group]


def _gone(was: _Groups, now: _Groups) -> set[str]:
    """Name the identities that are no longer there."""
    altered = _altered(now, was)
    folded = {group[0].arn.name.lower() for group in altered}
    return _names(altered) - _names(now[name] for name in folded & now.keys())


def _names(groups: Iterable[tuple[Identity, ...]]) -> set[str]:
    return {identity.arn.name for group in groups for identity in group}


def _difference(name: str, old: str | None, new: str | None) -> PolicyDifference:
    kind = "added" if old is None else "removed" if new is None else "changed"
    return PolicyDifference(name, kind, old, new)


def _digests(identity: Identity) -> dict[str, str]:
    return {policy.name: policy.digest for policy in identity.policies}


def _is_of(identity: Identity | None, standing: Standing) -> bool:
    return identity is not None and identity.verified and _digests(identity) == standing.policies


def _policy(name: str, digest: str, texts: Mapping[str, str]) -> Policy | UnreadablePolicy:
    text = texts.get(digest)
    if text is None:
        return UnreadablePolicy(name, digest, (PolicyProblem(name, "$", "its text is not kept"),))
    return parse_policy(name, text)


def _told(effect: "Effect") -> dict[str, Any]:
    told = effect.to_json()
    return {
        "delegate": told["delegate"],
        "gained": told["gained"][:_MOST_TOLD],
        "lost": told["lost"][:_MOST_TOLD],
        "unclear": told["unclear"][:_MOST_TOLD],
        "loses_everything": told["loses_everything"],
    }
