"""The command line: one file per noun a person types."""

from importlib import import_module
from typing import Any

import click

from relay import __version__


class _Lazy(click.Group):
    """Imports a command's module only when it is typed: ``healthcheck`` and ``--version`` stay quick."""

    modules = (
        "check",
        "delegate",
        "demo",
        "explain",
        "healthcheck",
        "local_ses",
        "serve",
    )

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return [name.replace("_", "-") for name in self.modules]

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:  # noqa: ARG002  click's signature
        module = cmd_name.replace("-", "_")
        if module not in self.modules:
            return None
        return import_module(f"relay.cli.{module}").command


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ses-relay")
def main() -> None:
    """An SMTP relay that enforces Amazon SES sending authorization, per delegate, and explains every answer."""
