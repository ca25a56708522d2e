"""``ses-relay spool hold``: nothing is sent of it until it is released."""

from pathlib import Path

import click

from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.spool.acting import Wish, act_on
from relay.cli.spool.filters import filter_options
from relay.spool.actions import Action
from relay.spool.ports import Wanted


@click.command(short_help="Keep messages until they are released.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@config_option
@filter_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(ids: tuple[str, ...], config: Path | None, *, wanted: Wanted, yes: bool, as_json: bool) -> None:
    """
    Keep messages as they are until they are released: those of each ID, or all that the filters choose.

    One that is being sent is held when the attempt is over, unless SES took it. What comes later is not held.

    \b
    Exit code 0: done; 1: not all, or you said no; 2: wrong usage, or no spool.

    \b
    Examples:
      ses-relay spool hold 0c6f7b1c9d2e4a58 -c relay.toml
      ses-relay spool hold --delegate newsletter --yes
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    wish = Wish(Action.HOLD, ids, wanted, "Hold {}?", yes=yes, as_json=as_json)
    act_on(settings_or_exit(config), wish)
