"""A policy that was made here: to standard output or into a folder, and what is to be known of it to standard error."""

from collections.abc import Sequence
from pathlib import Path

import click

from relay.cli.policies import printable
from relay.owner.writing import PolicyExists, write_policy
from relay.words.arns import IdentityArn


def put_out(
    identity: IdentityArn, name: str, text: str, remarks: Sequence[str], folder: Path | None, *, is_told: bool = False
) -> None:
    """
    Write the policy into *folder*, or print it; *is_told*: it has been printed already, in a form of its own.

    Leaves with exit code 2 when there is a policy of that name, or the folder cannot be written.
    """
    click.echo(printable(f"policy {name} of {identity}, {len(text.encode())} bytes"), err=True)
    for remark in remarks:
        click.echo(printable(f"  {remark}"), err=True)
    if folder is None:
        if not is_told:
            click.echo(text, nl=False)
        return
    try:
        path = write_policy(folder, identity, name, text)
    except PolicyExists as problem:
        raise click.UsageError(f"{problem} is there already: give another --name, or remove it") from None
    except OSError as error:
        raise click.UsageError(f"cannot write: {error}") from error
    click.echo(f"  written to {path}", err=True)
