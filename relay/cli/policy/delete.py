"""``ses-relay policy delete``: policies taken from an identity at SES."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from relay.cli.interrupting import interruptible
from relay.cli.owners import Owners, owner_options
from relay.cli.policies import printable
from relay.cli.policy.at_ses import (
    backup_of,
    backup_option,
    diff,
    effect_lines,
    effects_of,
    lint_lines,
    lint_of,
    newly,
    policies_or_exit,
    problems_told,
    refuse,
    soon,
)
from relay.identities.ses_api import SesApi
from relay.owner.ordering import NoOrder, in_order
from relay.owner.putting import Change, arn_at, put_policy
from relay.owner.steps import Step


@click.command(short_help="Take policies from an identity at SES.")
@click.argument("identity", metavar="IDENTITY")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@owner_options
@backup_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; all else goes to standard error.")
def command(
    identity: str, names: tuple[str, ...], *, owners: Owners, backup: Path | None, yes: bool, as_json: bool
) -> None:
    """
    Take the policies NAME from IDENTITY, a name or an ARN: what only they allowed, SES refuses from then on.

    Each is shown, with what its end means for the delegates of the settings, and asked about. The texts are kept in a
    folder, since SES keeps none. If somebody changed one meanwhile, it stays. Afterwards SES is read once more.

    \b
    Exit code 0: they are gone; 1: not all, or you said no; 2: wrong usage.

    \b
    Examples:
      ses-relay policy delete example.com billing
      ses-relay policy delete example.com billing newsletter -c relay.toml --yes
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    api, identity = owners.of_identity(identity)
    say = partial(click.echo, err=as_json)
    held = policies_or_exit(api, identity)
    unknown = [name for name in names if name not in held]
    if unknown:
        refuse(f"{identity} has no policy {', '.join(unknown)}; there are: {', '.join(sorted(held)) or 'none'}")
    changes = [Change(identity, name, held[name], None) for name in dict.fromkeys(names)]
    left = {name: text for name, text in held.items() if name not in names}
    told = effects_of(owners.settings, api, identity, (held, left))
    worse = newly(lint_of(api, identity, held), lint_of(api, identity, left))
    shown = [line for change in changes for line in diff(change, "nothing")]
    for line in (*shown, *lint_lines(worse, named=True), *effect_lines(told)):
        say(line)
    if not yes:
        which = changes[0] if len(changes) == 1 else f"{len(changes)} policies of {identity}"
        click.confirm(printable(f"Delete {which} ({api.account} {api.region})?"), abort=True, err=True)
    kept: dict[str, str] = {}
    with interruptible("the policy under way") as is_interrupted:
        for change in _in_order(api, changes, len(held)):
            if is_interrupted():
                refuse("interrupted: the others are still there; run it again to go on")
            with problems_told():
                put = put_policy(api, change, backup_of(backup))
            verb = "deleted" if change.new is None else "made a Deny for the moment:"
            say(printable(f"{verb} {change}{'' if put.backup is None else f'; its text is kept in {put.backup}'}"))
            kept.setdefault(change.name, str(put.backup))
    say(printable(f"what only that allowed, SES refuses now; {soon(owners.settings, api.account)}"))
    if as_json:
        document = {
            "identity": str(arn_at(api, identity)),
            "deleted": [{"policy": change.name, "backup": kept[change.name]} for change in changes],
            "effects": [effect.to_json() for effect in told if not effect.is_none],
        }
        click.echo(json.dumps(document, indent=2))


def _in_order(api: SesApi, changes: Sequence[Change], there: int) -> list[Change]:
    """Of several, such that at no moment more is allowed than before all and after them: Allows go before Denies."""
    arn = arn_at(api, changes[0].identity)
    try:
        steps = in_order([Step(arn, change.name, change.expected, None) for change in changes], {arn: there})
    except NoOrder as problem:
        refuse(str(problem))
    return [Change(arn.name, step.name, step.before, step.after) for step in steps]
