"""``ses-relay spool retry``: due now, whatever it waited for."""

from pathlib import Path

import click

from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.spool.acting import Wish, act_on
from relay.cli.spool.filters import filter_options
from relay.spool.actions import Action
from relay.spool.ports import Wanted


@click.command(short_help="Make messages due now, also failed ones.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@config_option
@filter_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(ids: tuple[str, ...], config: Path | None, *, wanted: Wanted, yes: bool, as_json: bool) -> None:
    """
    Make messages due now: those of each ID, or all that the filters choose.

    Failed and quarantined ones, too: they have another chance, as if they had come now, with the policies of now. Who
    has the message already is not sent it again.

    \b
    Exit code 0: done; 1: not all, or you said no; 2: wrong usage, or no spool.

    \b
    Examples:
      ses-relay spool retry 0c6f7b1c9d2e4a58 -c relay.toml
      ses-relay spool retry --state failed --reason policy-not-allowed --delegate billing
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    wish = Wish(Action.RETRY, ids, wanted, "Retry {}?", yes=yes, as_json=as_json)
    act_on(settings_or_exit(config), wish)
