"""The command line: one file per noun a person types."""

import os

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
    """
    An SMTP relay that enforces Amazon SES sending authorization, per delegate, and explains every answer.

    \b
    Examples:
      ses-relay demo
      ses-relay check --print-example > relay.toml
      ses-relay check -c relay.toml && ses-relay doctor -c relay.toml && ses-relay serve -c relay.toml
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":  # https://no-color.org; click does not look
        click.get_current_context().color = False
