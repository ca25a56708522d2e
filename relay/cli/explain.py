"""``ses-relay explain``: what would become of a message, and why, before it is sent."""

import json
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import click

from relay.cli import batch
from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.explain_decision import Shelf, explain_decision
from relay.cli.explain_text import render
from relay.cli.policies import policies_option, settings_if_any
from relay.cli.recorded import journal_option, moment_of, records_in
from relay.explaining import Premises, Question, QuestionProblem, Rehearsal, on_the_wire
from relay.settings.model import Settings
from relay.translation import directory_of, entries_of, hostname_of, limits_of, rules_of
from relay.words.delegates import CALLER, Delegate


@click.command(short_help="What would become of a message, and why.")
@click.argument("files", nargs=-1, metavar="[MESSAGE | LOG...]")
@config_option
@click.option("--delegate", "name", help="Who sends it: a name of the settings.")
@click.option("--mail-from", help="The reverse-path; default: the author. Write '<>' for the null reverse-path.")
@click.option("--rcpt", multiple=True, help="A recipient; again for more. Default: the addresses in To and Cc.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--decision", metavar="ID", help="A decision of the past: in the journal, or in one of the LOGs.")
@click.option("--at", "moment", metavar="TIME", help="With --decision: by the policies in force then, or now.")
@journal_option
@policies_option
@click.option("--batch", "cases", type=click.File("rb"), help="Policy cases, one JSON object a line; - for stdin.")
def command(  # noqa: PLR0913  one for each option
    files: tuple[str, ...],
    config: Path | None,
    folder: Path | None,
    *,
    name: str | None,
    mail_from: str | None,
    rcpt: tuple[str, ...],
    as_json: bool,
    decision: str | None,
    moment: str | None,
    journal: Path | None,
    cases: BinaryIO | None,
) -> None:
    """
    Say what the relay would answer to MESSAGE, an .eml file or - for stdin, and why.

    Every question that is asked, the identity that governs and what took precedence, each statement with the condition
    that failed and the value found, the reply, and what would make it pass. Exit code 0: it may go; 1: it may not.

    With --decision, a message of the past is judged again: as its record tells, in the journal or in a LOG, by the
    policy texts of then, which are found by their digests in the journal's file and in the folder of policies. With
    --at TIME (ISO 8601, or now), as if it had come then, by the policies that were in force; the exit code tells that
    answer.

    \b
    Examples:
      ses-relay explain invoice.eml -c relay.toml --delegate billing
      ses-relay explain invoice.eml --delegate billing --mail-from bounce@example.com --rcpt bob@example.net --json
      ses-relay explain --decision 7f3a29c1d04b55e8 -c relay.toml
      ses-relay explain --decision 7f3a29c1d04b55e8 -c relay.toml --at 2026-11-14T09:00Z
      ses-relay explain --decision 7f3a29c1d04b55e8 -c relay.toml relay.log relay.log.1.gz
      ses-relay explain --batch cases.jsonl
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if cases is not None:
        sys.exit(batch.run(cases, sys.stdout))
    if decision is not None:
        past = settings_if_any(config)
        at = None if moment is None else moment_of(moment, time.time())
        shelf = Shelf(records_in(files, journal, past), past, folder, at)
        sys.exit(explain_decision(decision, shelf, as_json=as_json))
    if len(files) != 1 or name is None:
        raise click.UsageError("give one MESSAGE and a --delegate, --decision ID, or --batch CASES")
    if moment is not None:
        raise click.UsageError("--at is for --decision: a MESSAGE is judged by the policies of now")
    message = click.File("rb").convert(files[0], None, click.get_current_context())
    settings = settings_or_exit(config)
    if folder is not None:
        settings = settings.model_copy(update={"policies": settings.policies.from_folder(folder)})
    delegate = _delegate(settings, name)
    told = _explain(on_the_wire(message.read()), settings, delegate, mail_from=mail_from, recipients=rcpt)
    click.echo(json.dumps(told, indent=2) if as_json else _text(told), nl=as_json)
    sys.exit(0 if told.get("permit") else 1)


def _explain(
    raw: bytes, settings: Settings, delegate: Delegate, *, mail_from: str | None, recipients: tuple[str, ...]
) -> dict[str, Any]:
    """Judge as reception does, by the policies as they are now."""
    premises = Premises(delegate, rules_of(settings), limits_of(settings), hostname_of(settings))
    try:
        rehearsal = Rehearsal(Question(raw, mail_from, recipients), premises)
    except QuestionProblem as problem:
        raise click.UsageError(_in_options(problem)) from problem
    directory = directory_of(settings, lambda _event: None)
    directory.refresh()
    told = rehearsal.judged(directory.catalog, time.time())
    while rehearsal.unknown and directory.fetch(rehearsal.unknown):
        told = rehearsal.judged(directory.catalog, time.time())
    return told


def _in_options(problem: QuestionProblem) -> str:
    """Say it in the words of this command."""
    if problem.field == "mail_from":
        return f"--mail-from: {problem}"
    return f"recipient: {problem}" if problem.__cause__ is not None else f"{problem}: give --rcpt"


def _text(told: dict[str, Any]) -> str:
    made = ", ".join(told.get("repairs", ()))
    return (f"repaired  {made}\n" if made else "") + _text_of_answer(told)


def _text_of_answer(told: dict[str, Any]) -> str:
    if told["verdict"] != "malformed":
        return render(told, colour=sys.stdout.isatty())
    rule = f"the message breaks rule {told['rule']} of the strict profile" if told["rule"] else "it is not even judged"
    return f"x REFUSED: {rule}.\n  the client would hear: {told['reply']}\n"


def _delegate(settings: Settings, name: str) -> Delegate:
    delegates = {entry.delegate.name: entry.delegate for entry in entries_of(settings, None)}
    if name not in delegates:
        raise click.UsageError(f"no delegate is named {name}; there are: {', '.join(sorted(delegates)) or 'none'}")
    if delegates[name].principal == CALLER:
        raise click.UsageError(f'the principal of {name} is "caller": only a running relay knows who that is')
    return delegates[name]
