"""What must change at SES so that it has what a folder of policies says, and what that means. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final

from relay.identities.ses_api import Held
from relay.judgement.catalog import Identity
from relay.judgement.rules import Rules
from relay.owner.comparing import is_same
from relay.owner.effects import Effect, effects
from relay.owner.ordering import NoOrder, in_order
from relay.owner.steps import Step
from relay.policy.document import parse_policy
from relay.policy.lint import MOST_POLICIES
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.values import dataclass

Texts = Mapping[str, str]
#: Calls to SES that one step takes: read, put or delete, read back.
CALLS_A_STEP: Final = 3


@dataclass(frozen=True, slots=True)
class Everything:
    """
    All that a plan is made from.

    ``wanted``: the texts of the folder by identity and name. ``held``: what SES has of these identities, and of as many
    others as were looked at; None where it has none of that name. ``unseen``: identities that are in SES's list, not in
    the folder, and were not looked at.
    """

    wanted: Mapping[IdentityArn, Texts]
    held: Mapping[IdentityArn, Held | None]
    unseen: Sequence[IdentityArn] = ()
    delegates: Sequence[Delegate] = ()
    rules: Rules = field(default_factory=Rules)
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """What changes for one identity: its policies, in the order of their names, and what comes of it."""

    identity: IdentityArn
    changes: tuple[Step, ...]
    effects: tuple[Effect, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Everything that would be done.

    ``steps``: the changes in the order in which they are to be made, holds among them. ``same``: policies that are as
    they are wanted, of ``identities`` in the folder. ``left_alone``: identities with policies that are not in the
    folder, by the names of these; ``unseen``: others that nobody looked at. ``problems``: why it cannot be carried out.
    """

    identities: int
    changed: tuple[IdentityChange, ...]
    steps: tuple[Step, ...]
    same: int
    left_alone: Mapping[IdentityArn, tuple[str, ...]]
    unseen: tuple[IdentityArn, ...]
    problems: tuple[str, ...]

    @property
    def changes(self) -> list[Step]:
        """Every change, without the holds."""
        return [step for each in self.changed for step in each.changes]

    @property
    def holds(self) -> list[Step]:
        """The steps that are no change, but make the others safe."""
        return [step for step in self.steps if step.is_hold]

    @property
    def seconds(self) -> int:
        """How long it takes at one call a second."""
        return CALLS_A_STEP * len(self.steps)


def make_plan(known: Everything) -> Plan:
    """Compare what is wanted with what SES has."""
    problems = [problem for arn in known.wanted for problem in _problems(arn, known)]
    changed, same = [], 0
    for arn, texts in known.wanted.items():
        held = known.held.get(arn)
        if held is None or not held.verified:
            continue
        changes = tuple(_changes(arn, held.policies, texts))
        same += len(texts) - sum(step.after is not None for step in changes)
        if changes:
            changed.append(_identity_change(arn, changes, known))
    steps: list[Step] = []
    try:
        steps = in_order((step for each in changed for step in each.changes), _policies_now(known))
    except NoOrder as problem:
        problems.append(str(problem))
    others = {arn: held for arn, held in known.held.items() if arn not in known.wanted and held is not None}
    left_alone = {arn: tuple(sorted(held.policies)) for arn, held in sorted(others.items()) if held.policies}
    return Plan(
        len(known.wanted),
        tuple(changed),
        tuple(steps),
        same,
        left_alone,
        tuple(sorted(known.unseen)),
        tuple(problems),
    )


def _problems(arn: IdentityArn, known: Everything) -> Iterable[str]:
    held = known.held.get(arn)
    if held is None:
        near = [other.name for other in (*known.held, *known.unseen) if other.name.lower() == arn.name.lower()]
        alike = next((name for name in near if name != arn.name), None)
        hint = f"; ses-relay identity create {arn.name} makes it"
        if alike:
            hint = f"; there is {alike}, and names are compared letter by letter"
        yield f"{arn}: SES has no such identity{hint}"
    elif not held.verified:
        yield f"{arn}: it is not verified ({held.status or 'no status'}), and the folder says that it is"
    if len(known.wanted[arn]) > MOST_POLICIES:
        yield f"{arn}: {len(known.wanted[arn])} policies; SES takes {MOST_POLICIES}"


def _changes(arn: IdentityArn, before: Texts, after: Texts) -> Iterable[Step]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if not is_same(old, new):
            yield Step(arn, name, old, new)


def _identity_change(arn: IdentityArn, changes: tuple[Step, ...], known: Everything) -> IdentityChange:
    held = known.held[arn]
    before, after = (held.policies if held is not None else {}), known.wanted[arn]
    told = effects(_state(arn, before), _state(arn, after), known.delegates, known.now, known.rules)
    return IdentityChange(arn, changes, told, tuple(_remarks(arn, before, after)))


def _state(arn: IdentityArn, texts: Texts) -> Identity:
    return Identity(arn, verified=True, policies=tuple(parse_policy(name, texts[name]) for name in sorted(texts)))


def _remarks(arn: IdentityArn, before: Texts, after: Texts) -> Iterable[str]:
    """Say what a first or last policy does beyond what it says."""
    if arn.is_address and bool(before) != bool(after):
        if after:
            yield "its policies take the place of its domain's from now on"
        else:
            yield "without policies of its own, those of its domain decide from now on"


def _policies_now(known: Everything) -> dict[IdentityArn, int]:
    """How many policies each identity has; one that was not looked at may have some."""
    seen = {arn: len(held.policies) for arn, held in known.held.items() if held is not None}
    return dict.fromkeys(known.unseen, 1) | seen
