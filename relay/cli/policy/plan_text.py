"""A plan for people: the changes of each identity as a diff with what they mean, the order, and what is not touched."""

from collections.abc import Iterator, Sequence
from typing import Final

import click

from relay.cli.policies import printable
from relay.cli.policy.at_ses import diff, effect_lines
from relay.owner.plan import IdentityChange, Plan
from relay.owner.putting import Change
from relay.owner.steps import Step
from relay.words.arns import IdentityArn

_COLOURS: Final = {"add": "green", "change": "yellow", "delete": "red", "hold": "magenta"}
#: Identities that are not in the folder and that are named one by one.
_NAMED: Final = 20

_HOLDS: Final = """\
Some of these policies wait for each other: in whatever order they are changed, more would be allowed for a moment than
before or after. While they are changed a policy each holds them: a Deny for the people concerned, whose mail under
{names} is refused for about {seconds} seconds. Two changes one after the other, first what
takes away, then what gives, need no hold."""


def render(plan: Plan, *, has_delegates: bool) -> Iterator[str]:
    """Return the lines of it. ``has_delegates``: whether any are known that could gain or lose."""
    for change in plan.changed:
        yield from _identity(change)
        if not has_delegates:
            yield "  what it means for delegates is not known: none is named here, -c relay.toml would"
        yield ""
    if len(plan.steps) > 1:
        yield click.style("In this order:", bold=True)
        yield from (f"{number:>4}  {step_line(step)}" for number, step in enumerate(plan.steps, start=1))
        yield ""
    if plan.holds:
        names = ", ".join(dict.fromkeys(step.identity.name for step in plan.holds))
        yield printable_lines(_HOLDS.format(names=names, seconds=plan.seconds))
        yield ""
    yield from _beyond(plan)
    for problem in plan.problems:
        yield f"{click.style('problem', fg='red', bold=True)}: {printable(problem)}"
    yield summary(plan)


def step_line(step: Step) -> str:
    """One step in a line."""
    verb = click.style(step.verb.ljust(6), fg=_COLOURS[step.verb])
    return f"{verb}  {printable(f'{step.identity.name}  {step.name}')}"


def summary(plan: Plan) -> str:
    """Count it."""
    counts = [(sum(step.verb == verb for step in plan.changes), verb) for verb in ("add", "change", "delete")]
    told = [click.style(f"{number} to {verb}", fg=_COLOURS[verb]) for number, verb in counts if number]
    if plan.problems:
        told.append(click.style("1 problem" if len(plan.problems) == 1 else f"{len(plan.problems)} problems", fg="red"))
    said = ", ".join(told) or click.style("nothing to do", fg="green")
    identities = "1 identity" if plan.identities == 1 else f"{plan.identities:,} identities"
    takes = f", about {plan.seconds} s at one call a second" if plan.steps else ""
    return f"{identities}: {said}, {plan.same} the same{takes}"


def printable_lines(text: str) -> str:
    """Lines stay lines; whatever else would steer a terminal does not."""
    return "\n".join(map(printable, text.split("\n")))


def _identity(change: IdentityChange) -> Iterator[str]:
    arn = change.identity
    yield click.style(printable(f"{arn.name} ({arn.account} {arn.region})"), bold=True)
    for step in change.changes:
        yield f"{click.style(step.verb, fg=_COLOURS[step.verb], bold=True)} {printable(step.name)}"
        at = "/dev/null" if step.after is None else "in the folder"
        yield from diff(Change(arn.name, step.name, step.before, step.after), at)
    yield from (printable(f"{arn.name}: {remark}") for remark in change.remarks)
    if change.effects:
        yield "what it means for delegates:"
        yield from effect_lines(change.effects)


def _beyond(plan: Plan) -> Iterator[str]:
    """What is at SES, not in the folder, and not touched."""
    named = list(plan.left_alone.items())
    for arn, names in named[:_NAMED]:
        yield printable(f"not in the folder, left alone: {arn} ({', '.join(names)})")
    if len(named) > _NAMED:
        yield f"not in the folder, left alone: {len(named) - _NAMED} more identities with policies"
    if plan.unseen:
        yield f"not in the folder, not looked at: {_counted(plan.unseen)}"


def _counted(arns: Sequence[IdentityArn]) -> str:
    return printable(arns[0].name) if len(arns) == 1 else f"{len(arns)} identities"
