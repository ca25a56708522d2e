"""``ses-relay identity``: domains and addresses in SES, for their owner."""

import click

from relay.cli.lazy import LazyGroup

COMMANDS: tuple[str, ...] = ("create", "delete", "dns", "list", "notifications", "status")


@click.group(
    cls=LazyGroup,
    package="relay.cli.identity",
    modules=COMMANDS,
    short_help="Domains and addresses, in their owner's SES.",
)
def command() -> None:
    """Identities: the domains and addresses that mail is sent under, in the SES of their owner."""
