"""
A policy that was made here: held to lint, then to standard output or into a folder; what is to be known of it goes to
standard error.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from relay.cli.policies import printable
from relay.owner.writing import PolicyExists, write_policy
from relay.policy.lint import Finding, Severity, lint_policy
from relay.words.arns import IdentityArn


def put_out(
    identity: IdentityArn, name: str, text: str, remarks: Sequence[str], folder: Path | None, *, is_told: bool = False
) -> bool:
    """
    Write the policy into *folder*, or print it; *is_told*: it has been printed already, in a form of its own.

    Returns whether lint finds no error in it: one with errors is neither written nor printed. Leaves with exit code 2
    when there is a policy of that name, or the folder cannot be written.
    """
    found = lint_policy(name, text, identity=identity, now=datetime.now(UTC))
    click.echo(printable(f"policy {name} of {identity}, {len(text.encode())} bytes"), err=True)
    for remark in (*remarks, *_told(found)):
        click.echo(printable(f"  {remark}"), err=True)
    if any(finding.severity is Severity.ERROR for finding in found):
        return False
    if folder is None:
        if not is_told:
            click.echo(text, nl=False)
        return True
    try:
        path = write_policy(folder, identity, name, text)
    except PolicyExists as problem:
        raise click.UsageError(f"{problem} is there already: give another --name, or remove it") from None
    except OSError as error:
        raise click.UsageError(f"cannot write: {error}") from error
    click.echo(f"  written to {path}", err=True)
    return True


def _told(found: Sequence[Finding]) -> Iterator[str]:
    """What lint has against it; what is only worth knowing, the remarks say in words of their own."""
    for finding in found:
        if finding.severity is not Severity.NOTE:
            yield f"{finding.severity}: {finding.message} {finding.fix} [{finding.code}]"
