"""``ses-relay migrate postfix``: from Postfix with SES as its relayhost."""

from pathlib import Path

import click

from relay.cli.migrate.options import Where, migrating, text_of
from relay.cli.migrate.writing import migrate
from relay.owner.migrate.model import Found, Wishes
from relay.owner.migrate.postfix import read_postfix


@click.command(short_help="From Postfix with SES as its relayhost.")
@click.argument("settings", default="/etc/postfix", type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]")
@click.option(
    "--passwords",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Who logs in: a passwd-file of Dovecot, or NAME:HASH lines.",
)
@migrating
def command(settings: Path, passwords: Path | None, *, wishes: Wishes, where: Where) -> None:
    """
    Carry over main.cf, master.cf and smtpd_sender_login_maps of DIR, by default /etc/postfix.

    Logins become delegates, and the addresses that they own become policies; mynetworks becomes a delegate that needs
    no AUTH. hash: and like tables are read from the text beside them.

    \b
    Exit code 0: written; 1: written, and check or lint have something against it; 2: it cannot be carried over.

    \b
    Examples:
      ses-relay migrate postfix --to new --account 888888888888
      ses-relay migrate postfix /etc/postfix --passwords /etc/dovecot/users --to new --account 888888888888
    """  # noqa: D301 - \b is click's mark for lines to leave alone

    def read() -> Found:
        return read_postfix(settings, wishes, text_of, passwords)

    migrate(read, wishes, where)
