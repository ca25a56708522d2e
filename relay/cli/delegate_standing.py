"""``ses-relay delegate report`` and ``resume``: what became of delegates' mail, and an end to what it brought them."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.tables import table
from relay.feedback.ledger import Ledger, LedgerProblem
from relay.feedback.reports import HEADER, report_of, row_of
from relay.settings.model import Settings
from relay.settings.units import read_duration
from relay.words.standings import Standing


@click.command(short_help="What became of delegates' mail.")
@config_option
@click.option("--since", metavar="DURATION", default="24h", show_default=True, help="Such as 1h, 24h or 7d.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def report(config: Path | None, since: str, as_json: bool) -> None:
    """
    Print what became of each delegate's mail: sent, delivered, bounced, complained about; and how it stands.

    It is read from the file of feedback.path, whether or not the relay runs; counts are kept for 35 days, by ten
    minutes. Bounces are those for good; `other` is mail that no delegate of the settings sent.

    \b
    Exit code 0: printed; 1: there is no such file, or it cannot be read; 2: wrong usage.

    \b
    Examples:
      ses-relay delegate report -c relay.toml
      ses-relay delegate report --since 7d --json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_or_exit(config)
    try:
        seconds = read_duration(since)
    except ValueError as problem:
        raise click.UsageError(f"--since: {problem}") from None
    now = time.time()
    with _ledger(settings) as ledger:
        told = report_of(ledger, [each.name for each in settings.delegate], max(0.0, now - seconds), now)
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"From {told['from']} to {told['to']}, in recipients:")
    click.echo("\n".join(table(HEADER, [row_of(each) for each in told["delegates"]], indent="  ")))
    for each in told["delegates"]:
        if each["standing"] != Standing.GOOD.word:
            click.echo(f"{each['delegate']} is {each['standing']} since {each['since']}: {each['why']}")


@click.command(short_help="Let a slowed or suspended delegate send.")
@click.argument("name")
@config_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def resume(name: str, config: Path | None, yes: bool) -> None:
    """
    Let delegate NAME send as ever, which its bounces or complaints had slowed or suspended.

    The relay takes it over within seconds, and judges the delegate by the mail that it sends from then on. What waits
    in the spool goes on within five minutes.

    \b
    Exit code 0: done; 1: you said no, or there is no file of feedback.path; 2: wrong usage.

    \b
    Example:
      ses-relay delegate resume billing -c relay.toml
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_or_exit(config)
    known = sorted(each.name for each in settings.delegate)
    if name not in known:
        raise click.UsageError(f"no delegate is named {name}; there are: {', '.join(known) or 'none'}")
    with _ledger(settings) as ledger:
        record = ledger.records().get(name)
        if record is None or record.standing is Standing.GOOD:
            click.echo(f"{name} stands well: there is nothing to do")
            return
        click.echo(f"{name} is {record.standing.word}: {record.why}", err=True)
        if not yes and not click.confirm(f"Let {name} send as ever?", err=True):
            sys.exit(1)
        ledger.ask_to_resume(name, time.time())
    click.echo(f"{name} is resumed as soon as the relay looks, within seconds where it runs")


@contextmanager
def _ledger(settings: Settings) -> Iterator[Ledger]:
    path = settings.feedback.path
    if path is None:
        raise click.ClickException(
            "feedback.path is not set: the relay counts in memory, and /api/delegates of the admin endpoint shows it"
        )
    try:
        with closing(Ledger(path, must_exist=True)) as ledger:
            yield ledger
    except LedgerProblem as problem:
        raise click.ClickException(str(problem)) from None
