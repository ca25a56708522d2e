"""``-c relay.toml`` for every command that needs settings: the same option, the same words when they are wrong."""

import os
import sys
from pathlib import Path

import click

from relay.settings.model import Settings
from relay.settings.reading import read_settings

DEFAULT = Path("relay.toml")

config_option = click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The settings; default ./relay.toml if there is one, and the environment (SES_RELAY__SECTION__KEY) over it.",
)


def settings_or_exit(config: Path | None) -> Settings:
    """Read the settings; say every problem at once and leave with exit code 2 if there are any."""
    reading = read_settings(path_of(config), os.environ)
    for warning in reading.warnings:
        click.echo(f"warning: {warning}", err=True)
    for problem in reading.problems:
        click.echo(f"{problem}", err=True)
    if reading.settings is None:
        sys.exit(2)
    return reading.settings


def path_of(config: Path | None) -> Path | None:
    """Return the file to read: the one that was named, or ./relay.toml where there is one."""
    return config if config is not None or not DEFAULT.exists() else DEFAULT
