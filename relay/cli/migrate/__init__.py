"""``ses-relay migrate``: coming from another relay, with its own settings as they are."""

import click

from relay.cli.lazy import LazyGroup

COMMANDS: tuple[str, ...] = ("blueimp", "decke", "postfix")


@click.group(
    cls=LazyGroup, package="relay.cli.migrate", modules=COMMANDS, short_help="Come from another relay: its settings."
)
def command() -> None:
    """
    Make relay.toml, delegates and starting policies of another relay's settings.

    They are written into a new folder, with a README.md that tells every difference. Nothing is changed anywhere else.
    """
