"""``ses-relay policy plan``: what would change at SES for it to have what a folder of policies says."""

import json
import sys
import time
from pathlib import Path

import click

from relay.cli.policies import delegates_of
from relay.cli.policy.plan_text import render
from relay.cli.policy.planning import Scope, folder_options, plan_or_exit
from relay.cli.private import write_private
from relay.owner.plan_file import to_json


@click.command(short_help="What apply would change at SES.")
@folder_options
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan, for apply --plan.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(scope: Scope, *, out: Path | None, as_json: bool) -> None:
    """
    Compare DIR/ACCOUNT/REGION/IDENTITY/NAME.json with SES: the folder is the truth. Changes nothing.

    Shows what would be added, changed and deleted, identity by identity, and which delegates of the settings would gain
    or lose which addresses. What differs only in blanks or in the order of JSON keys is the same. Policies at SES that
    the folder of their identity does not hold would be deleted; identities without a folder are listed and left alone.

    \b
    Exit code 0: nothing to do; 2: there are changes, or wrong usage; 1: a problem. Lint finds an
    error in the folder (then SES is not asked), SES lacks an identity, or it is not verified.

    \b
    Examples:
      ses-relay policy plan policies
      ses-relay policy plan policies -c relay.toml --account 888888888888 --region us-east-1
      ses-relay policy plan policies --no-others --out plan.json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    plan = plan_or_exit(scope).plan
    document = json.dumps(to_json(plan, time.time()), indent=2)
    if out is not None:
        try:
            write_private(out, f"{document}\n")
        except OSError as error:
            raise click.UsageError(f"--out: {out}: {error.strerror or type(error).__name__}") from None
    if as_json:
        click.echo(document)
    else:
        click.echo("\n".join(render(plan, has_delegates=bool(delegates_of(scope.owners.settings)))))
    sys.exit(1 if plan.problems else 2 if plan.changes else 0)
