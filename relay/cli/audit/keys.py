"""``--key-file``: the secret that hashes are made with."""

from pathlib import Path
from typing import Final

import click

#: Octets of a key that nobody guesses.
SHORTEST: Final = 16

key_option = click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Hash with the secret in FILE (HMAC-SHA256): who does not have it cannot forge a chain.",
)


def key_in(path: Path | None) -> bytes | None:
    """
    Read the key, without the line end after it.

    Raises:
        click.UsageError: It cannot be read, or is too short.
    """
    if path is None:
        return None
    try:
        key = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    if len(key) < SHORTEST:
        raise click.UsageError(f"{path}: a key has at least {SHORTEST} octets: openssl rand -hex 32 > {path}")
    return key
