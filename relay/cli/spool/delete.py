"""``ses-relay spool delete``: it is gone, or fails with a notification."""

from pathlib import Path

import click

from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.spool.acting import Wish, act_on
from relay.cli.spool.filters import filter_options
from relay.spool.actions import Action
from relay.spool.ports import Wanted

_SILENTLY = "Delete {}? It is gone for good, and no notification is sent."
_TOLD = "Give up {}? It is not sent any more, and a notification is."


@click.command(short_help="Remove messages for good.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@config_option
@filter_options
@click.option("--notify", is_flag=True, help="Keep it as failed, and notify whoever sent it.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    ids: tuple[str, ...], config: Path | None, *, wanted: Wanted, notify: bool, yes: bool, as_json: bool
) -> None:
    """
    Remove messages for good: those of each ID, or all that the filters choose. Nobody is notified.

    With --notify they fail instead: a notification goes to where their bounces go, and they are kept as failed ones
    are. What is being sent is left.

    \b
    Exit code 0: done; 1: not all, or you said no; 2: wrong usage, or no spool.

    \b
    Examples:
      ses-relay spool delete 0c6f7b1c9d2e4a58 -c relay.toml
      ses-relay spool delete --state held --older-than 30d --notify
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_or_exit(config)
    if notify and settings.notifications.sender is None:
        raise click.UsageError("--notify: notifications.from is not set, so nobody could be notified")
    action, question = (Action.GIVE_UP, _TOLD) if notify else (Action.DELETE, _SILENTLY)
    act_on(settings, Wish(action, ids, wanted, question, asks=True, yes=yes, as_json=as_json))
