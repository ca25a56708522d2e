"""``ses-relay spool show``: one message, what became of it so far, and its header."""

import asyncio
import json
import os
import time
from pathlib import Path

import click

from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.policies import printable
from relay.cli.spool.opening import desk_of, page_or_exit
from relay.cli.spool.text import page, size
from relay.settings.model import Settings
from relay.spool.entries import Entry
from relay.spool.ports import Damaged, Wanted
from relay.spool.told import whole
from relay.words.unavailable import Unavailable


@click.command(short_help="One message: its recipients, its fate so far.")
@click.argument("queue_id", metavar="ID")
@config_option
@click.option("--headers", is_flag=True, help="Print its header section, nothing else.")
@click.option(
    "--eml",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the message, as it was accepted, into a new file that only you can read.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(queue_id: str, config: Path | None, *, headers: bool, eml: Path | None, as_json: bool) -> None:
    """
    Show one message: who sent it to whom, what SES said, when it is tried again. Its body is never printed.

    \b
    Exit code 0: there it is; 1: there is none of this ID, or its message is damaged.

    \b
    Examples:
      ses-relay spool show 0c6f7b1c9d2e4a58 -c relay.toml
      ses-relay spool show 0c6f7b1c9d2e4a58 --headers
      ses-relay spool show 0c6f7b1c9d2e4a58 --eml message.eml
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    entry, raw = asyncio.run(_read(settings_or_exit(config), queue_id, with_message=headers or eml is not None))
    if eml is not None:
        _write(eml, raw)
        click.echo(f"{eml}: {size(len(raw))}", err=True)
    if headers:
        click.echo(_header(raw), nl=False)
    elif as_json:
        click.echo(json.dumps(whole(entry, time.time()), indent=2))
    elif eml is None:
        click.echo("\n".join(page(entry, time.time())))


async def _read(settings: Settings, queue_id: str, *, with_message: bool) -> tuple[Entry, bytes]:
    async with desk_of(settings) as desk:
        found = page_or_exit(await desk.page(Wanted(ids=(queue_id,)), limit=1))
        if not found:
            raise click.ClickException(printable(f"no message {queue_id} is in the spool"))
        raw = await desk.spool.body(found[0]) if with_message else b""
        if isinstance(raw, Damaged | Unavailable):
            raise click.ClickException(raw.why)
        return found[0], raw


def _write(path: Path, raw: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(raw)
    except FileExistsError:
        raise click.UsageError(f"{path} is there already: name a new file") from None
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None


def _header(raw: bytes) -> str:
    """The header section, a line each; what would steer a terminal is shown as a question mark."""
    section = raw.partition(b"\r\n\r\n")[0]
    lines = section.decode("utf-8", "replace").split("\r\n")
    return "".join(f"{printable(line.replace(chr(9), ' '))}\n" for line in lines)
