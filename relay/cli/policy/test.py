"""``ses-relay policy test``: expectations of policies, judged; for the owner's own CI."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from relay.cli.explain_text import render
from relay.cli.policies import delegates_of, folder_or_exit, policies_option, printable, settings_if_any
from relay.judgement.rules import Rules
from relay.owner.case_files import CaseFileProblem, load
from relay.owner.cases import Case, read_cases
from relay.owner.expectations import Bench, Result, bench, problem_of
from relay.owner.junit import to_junit
from relay.owner.parallel import check_all
from relay.settings.model import Settings
from relay.translation import rules_of


@click.command(short_help="Judge expectations written as data.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@policies_option
@click.option(
    "-c",
    "--config",
    "--delegates",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The relay.toml whose delegates the cases name. Not needed for cases with a principal.",
)
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.xml", help="Write JUnit XML.")
@click.option("--verbose", is_flag=True, help="Name the cases that pass, too.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    files: tuple[Path, ...],
    folder: Path | None,
    config: Path | None,
    *,
    junit: Path | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """
    Judge the cases of each FILE (.yaml, .json or .toml) by a folder of policies.

    \b
    A case:
      - name: billing sends invoices
        principal: arn:aws:iam::111111111111:user/billing   # or delegate: NAME, of relay.toml
        from: invoices+42@example.com
        expect: allow                                       # or deny
    Also: return_path (default: the author), recipients, identity (a name or an ARN), time, display_name,
    account_grant, because (statements that must decide, as policy/sid or sid).

    \b
    Exit code 0: all as expected; 1: some not, explained; 2: a file or a case cannot be read.

    \b
    Examples:
      ses-relay policy test tests.yaml --policies policies
      ses-relay policy test tests/*.json --policies policies -c relay.toml --junit report.xml
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    cases = _cases_or_exit(files)
    needs_settings = config is not None or folder is None or any(case.delegate for case in cases)
    settings = settings_if_any(config) if needs_settings else None
    asked = _bench(settings, folder)
    if problems := [problem for case in cases if (problem := problem_of(case, asked)) is not None]:
        _leave(problems)
    started = time.perf_counter()
    results = list(check_all(cases, asked))
    seconds = time.perf_counter() - started
    if junit is not None:
        _write(junit, to_junit(results, [_explained(result, colour=False) for result in results], seconds))
    _show(results, seconds, verbose=verbose, as_json=as_json)
    sys.exit(0 if all(result.passed for result in results) else 1)


def _cases_or_exit(files: Sequence[Path]) -> list[Case]:
    cases: list[Case] = []
    problems: list[object] = []
    for file in files:
        try:
            read, wrong = read_cases(load(file), str(file))
        except CaseFileProblem as problem:
            problems.append(problem)
            continue
        cases += read
        problems += wrong
    if problems:
        _leave(problems)
    return cases


def _bench(settings: Settings | None, folder: Path | None) -> Bench:
    found = folder_or_exit(folder, settings)
    rules = Rules() if settings is None else rules_of(settings)
    return bench(found.catalog, rules, delegates_of(settings), time.time())


def _write(junit: Path, report: bytes) -> None:
    try:
        junit.write_bytes(report)
    except OSError as error:
        raise click.UsageError(f"--junit: {junit}: {error.strerror or type(error).__name__}") from None


def _leave(problems: Sequence[object]) -> None:
    for problem in problems:
        click.echo(printable(str(problem)), err=True)
    sys.exit(2)


def _show(results: Sequence[Result], seconds: float, *, verbose: bool, as_json: bool) -> None:
    failed = sum(not result.passed for result in results)
    if as_json:
        told = {"format": 1, "passed": len(results) - failed, "failed": failed}
        click.echo(json.dumps({**told, "cases": [result.to_json() for result in results]}, indent=2))
        return
    for result in results:
        if verbose or not result.passed:
            click.echo(_line(result))
    summary = f"{len(results)} case{'s' * (len(results) != 1)}: {len(results) - failed} as expected"
    summary += f", {failed} not" if failed else ""
    click.echo(click.style(f"{summary} ({seconds:.2f} s)", fg="red" if failed else "green", bold=True))


def _line(result: Result) -> str:
    name = printable(f"{result.case.file}: {result.case.name}")
    if result.passed:
        return f"{click.style('ok', fg='green')}     {name}"
    told = _explained(result, colour=sys.stdout.isatty())
    indented = "".join(f"  {line}".rstrip() + "\n" for line in told.splitlines())
    return f"{click.style('FAILED', fg='red')} {name}\n  {printable(result.why)}\n\n{indented}"


def _explained(result: Result, *, colour: bool) -> str:
    return "" if result.explanation is None else render(result.explanation, colour=colour)
