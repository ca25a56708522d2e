"""``ses-relay policy history``: every text of an identity's policies that was in force, and when."""

import json
import sys
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from itertools import pairwise
from pathlib import Path

import click

from relay.cli.configuration import config_option
from relay.cli.explain_decision import when
from relay.cli.policies import printable, settings_if_any
from relay.journal.schema import JournalProblem
from relay.owner.catalogs import KeptText
from relay.owner.policy_texts import PolicyTexts

_HEADER = ("POLICY", "FIRST SEEN (UTC)", "LAST SEEN", "BYTES", "SHA-256", "IDENTITY")


@click.command(short_help="Which policy texts were in force, and when.")
@click.argument("identity")
@config_option
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Read this file, not [journal] path.")
@click.option("--show", metavar="DIGEST", help="Print the text whose SHA-256 begins so.")
@click.option("--diff", is_flag=True, help="Print what changed from text to text.")
@click.option("--json", "as_json", is_flag=True, help="For machines, texts included.")
def command(
    identity: str, config: Path | None, *, file: Path | None, show: str | None, diff: bool, as_json: bool
) -> None:
    """
    List the policies of IDENTITY, a name or an ARN, with every text they had.

    The relay keeps each text by its SHA-256 in the file of [journal] path, whenever it reads policies; decision records
    name the same digests.

    \b
    Exit code 0: there they are; 1: none is known; 2: the file cannot be read.

    \b
    Examples:
      ses-relay policy history example.com -c relay.toml
      ses-relay policy history example.com --diff --file /var/lib/ses-relay/journal.db
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    try:
        periods = PolicyTexts(_path(file, config)).history(identity)
    except JournalProblem as problem:
        raise click.UsageError(str(problem)) from None
    if show is not None:
        periods = [period for period in periods if period.digest.startswith(show)]
    if not periods:
        raise click.ClickException(printable(f"no policy of {identity} is known" + (f" as {show}" if show else "")))
    if as_json:
        click.echo(json.dumps([_json(period) for period in periods], indent=2))
    elif show is not None:
        sys.stdout.write(periods[0].text)
    else:
        click.echo("\n".join(_changes(periods) if diff else _table(periods)))


def _path(file: Path | None, config: Path | None) -> Path:
    if file is not None:
        return file
    settings = settings_if_any(config)
    if settings is None or settings.journal.path is None:
        raise click.UsageError("texts are kept where [journal] path says: give -c relay.toml with it, or --file")
    return settings.journal.path


def _json(period: KeptText) -> dict[str, object]:
    return {
        "identity": period.identity,
        "name": period.name,
        "digest": period.digest,
        "first_seen": period.first_seen,
        "last_seen": period.last_seen,
        "text": period.text,
    }


def _table(periods: Sequence[KeptText]) -> Iterator[str]:
    rows = [_HEADER, *(_cells(period) for period in periods)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield line if number else click.style(line, dim=True)


def _cells(period: KeptText) -> tuple[str, ...]:
    size = str(len(period.text.encode()))
    times = (when(period.first_seen), when(period.last_seen))
    return tuple(map(printable, (period.name, *times, size, period.digest[:12], period.identity)))


def _changes(periods: Sequence[KeptText]) -> Iterator[str]:
    places = dict.fromkeys((period.identity, period.name) for period in periods)
    for place in places:
        own = [period for period in periods if (period.identity, period.name) == place]
        yield printable(f"{place[0]} {place[1]}: since {when(own[0].first_seen)}")
        for before, after in pairwise(own):
            old, new = (f"{each.name} {each.digest[:12]} {when(each.first_seen)}" for each in (before, after))
            lines = unified_diff(before.text.splitlines(), after.text.splitlines(), old, new, lineterm="")
            yield from map(printable, lines)
