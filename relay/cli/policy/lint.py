"""``ses-relay policy lint``: what is wrong with policies, before SES or a delegate finds out."""

import json
import sys
from datetime import UTC, datetime

import click

from relay.cli.policy.lint_files import FileFinding, Gathered, gather
from relay.cli.policy.lint_sarif import to_sarif
from relay.cli.policy.lint_text import as_json, render
from relay.policy.lint import Severity, lint_identity
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn


def _identity(_context: click.Context, _parameter: click.Parameter, text: str | None) -> IdentityArn | None:
    try:
        return None if text is None else parse_identity_arn(text)
    except ArnProblem as error:
        raise click.BadParameter(str(error)) from None


@click.command(short_help="What is wrong with policies, and its fix.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option("--identity", metavar="ARN", callback=_identity, help="The identity of all the policies.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--json", "wants_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--sarif", is_flag=True, help="Print the findings as SARIF 2.1.0, for code hosts.")
def command(files: tuple[str, ...], identity: IdentityArn | None, strict: bool, wants_json: bool, sarif: bool) -> None:
    """
    Tell what is wrong with sending authorization policies, and what to write instead.

    FILE is a policy, a folder of policies laid out as ACCOUNT/REGION/IDENTITY/POLICY-NAME.json (then the identity and
    the number of its policies are checked too), or - for standard input. Elsewhere the identity is taken from the
    policy's own Resource.

    \b
    Error: SES would refuse the policy, the place can never do what it says, or the whole world may send.
    Warning: likely a mistake. Note: right, but worth knowing. Each is explained in docs/reference/lint.md.
    Exit 0: no errors. Exit 1: errors; with --strict, warnings too. Exit 2: wrong usage.

    \b
    Examples:
      ses-relay policy lint policies/
      ses-relay policy lint --strict billing.json newsletter.json
      ses-relay policy lint --identity arn:aws:ses:us-east-1:888888888888:identity/example.com - < billing.json
      ses-relay policy lint --sarif policies/ > lint.sarif
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if wants_json and sarif:
        raise click.UsageError("--json and --sarif exclude each other")
    gathered = gather(files, sys.stdin.buffer)
    found = _lint(gathered, identity)
    policies = len(gathered.policies)
    if not policies and not found:
        raise click.UsageError(f"no policies in {', '.join(files)}")
    counts = {level: sum(one.finding.severity is level for one in found) for level in Severity}
    is_good = not counts[Severity.ERROR] and not (strict and counts[Severity.WARNING])
    if sarif:
        click.echo(json.dumps(to_sarif(found), indent=2))
    elif wants_json:
        totals = {f"{level}s": number for level, number in counts.items()}
        click.echo(json.dumps({"ok": is_good, "policies": policies, **totals, "findings": as_json(found)}, indent=2))
    else:
        click.echo(render(found, policies))
    sys.exit(0 if is_good else 1)


def _lint(gathered: Gathered, identity: IdentityArn | None) -> list[FileFinding]:
    """Every finding, in the order of the files."""
    now, found = datetime.now(UTC), list(gathered.findings)
    for known, policies in gathered.by_identity(identity):
        by_name = {policy.name: policy for policy in policies}
        for finding in lint_identity({policy.name: policy.text for policy in policies}, known, now):
            policy = by_name[finding.policy]
            found.append(FileFinding(policy.file, finding, policy.text, known or policy.told))
    return sorted(found, key=lambda one: (one.file, one.finding.line, one.finding.column))
