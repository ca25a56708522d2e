"""``--policies DIR`` for every command that reads a folder of policies, and the delegates that are judged by it."""

import time
from pathlib import Path

import click

from relay.cli.configuration import path_of, settings_or_exit
from relay.owner.folder import PolicyFolder, PolicyFolderProblem, read_policy_folder
from relay.settings.model import Settings
from relay.words.delegates import Delegate

policies_option = click.option(
    "--policies",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The policies: DIR/ACCOUNT/REGION/IDENTITY/NAME.json. Default: policies.directory of the settings.",
)


def settings_if_any(config: Path | None) -> Settings | None:
    """Read the settings that were named, or ./relay.toml where there is one; None where there are none."""
    path = path_of(config)
    return None if path is None else settings_or_exit(path)


def folder_or_exit(folder: Path | None, settings: Settings | None) -> PolicyFolder:
    """Read the policies; tell what in them cannot be judged, and leave with exit code 2 if nothing can."""
    root = folder or (settings.policies.directory if settings is not None else None)
    if root is None:
        raise click.UsageError("give --policies DIR, or -c relay.toml with policies.directory")
    try:
        found = read_policy_folder(root, time.time)
    except PolicyFolderProblem as problem:
        raise click.UsageError(str(problem)) from None
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    return found


def delegates_of(settings: Settings | None) -> dict[str, Delegate]:
    """Return the delegates of the settings by name, without those that are the relay itself, whoever that is."""
    delegates = settings.delegate if settings is not None else ()
    return {each.name: each.to_delegate() for each in delegates if each.known_principal is not None}


def printable(text: str) -> str:
    """What a log, a policy or a case says must not steer the terminal of whoever reads about it."""
    return "".join(character if character.isprintable() else "?" for character in text)
