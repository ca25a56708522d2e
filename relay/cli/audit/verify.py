"""``ses-relay audit verify``: whether an export is as it was written."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import click

from relay.audit.chain import LONGEST_LINE, Broken, KeyNeeded, Verified, verify
from relay.cli.audit.keys import key_in, key_option
from relay.cli.policies import printable


@click.command(short_help="Whether an export is as it was written.")
@click.argument("file", type=click.File("rb"))
@key_option
@click.option("--last", "expected", metavar="HASH", help="The hash of the last line, as it was noted elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(file: IO[bytes], *, key_file: Path | None, expected: str | None, as_json: bool) -> None:
    """
    Follow the chain of hashes in FILE (- for standard input), and name the first line that breaks it.

    Whoever can write the file can also make new hashes for all of it, unless they were made with a key, or the hash of
    the last line was noted where nobody can change it: give --key-file, or --last.

    \b
    Exit code 0: unbroken; 1: a line was changed, removed, added or moved, or the file was cut; 2: wrong usage.

    \b
    Examples:
      ses-relay audit verify audit.jsonl --key-file audit.key
      ses-relay audit verify audit.jsonl --last 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    name = getattr(file, "name", "-")
    try:
        found = verify(_lines(file), key_in(key_file))
    except KeyNeeded:
        raise click.UsageError(f"{name} was hashed with a key: give --key-file") from None
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None
    if isinstance(found, Verified) and expected is not None and found.last != expected.strip().lower():
        found = Broken(found.lines, "its hash is not the one that was noted: the file is another one")
    click.echo(json.dumps(_told(found), indent=2) if as_json else printable(f"{name}: {_sentence(found)}"))
    sys.exit(0 if isinstance(found, Verified) else 1)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(file.readline, LONGEST_LINE), b"")


def _told(found: Verified | Broken) -> dict[str, Any]:
    if isinstance(found, Broken):
        return {"unbroken": False, "line": found.line, "why": found.why}
    return {"unbroken": True, "lines": found.lines, "last": found.last, "header": found.header}


def _sentence(found: Verified | Broken) -> str:
    if isinstance(found, Broken):
        return f"line {found.line}: {found.why}"
    span = f"{found.header.get('from')} to {found.header.get('to')}, {found.header.get('algorithm')}"
    return f"{found.lines:,} lines, unbroken: {span}, last hash {found.last}"
