"""What is known of the identities of one account in one region, beside what the judge is handed of it."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeVar

from relay.identities.known import KnownIdentity, identity_of
from relay.judgement.catalog import Identity, OwnedIdentities
from relay.policy.document import Policy, UnreadablePolicy, parse_policy
from relay.words.values import replace

Policies: TypeAlias = tuple[Policy | UnreadablePolicy, ...]
_Value = TypeVar("_Value")


class Shelf:
    """
    Identities by name. ``owned`` is what the judge is handed; it is replaced, never changed.

    ``ages``: when each that decides was read, by ARN; ``unread``: how many of its policies cannot be read; ``refused``:
    the names that SES did not let us read, with its words.
    """

    def __init__(self, account: str, region: str, problem: str) -> None:
        self._account, self._region = account, region
        self.known: dict[str, KnownIdentity] = {}
        self.owned = OwnedIdentities(problem=problem)
        self.ages: dict[str, float] = {}
        self.unread: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        self._identities: dict[str, Identity] = {}

    def doubt(self, why: str) -> None:
        """Say why nothing is known."""
        self.owned = replace(self.owned, problem=why)

    def policies_of(self, name: str, texts: Mapping[str, str]) -> Policies:
        """Read *texts*, unless they are those that *name* has already."""
        known, identity = self.known.get(name), self._identities.get(name)
        if known is not None and identity is not None and known.decides and known.policies == texts:
            return identity.policies
        return tuple(parse_policy(policy, text) for policy, text in sorted(texts.items()))

    def put(self, known: KnownIdentity, policies: Policies | None = None) -> None:
        """Put one identity in the place of what was known of it; without *policies* it keeps those it has."""
        before = self._identities.get(known.name)
        if policies is None:
            policies = () if before is None else before.policies
        self.change([(known, policies)], ())

    def drop(self, name: str) -> None:
        """Forget *name*."""
        if name in self.known:
            self.change((), [name])

    def change(self, known: Iterable[tuple[KnownIdentity, Policies]], gone: Iterable[str]) -> None:
        """Put many in the place of what was known of them, and forget others, at the cost of one."""
        groups = dict(self.owned.by_folded_name)
        for name in gone:
            if self._forget(name):
                _regroup(groups, name, ())
        for each, policies in known:
            self._note(each, identity_of(each, self._account, self._region, policies))
            _regroup(groups, each.name, (self._identities[each.name],))
        self.owned = replace(self.owned, by_folded_name=groups)

    def relist(self, listed_at: float) -> None:
        """Take what is there for all that a list of that time had."""
        self.owned = replace(self.owned, listed_at=listed_at, problem=None)

    def put_all(self, known: Iterable[KnownIdentity], listed_at: float) -> None:
        """Put *known* in the place of everything, as a list of that time has it."""
        now = {each.name: each for each in known}
        if now == self.known and self.owned.problem is None:
            self.owned = replace(self.owned, listed_at=listed_at)
            return
        policies = {each.name: self.policies_of(each.name, each.policies) for each in now.values()}
        self.known, self._identities, self.ages, self.unread, self.refused = {}, {}, {}, {}, {}
        for each in now.values():
            self._note(each, identity_of(each, self._account, self._region, policies[each.name]))
        self.owned = OwnedIdentities.of(self._identities.values(), listed_at)

    def _note(self, known: KnownIdentity, identity: Identity) -> None:
        arn, name = str(identity.arn), known.name
        self.known[name], self._identities[name] = known, identity
        unread = sum(isinstance(policy, UnreadablePolicy) for policy in identity.policies) + bool(known.refused)
        _set(self.ages, arn, identity.read_at if known.decides else None)
        _set(self.unread, arn, unread or None)
        _set(self.refused, name, known.refused or None)

    def _forget(self, name: str) -> bool:
        if self.known.pop(name, None) is None:
            return False
        arn = str(self._identities.pop(name).arn)
        for each in (self.ages, self.unread):
            each.pop(arn, None)
        self.refused.pop(name, None)
        return True


def _regroup(groups: dict[str, tuple[Identity, ...]], name: str, new: tuple[Identity, ...]) -> None:
    """Put *new* in the place of the identity *name* among those that differ from it in case only."""
    folded = name.lower()
    others = tuple(each for each in groups.get(folded, ()) if each.arn.name != name)
    groups[folded] = (*others, *new)
    if not groups[folded]:
        del groups[folded]


def _set(values: dict[str, _Value], name: str, value: _Value | None) -> None:
    if value is None:
        values.pop(name, None)
    else:
        values[name] = value
