"""``ses-relay policy suggest``: the least policy that would have let through what a delegate was seen to send."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from relay.cli.configuration import config_option
from relay.cli.policies import printable, settings_if_any
from relay.cli.policy.output import put_out
from relay.cli.progress import progress
from relay.cli.recorded import journal_option, records_in
from relay.journal.schema import JournalProblem
from relay.owner.log_lines import LineCount, LogProblem
from relay.owner.observed import HashedAddresses, NotReplayable
from relay.owner.recorded import Records
from relay.owner.records import read_observed
from relay.owner.suggest import Sightings, Suggestion, identities_of, suggest


@click.command(short_help="The least policy for mail that was seen.")
@click.argument("logs", nargs=-1, metavar="[LOG...]")
@config_option
@journal_option
@click.option("--delegate", required=True, metavar="NAME", help="Whose mail: its name in the log.")
@click.option("--identity", metavar="X", help="For this identity only: its name or ARN.")
@click.option("--include-refused", is_flag=True, help="Allow what policies refused, too, as if it was meant.")
@click.option("--group", is_flag=True, help="Make patterns of addresses that differ in +label, or are many.")
@click.option("--write", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write into this folder.")
@click.option("--json", "as_json", is_flag=True, help="For machines: identity, policy, bytes, what was widened.")
def command(  # noqa: PLR0913  one for each option
    logs: tuple[str, ...],
    config: Path | None,
    journal: Path | None,
    delegate: str,
    identity: str | None,
    folder: Path | None,
    *,
    include_refused: bool,
    group: bool,
    as_json: bool,
) -> None:
    """
    Print the policy that allows exactly the mail that a delegate sent, going by its records in LOG or in the journal.

    One policy for each identity that its mail used: the author's addresses, the feedback addresses that went with them,
    and the recipient domains where they are few. What it leaves open is told on standard error. A policy has at most
    4,096 bytes: what had to be widened for that is told, too.

    \b
    Exit code 0: there it is; 1: no such mail was seen, or too many addresses for one policy; 2: a log cannot be read.

    \b
    Examples:
      ses-relay policy suggest --delegate billing -c relay.toml
      ses-relay policy suggest --delegate billing /var/log/ses-relay/*.log.gz
      ses-relay policy suggest --delegate billing --group --write policies week.log
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_if_any(config) if not logs and journal is None else None
    sightings = _see(records_in(logs, journal, settings), delegate, include_refused=include_refused)
    found = [each for each in identities_of(sightings) if identity is None or identity in {str(each), each.name}]
    if not found:
        seen = ", ".join(each.name for each in identities_of(sightings))
        told = f"its mail used {seen}, not {identity}" if seen else "give more logs, or --include-refused"
        raise click.ClickException(printable(f"no mail of {delegate} was seen to suggest a policy for: {told}"))
    suggestions = [suggest(sightings, each, group=group) for each in found]
    if as_json:
        told_all = {"format": 1, "delegate": delegate, "messages": sightings.messages}
        click.echo(json.dumps({**told_all, "policies": [each.to_json() for each in suggestions]}, indent=2))
    sys.exit(0 if _put_out(suggestions, folder, is_told=as_json) else 1)


def _see(records: Records, delegate: str, *, include_refused: bool) -> Sightings:
    sightings = Sightings(delegate)
    try:
        with progress("reading", records.size()) as advance:
            for record in records.each(LineCount(), moved=advance):
                if record.get("delegate") != delegate:
                    continue
                seen = read_observed(record)
                if not isinstance(seen, NotReplayable) and (seen.was_sent or include_refused):
                    sightings.add(seen)
    except (LogProblem, JournalProblem, HashedAddresses) as problem:
        raise click.UsageError(str(problem)) from None
    return sightings


def _put_out(suggestions: Sequence[Suggestion], folder: Path | None, *, is_told: bool) -> bool:
    are_good = []
    for each in suggestions:
        remarks = [f"leaves open: {sentence}" for sentence in each.open]
        remarks += [f"widened: {sentence}" for sentence in each.widened]
        if not each.fits:
            remarks.append("too many addresses for one policy: try --group")
        are_good.append(put_out(each.identity, each.name, each.text, remarks, folder, is_told=is_told))
    return all(are_good)
