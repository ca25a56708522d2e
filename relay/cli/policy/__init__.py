"""``ses-relay policy``: sending authorization policies, for the identity owner."""

import click

from relay.cli.lazy import LazyGroup

COMMANDS: tuple[str, ...] = (
    "apply",
    "delete",
    "get",
    "grant",
    "history",
    "lint",
    "list",
    "plan",
    "put",
    "replay",
    "suggest",
    "test",
)


@click.group(
    cls=LazyGroup, package="relay.cli.policy", modules=COMMANDS, short_help="Policies: linted, tested, compared, put."
)
def command() -> None:
    """Sending authorization policies: checked, tested, compared, and put where SES has them."""
