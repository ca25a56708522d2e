"""``ses-relay policy replay``: what a proposed folder of policies would have changed for mail that really happened."""

import json
import sys
from pathlib import Path

import click

from relay.cli.policies import folder_or_exit, policies_option, settings_if_any
from relay.cli.policy.replay_text import render
from relay.cli.progress import progress
from relay.cli.recorded import journal_option, records_in
from relay.journal.schema import JournalProblem
from relay.judgement.rules import Rules
from relay.owner.log_lines import LineCount, LogProblem
from relay.owner.observed import HashedAddresses
from relay.owner.recorded import Records
from relay.owner.replay import FindDelegate, Replay
from relay.settings.model import Settings
from relay.translation import rules_of
from relay.words.delegates import Delegate


@click.command(short_help="What policies would have changed for recorded mail.")
@click.argument("logs", nargs=-1, metavar="[LOG...]")
@journal_option
@policies_option
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The delegates as they shall be: principals, account_grant, tags. Without it, the principals in the records.",
)
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Rows of each kind to print.")
@click.option("--json", "as_json", is_flag=True, help="For machines: everything, every row.")
def command(
    logs: tuple[str, ...], journal: Path | None, folder: Path | None, config: Path | None, *, top: int, as_json: bool
) -> None:
    """
    Judge recorded mail again by a proposed folder of policies, and say what would change.

    LOG is what "ses-relay serve" wrote: JSON lines, gzipped or not, - for stdin; other lines are passed over. The
    journal has the latest mail. Each message is judged at the time at which it was sent. What was refused before a
    policy was asked is counted apart.

    \b
    Exit code 0: nothing would change; 1: something would; 2: something cannot be read.

    \b
    Examples:
      ses-relay policy replay -c relay.toml --policies proposed
      ses-relay policy replay /var/log/ses-relay/*.log* --policies proposed
      journalctl -u ses-relay -o cat --since -7d | ses-relay policy replay - --policies proposed -c relay.toml
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_if_any(config) if config is not None or folder is None else None
    catalog = folder_or_exit(folder, settings).catalog
    # Policies are replayed against mail, so delegates are taken from the settings only where they were named.
    named = settings if config is not None else None
    replay = Replay(catalog, Rules() if named is None else rules_of(named), _finder(named))
    lines = _read(records_in(logs, journal, settings), replay)
    report = replay.report()
    if not lines.records:
        where = f"in {lines.lines} lines: give the JSON log of ses-relay serve" if logs else "in the journal"
        raise click.UsageError(f"no decision record {where}")
    if as_json:
        click.echo(json.dumps({**report.to_json(), "lines": lines.lines}, indent=2))
    else:
        click.echo(render(report, top=top, has_settings=named is not None))
    sys.exit(1 if report.has_changes else 0)


def _read(records: Records, replay: Replay) -> LineCount:
    count = LineCount()
    try:
        with progress("judging", records.size()) as advance:
            for record in records.each(count, moved=advance):
                replay.take(record)
    except (LogProblem, JournalProblem, HashedAddresses) as problem:
        raise click.UsageError(str(problem)) from None
    return count


def _finder(settings: Settings | None) -> FindDelegate | None:
    """Return how to find a delegate by name; the relay itself is who the record says it was."""
    if settings is None:
        return None
    by_name = {each.name: each for each in settings.delegate}

    def find(name: str, principal: str | None) -> Delegate | None:
        each = by_name.get(name)
        if each is None or (each.known_principal is None and principal is None):
            return None
        return each.to_delegate(principal)

    return find
