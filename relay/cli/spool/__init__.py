"""``ses-relay spool``: the messages that wait, whether or not the relay runs."""

import click

from relay.cli.lazy import LazyGroup

COMMANDS: tuple[str, ...] = ("list", "show", "retry", "hold", "release", "delete")


@click.group(
    cls=LazyGroup, package="relay.cli.spool", modules=COMMANDS, short_help="What waits: looked at, retried, held."
)
def command() -> None:
    """
    The messages that wait in the spool: looked at, tried again, held, deleted.

    A running relay takes over what is changed within five seconds.
    """
