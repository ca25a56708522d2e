"""The command line: one file per noun a person types."""

import click

from relay import __version__
from relay.cli.lazy import LazyGroup

COMMANDS = (
    "audit",
    "check",
    "delegate",
    "demo",
    "doctor",
    "explain",
    "healthcheck",
    "identity",
    "local_ses",
    "migrate",
    "policy",
    "serve",
    "spool",
)


@click.group(
    cls=LazyGroup,
    package="relay.cli",
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="ses-relay")
def main() -> None:
    """An SMTP relay that enforces Amazon SES sending authorization, per delegate, and explains every answer."""
