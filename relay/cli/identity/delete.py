"""``ses-relay identity delete``: an identity with everything that hangs on it, once a person has seen what that is."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from relay.cli.identity.text import gone, refuse
from relay.cli.owners import Owners, owner_options
from relay.cli.policies import delegates_of, printable
from relay.cli.policy.at_ses import backup_of, backup_option
from relay.identities.ses_api import Held
from relay.judgement.catalog import Identity
from relay.owner.backups import BackupProblem
from relay.owner.effects import effects, summary
from relay.owner.identity_creation import arn_of
from relay.policy.document import parse_policy
from relay.settings.model import Settings
from relay.words.arns import IdentityArn

_ARNS = ("default_source_arn", "default_from_arn", "default_return_path_arn")


@click.command(short_help="Delete an identity, its policies put aside.")
@click.argument("name", metavar="NAME|ARN")
@owner_options
@backup_option
@click.option("--yes", is_flag=True, help="Delete without a question.")
def command(name: str, *, owners: Owners, backup: Path | None, yes: bool) -> None:
    """
    Delete an identity: nobody can send under it any more, and its policies are gone from SES.

    What hangs on it is shown before: policies, delegates of the settings that name it, what each delegate loses.

    \b
    Exit code 0: deleted; 1: not there, or SES said no, or the question was answered no.

    \b
    Examples:
      ses-relay identity delete old.example.com
      ses-relay identity delete old.example.com -c relay.toml --backup backups --yes
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    api, name = owners.of_identity(name)
    held = api.identity(name)
    if held is None:
        gone(api, name)
    arn = arn_of(api, name)
    click.echo("\n".join(printable(line) for line in _hanging(held, arn, owners.settings)), err=True)
    if not yes:
        click.confirm(f"Delete {arn}?", abort=True, err=True)
    kept = backup_of(backup)
    try:
        for policy, text in sorted(held.policies.items()):
            click.echo(printable(f"kept {kept.keep(arn, policy, text)}"))
    except BackupProblem as problem:
        refuse(f"nothing was deleted: {problem}")
    api.call("delete_email_identity", EmailIdentity=name)
    click.echo(printable(f"deleted {arn}"))


def _hanging(held: Held, arn: IdentityArn, settings: Settings | None) -> Iterator[str]:
    yield f"{arn}: {'verified' if held.verified else 'not verified'}"
    yield f"  policies: {', '.join(sorted(held.policies)) or 'none'}"
    if settings is None:
        yield "  which delegates send under it is not known without their settings: -c relay.toml"
        return
    named = list(_named_by(arn, settings))
    if named:
        yield f"  named in the settings of {', '.join(named)}"
    yield from (f"  {line}" for line in _lost(held, arn, settings))


def _named_by(arn: IdentityArn, settings: Settings) -> Iterator[str]:
    for each in settings.delegate:
        named = {*map(str, each.allow_source_arns), *map(str, each.allow_identities)}
        named |= {str(value) for value in (getattr(each, key) for key in _ARNS) if value is not None}
        if named & {str(arn), arn.name}:
            yield each.name


def _lost(held: Held, arn: IdentityArn, settings: Settings) -> Sequence[str]:
    policies = tuple(parse_policy(policy, text) for policy, text in held.policies.items())
    now = time.time()
    before = Identity(arn, verified=held.verified, policies=policies, read_at=now)
    after = Identity(arn, verified=False, read_at=now)
    return summary(effects(before, after, delegates_of(settings).values(), now))
