"""``ses-relay audit``: what happened, for those who look at it later."""

import click

from relay.cli.lazy import LazyGroup

COMMANDS: tuple[str, ...] = ("export", "verify")


@click.group(
    cls=LazyGroup, package="relay.cli.audit", modules=COMMANDS, short_help="What happened: exported, verified."
)
def command() -> None:
    """Decisions, changes of policies and what operators did: exported in a chain of hashes, and verified."""
