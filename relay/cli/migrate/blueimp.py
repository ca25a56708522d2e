"""``ses-relay migrate blueimp``: from blueimp/aws-smtp-relay and its forks."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import click

from relay.cli.migrate.options import Where, environment_of, migrating, patterns_option
from relay.cli.migrate.writing import migrate
from relay.owner.migrate.blueimp import Fork, read_blueimp
from relay.owner.migrate.model import Found, Wishes
from relay.owner.statements import Pattern


@click.command(short_help="From blueimp/aws-smtp-relay or a fork.")
@click.argument("flags", nargs=-1, type=click.UNPROCESSED, metavar="[-- FLAGS...]")
@click.option(
    "--env",
    "env",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=False),
    metavar="FILE",
    help="Its environment: NAME=VALUE lines, or /proc/PID/environ.",
)
@click.option("--fork", type=click.Choice(("kamorion", "kian99", "pr19")), help="Whose letters -o and -f are.")
@patterns_option("--from", "authors", "In place of -l: what may be sent as.")
@patterns_option("--recipients", "recipients", "In place of -w: to whom.")
@patterns_option("--deny-recipients", "not_to", "In place of -d: to whom not.")
@migrating
def command(
    flags: tuple[str, ...],
    env: Path | None,
    fork: str | None,
    authors: tuple[Pattern, ...],
    recipients: tuple[Pattern, ...],
    not_to: tuple[Pattern, ...],
    *,
    wishes: Wishes,
    where: Where,
) -> None:
    """
    Carry over the flags that aws-smtp-relay was started with, and the variables of its forks.

    The flags go behind --, as they are. -o and -f are SES's source and from in the forks of KamorionLabs and kian99; in
    the pull request #19 of blueimp they are the other way round: --fork says which.

    \b
    Exit code 0: written; 1: written, and check or lint have something against it; 2: it cannot be carried over.

    \b
    Examples:
      ses-relay migrate blueimp --to new --account 888888888888 --region us-east-1 --env relay.env \\
          -- -a :1025 -u app -c /etc/relay/cert.pem -k /etc/relay/key.pem -l '@example\\.com$'
      ses-relay migrate blueimp --dry-run --fork kamorion --identity example.com \\
          -- -o arn:aws:ses:us-east-1:888888888888:identity/example.com
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    asked = replace(wishes, authors=authors, recipients=recipients, not_to=not_to)

    def read() -> Found:
        return read_blueimp(flags, environment_of(env), asked, cast("Fork | None", fork))

    migrate(read, asked, where)
