"""
In which order policies are changed, one after the other, so that at no moment anything is allowed that is allowed
neither before all the changes nor after them. Pure.

Within one identity: what a new Allow meets of new Denies comes before it; what an old Deny meets of old Allows goes
before it, and of new Denies comes before it. Where that leaves a choice, what is allowed before and after stays
allowed: Allows come before others go.

Between identities that may have a say over one address (a domain, its subdomains, their addresses): whatever closes
something comes before what opens something for the same people. An identity without policies has no say: where others
have one, its first policy closes, and its last one opens. One that has policies before and after is never without.

Where no order is good enough (two policies which each wait for the other), the identities are held: one policy of each
is put as a Deny for the people concerned, and given its own text, or deleted, when all others are in place. Then less
is allowed for a moment, never more. docs/how-to/policies-in-git.md tells it to owners.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from relay.owner.steps import ALL, NOBODY, Bearing, People, Step, bearing_of, concerned_by, hold_text, meet
from relay.policy.lint import MOST_POLICIES
from relay.words.arns import IdentityArn

Counts = Mapping[IdentityArn, int]


class NoOrder(Exception):
    """The changes cannot be made one after the other. ``str()`` says why and what to do."""


def in_order(steps: Iterable[Step], policies: Counts) -> list[Step]:
    """
    Order *steps*; the identities of different accounts, regions and domains one after the other.

    *policies*: how many policies each identity there is has now, whether it is to be changed or not.

    Raises:
        NoOrder: There is none, nor room for what would help.

    """
    groups: dict[tuple[str, ...], list[Step]] = defaultdict(list)
    listed = sorted(steps, key=lambda step: (step.identity, step.name))
    domains = {(step.identity.account, step.identity.region, _domain(step.identity)) for step in listed}
    for step in listed:
        groups[_tree(step.identity, domains)].append(step)
    return [step for _, group in sorted(groups.items()) for step in _group_in_order(group, policies)]


def _group_in_order(steps: Sequence[Step], policies: Counts) -> list[Step]:
    found = _Round(steps, policies).order()
    if len(found) == len(steps):
        return found
    return _held(steps, policies)


def _domain(arn: IdentityArn) -> str:
    return arn.name.rpartition("@")[2].lower()


def _tree(arn: IdentityArn, domains: set[tuple[str, str, str]]) -> tuple[str, str, str]:
    """The account, the region, and the highest domain above *arn* of which something changes."""
    labels = _domain(arn).split(".")
    above = [".".join(labels[n:]) for n in range(len(labels))]
    top = next(name for name in reversed(above) if (arn.account, arn.region, name) in domains)
    return arn.account, arn.region, top


def _are_related(one: IdentityArn, other: IdentityArn) -> bool:
    """Whether both may have a say over one address: a domain and what is in it, or spellings of one address."""
    if one.is_address and other.is_address:
        stems = {arn.name.lower().rpartition("@")[0].partition("+")[0] for arn in (one, other)}
        return _domain(one) == _domain(other) and len(stems) == 1
    is_below = not other.is_address and f".{_domain(one)}".endswith(f".{_domain(other)}")
    return is_below or (not one.is_address and f".{_domain(other)}".endswith(f".{_domain(one)}"))


def _is_alone(identity: IdentityArn, speaking: Iterable[IdentityArn]) -> bool:
    """Whether it is a domain, and none above or below has a say: without policies nobody may send by it, then."""
    if identity.is_address:
        return False
    place = identity.account, identity.region
    others = (o for o in speaking if not o.is_address and o != identity and (o.account, o.region) == place)
    return not any(_are_related(identity, other) for other in others)


class _Round:
    """Takes the steps of one group one after the other, each as soon as nothing that must come first is left."""

    def __init__(self, steps: Sequence[Step], policies: Counts) -> None:
        self._before = policies
        self._bearings = {step: bearing_of(step) for step in steps}
        self._left = sorted(steps, key=lambda step: (_rank(self._bearings[step]), step.identity, step.name))
        self._now = {step.identity: policies.get(step.identity, 0) for step in steps}
        speaking = {identity for identity, count in policies.items() if count} | self._now.keys()
        self._alone = {identity for identity in self._now if _is_alone(identity, speaking)}

    def order(self) -> list[Step]:
        """Return as many as can be taken."""
        taken = []
        while (step := next((step for step in self._left if self._is_free(step)), None)) is not None:
            self._left.remove(step)
            self._now[step.identity] += (step.before is None) - (step.after is None)
            taken.append(step)
        return taken

    def _is_free(self, step: Step) -> bool:
        count = self._now[step.identity]
        if step.before is None and count >= MOST_POLICIES:
            return False
        others = [other for other in self._left if other is not step]
        return not any(self._comes_first(other, step) for other in others)

    def _comes_first(self, first: Step, second: Step) -> bool:
        """Whether *first*, which is not done yet, must be done before *second*."""
        if first.identity == second.identity:
            if self._silences(second):
                return True
            one, two = self._bearings[first], self._bearings[second]
            return (
                meet(one.adds_denies, two.adds_allows)
                or meet(one.drops_allows, two.drops_denies)
                or meet(one.adds_denies, two.drops_denies)
            )
        return _are_related(first.identity, second.identity) and meet(
            self._closes(first), self._opens(second, first.identity)
        )

    def _silences(self, step: Step) -> bool:
        """Whether the identity has no policy after it."""
        return step.after is None and self._now[step.identity] == 1

    def _closes(self, step: Step) -> People:
        """For whom. An identity without a say gets one: from then on whoever it does not allow is refused."""
        is_first = not self._now[step.identity] and step.identity not in self._alone
        return ALL if is_first else self._bearings[step].tightens

    def _opens(self, step: Step, other: IdentityArn) -> People:
        """
        For whom. An address without policies that gets some takes the place of its domain: what they allow is allowed
        afterwards, whatever its domain says.
        """
        if self._silences(step) and step.identity not in self._alone:
            return ALL
        bearing = self._bearings[step]
        is_first = not self._before.get(step.identity, 0)
        if is_first and step.identity.is_address and not other.is_address:
            return NOBODY
        return bearing.loosens


def _rank(bearing: Bearing) -> int:
    """What comes first where either may."""
    if bearing.drops_denies:
        return 2 if bearing.adds_denies or bearing.adds_allows else 4
    if bearing.drops_allows:
        return 2 if bearing.adds_denies or bearing.adds_allows else 3
    return 0 if bearing.adds_denies else 1


# --- holding ----------------------------------------------------------------------------------------------------------


def _held(steps: Sequence[Step], policies: Counts) -> list[Step]:
    """
    Hold every identity by one policy of its own for as long as its others are changed.

    A hold is for everybody whom any of the changes is about, so that meanwhile no order among them matters.
    """
    of_identity: dict[IdentityArn, list[Step]] = defaultdict(list)
    for step in steps:
        of_identity[step.identity].append(step)
    chosen = [_holder(identity, own, policies.get(identity, 0)) for identity, own in of_identity.items()]
    bearings = [bearing_of(step) for step in steps]
    people = NOBODY.union(*(b.tightens | b.loosens for b in bearings), *map(concerned_by, chosen))
    holds = [replace(step, after=hold_text(step.identity, people), is_hold=True) for step in chosen]
    releases = [replace(step, before=hold.after) for step, hold in zip(chosen, holds, strict=True)]
    between = [step for step in steps if step not in chosen]
    return [*holds, *sorted(between, key=_needs_room), *releases]


def _holder(identity: IdentityArn, steps: Sequence[Step], policies: int) -> Step:
    """Choose the policy to hold by: one that stays, else one that goes or comes, where there is room for it."""
    in_the_end = policies + sum((step.before is None) - (step.after is None) for step in steps)
    for step in sorted(steps, key=lambda step: (step.before is None) + (step.after is None)):
        is_room = policies < MOST_POLICIES if step.before is None else in_the_end < MOST_POLICIES
        if is_room or (step.before is not None and step.after is not None):
            return step
    why = f"{identity} has {policies} policies and shall have {in_the_end} of other names"
    raise NoOrder(f"{why}: there is no room to change them safely; delete one of them first, in a change of its own")


def _needs_room(step: Step) -> bool:
    return step.before is None
