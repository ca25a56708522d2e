"""What put and delete have in common: what is there, what would change, the question, the change and what it meets."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

import click

from relay.cli.identity.text import gone
from relay.cli.policies import delegates_of, printable
from relay.identities.ses_api import SesApi
from relay.judgement.catalog import Identity
from relay.judgement.rules import Rules
from relay.owner.backups import Backup, BackupProblem
from relay.owner.comparing import differences
from relay.owner.effects import Effect, effects, summary
from relay.owner.putting import Change, ChangedMeanwhile, PuttingProblem, ReadBackOtherwise, arn_at
from relay.policy.document import parse_policy
from relay.policy.lint import Finding, Severity, lint_identity
from relay.settings.model import Settings
from relay.translation import rules_of

_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}
_SEVERITIES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}

backup_option = click.option(
    "--backup",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where old texts are kept: DIR/ACCOUNT/REGION/IDENTITY/NAME.TIME.json. "
    "Default: $XDG_STATE_HOME/ses-relay/policies.",
)


def backup_of(folder: Path | None) -> Backup:
    """Return where old texts go."""
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return Backup(folder or home / "ses-relay" / "policies")


def refuse(why: str) -> NoReturn:
    """Say why nothing is done, and leave with exit code 1."""
    click.echo(printable(f"error: {why}"), err=True)
    sys.exit(1)


def policies_or_exit(api: SesApi, identity: str) -> Mapping[str, str]:
    """Return what policies are there; leave with exit code 1 when the identity can have none."""
    held = api.identity(identity)
    if held is None:
        gone(api, identity)
    if not held.verified:
        refuse(f"{identity} is not verified ({held.status}): SES takes policies of verified identities only")
    return held.policies


def diff(change: Change, at: str) -> Iterator[str]:
    """Show a change as coloured lines; *at*: what the new text is called."""
    names = f"{change.identity} {change.name} at SES", at
    for line in differences(change.expected, change.new, old_name=names[0], new_name=names[1]):
        is_head = line.startswith(("---", "+++"))
        yield click.style(printable(line), fg=None if is_head else _COLOURS.get(line[0]), bold=is_head or None)


def lint_lines(found: Sequence[Finding], *, named: bool = False) -> Iterator[str]:
    """Tell findings, each with its fix; *named*: with the policy, where it is not clear which is meant."""
    for finding in found:
        severity = click.style(finding.severity, fg=_SEVERITIES[finding.severity], bold=True)
        place = f"{finding.policy}: " if named else f"line {finding.line}: "
        yield f"{severity}: {printable(f'{place}{finding.message} [{finding.code}]')}"
        yield printable(f"    fix: {finding.fix}")


def lint_of(api: SesApi, identity: str, policies: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return what lint has against all policies of an identity together."""
    return lint_identity(policies, arn_at(api, identity), datetime.now(UTC))


def newly(before: Sequence[Finding], after: Sequence[Finding], but: str = "") -> list[Finding]:
    """Return the findings, errors and warnings, that a change brings to other policies than *but*."""
    known = {(finding.policy, finding.code, finding.path) for finding in before}
    return [
        finding
        for finding in after
        if finding.severity is not Severity.NOTE
        and finding.policy != but
        and (finding.policy, finding.code, finding.path) not in known
    ]


def effects_of(
    settings: Settings | None, api: SesApi, identity: str, sides: tuple[Mapping[str, str], Mapping[str, str]]
) -> tuple[Effect, ...]:
    """Return which delegates of the settings gain or lose what, when policies change from one side to the other."""
    delegates = delegates_of(settings).values()
    if not delegates:
        return ()
    now, arn = time.time(), arn_at(api, identity)
    before, after = (
        Identity(arn, verified=True, policies=tuple(parse_policy(*item) for item in sorted(side.items())), read_at=now)
        for side in sides
    )
    return effects(before, after, delegates, now, Rules() if settings is None else rules_of(settings))


def effect_lines(found: Sequence[Effect]) -> Iterator[str]:
    """Say it, a line for each delegate."""
    for line in summary(found):
        yield printable(f"  {line}")


def soon(settings: Settings | None, account: str) -> str:
    """Say when relays decide by what SES has now."""
    if settings is None:
        return "relays that ask SES decide by it within their policies.refresh_interval"
    policies = settings.policies
    source = next((owner.source for owner in policies.owner if owner.account == account and owner.source), None)
    if (source or policies.source) == "directory":
        return (
            f"the relay of these settings reads {policies.directory}, not SES: it decides as before until that changes"
        )
    return (
        f"the relay of these settings decides by it within {policies.refresh_interval:g} s, its refresh_interval;"
        " later where it reads many identities"
    )


@contextmanager
def problems_told() -> Iterator[None]:
    """Tell what kept a policy from being at SES as it was wanted, and leave with exit code 1."""
    try:
        yield
    except BackupProblem as problem:
        refuse(f"{problem}: nothing was changed")
    except ChangedMeanwhile as problem:
        refuse(f"{problem}: look again. Nothing was changed")
    except ReadBackOtherwise as problem:
        click.echo(click.style(printable(f"error: {problem}"), fg="red", bold=True), err=True)
        for line in differences(problem.wanted, problem.found, old_name="what was put", new_name="what SES has"):
            click.echo(printable(line), err=True)
        if problem.backup is not None:
            click.echo(printable(f"the old text is kept in {problem.backup}"), err=True)
        sys.exit(1)
    except PuttingProblem as problem:
        refuse(str(problem))
