"""``ses-relay policy apply``: what a folder of policies says, brought to SES."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from relay.cli.interrupting import interruptible
from relay.cli.owners import Owners
from relay.cli.policies import delegates_of, printable
from relay.cli.policy.at_ses import backup_of, backup_option, refuse, soon
from relay.cli.policy.plan_text import render, step_line
from relay.cli.policy.planning import Planning, Scope, folder_options, plan_or_exit
from relay.cli.progress import progress
from relay.identities.accounts import Accounts, AwsProblem
from relay.owner.applying import carry_out
from relay.owner.backups import Backup, BackupProblem
from relay.owner.plan_file import PlanFileProblem, changes_since, read_plan, to_json
from relay.owner.putting import Put, PuttingProblem
from relay.owner.steps import Step, is_hold_text

_MOST_SURPRISES: Final = 20


@click.command(short_help="Bring a folder of policies to SES.")
@folder_options
@click.option("--plan", "planned", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Do only this.")
@backup_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --yes.")
def command(
    scope: Scope,
    *,
    planned: Path | None,
    backup: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """
    Make the policies at SES those of DIR/ACCOUNT/REGION/IDENTITY/NAME.json. Shows the plan, and asks.

    Each policy is read again right before it is changed and right after; the first surprise ends it. At no moment is
    more allowed than before or after: Denies are put first, then what allows; then old Allows go, and old Denies last.
    Old texts are kept in a local folder. Nothing is deleted that the plan did not name, and nothing of identities that
    have no folder. Interrupted, it ends between two policies; run again, it goes on.

    With --plan only what "policy plan --out" wrote is done, and nothing when the folder or SES has changed since.

    \b
    Exit code 0: SES has what the folder says; 1: it has not; 2: wrong usage.

    \b
    Examples:
      ses-relay policy apply policies
      ses-relay policy apply policies -c relay.toml --plan plan.json --yes
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if as_json and not yes:
        raise click.UsageError("--json asks nothing: give --yes, too")
    planning = plan_or_exit(scope)
    plan, owners = planning.plan, scope.owners
    if not as_json:
        click.echo("\n".join(render(plan, has_delegates=bool(delegates_of(owners.settings)))))
    if planned is not None:
        _hold_to(planned, planning)
    if plan.steps and not plan.problems and not yes:
        count = "this change" if len(plan.steps) == 1 else f"these {len(plan.steps)} steps"
        click.confirm(f"Make {count}?", abort=True, err=True)
    work = _Work(plan.steps)
    if not plan.problems:
        _do(work, planning, owners.accounts, backup_of(backup), is_told=not as_json)
    if as_json:
        click.echo(json.dumps({**to_json(plan, time.time()), **work.to_json()}, indent=2))
    if plan.problems:
        refuse("nothing was changed")
    _conclude(work, owners)
    sys.exit(1 if work.left else 0)


def _hold_to(path: Path, planning: Planning) -> None:
    """Refuse to do anything else than what was planned."""
    try:
        planned = read_plan(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, PlanFileProblem) as error:
        raise click.UsageError(f"--plan: {path}: {error}") from None
    surprises = list(changes_since(planned, planning.plan, planning.wanted))
    if surprises:
        for surprise in surprises[:_MOST_SURPRISES]:
            click.echo(printable(f"error: {surprise}"), err=True)
        refuse(f"it is not as {path} has it any more: nothing was changed; plan again")


# --- the work ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Work:
    """What was done of the steps, and why it ended."""

    steps: Sequence[Step]
    done: list[tuple[Step, Put]] = field(default_factory=list)
    why: str = ""

    @property
    def left(self) -> Sequence[Step]:
        return self.steps[len(self.done) :]

    def to_json(self) -> dict[str, object]:
        done = [
            {
                **_named(step),
                "result": put.did.value,
                "backup": None if put.backup is None else str(put.backup),
            }
            for step, put in self.done
        ]
        return {"done": done, "left": [_named(step) for step in self.left], "stopped": self.why or None}


def _named(step: Step) -> dict[str, object]:
    return {"do": step.verb, "identity": str(step.identity), "policy": step.name}


def _do(work: _Work, planning: Planning, accounts: Accounts, backup: Backup, *, is_told: bool) -> None:
    """Make the steps, until one of them cannot be made or somebody interrupts."""
    with (
        progress("steps", len(work.steps)) as advance,
        interruptible("the policy under way") as is_interrupted,
        _ends_noted(work),
    ):
        for step, put in carry_out(work.steps, accounts, planning.held, backup):
            work.done.append((step, put))
            advance(1)
            if is_told:
                kept = "" if put.backup is None else printable(f"  (the old text: {put.backup})")
                click.echo(f"{click.style('done', fg='green')}  {step_line(step)}{kept}")
            if is_interrupted() and work.left:
                work.why = "interrupted"
                return


@contextmanager
def _ends_noted(work: _Work) -> Iterator[None]:
    try:
        yield
    except (PuttingProblem, BackupProblem, AwsProblem) as problem:
        work.why = str(problem)
    except KeyboardInterrupt:
        work.why = "interrupted in the middle of a step; whether SES has made it the next run will see"


def _conclude(work: _Work, owners: Owners) -> None:
    """Say what is left and how to go on, or from when on it counts."""
    if not work.left:
        for account in dict.fromkeys(step.identity.account for step, _ in work.done):
            click.echo(soon(owners.settings, account), err=True)
        return
    click.echo(click.style(printable(f"stopped: {work.why}"), fg="red", bold=True), err=True)
    click.echo(f"{len(work.done)} done, {len(work.left)} left:", err=True)
    for step in work.left:
        click.echo(f"left  {step_line(step)}", err=True)
    held = [step.identity.name for step in work.left if step.before is not None and is_hold_text(step.before)]
    if held and any(step.is_hold for step, _ in work.done):
        click.echo(printable(f"held, mail is refused until it goes on: {', '.join(held)}"), err=True)
    click.echo("run it again to go on from here", err=True)
