"""``ses-relay migrate decke``: from decke/smtprelay and Grafana's fork."""

from dataclasses import replace
from pathlib import Path

import click

from relay.cli.migrate.options import Where, environment_of, migrating, patterns_option, text_of
from relay.cli.migrate.writing import migrate
from relay.owner.migrate.decke import read_decke
from relay.owner.migrate.model import Found, Wishes
from relay.owner.statements import Pattern


@click.command(short_help="From decke/smtprelay or Grafana's fork.")
@click.argument("ini", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--env", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Its SMTPRELAY_ variables."
)
@click.option(
    "--users",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file of users. Default: allowed_users, beside INI where it is no whole path.",
)
@patterns_option("--from", "authors", "In place of allowed_sender: what may be sent as.")
@patterns_option("--recipients", "recipients", "In place of allowed_recipients: to whom.")
@patterns_option("--deny-recipients", "not_to", "In place of denied_recipients: to whom not.")
@migrating
def command(
    ini: Path | None,
    env: Path | None,
    users: Path | None,
    authors: tuple[Pattern, ...],
    recipients: tuple[Pattern, ...],
    not_to: tuple[Pattern, ...],
    *,
    wishes: Wishes,
    where: Where,
) -> None:
    """
    Carry over smtprelay.ini, its variables and its file of users, whose addresses become policies.

    \b
    Exit code 0: written; 1: written, and check or lint have something against it; 2: it cannot be carried over.

    \b
    Examples:
      ses-relay migrate decke /etc/smtprelay/smtprelay.ini --to new --account 888888888888
      ses-relay migrate decke smtprelay.ini --users users.txt --dry-run --account 888888888888 --json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if ini is None and env is None and users is None:
        raise click.UsageError("give smtprelay.ini, --env FILE or --users FILE")
    asked = replace(wishes, authors=authors, recipients=recipients, not_to=not_to)

    def read() -> Found:
        return read_decke(ini, environment_of(env), asked, text_of, users)

    migrate(read, asked, where)
