"""``ses-relay policy grant``: a policy from plain words, as the console's policy generator of SES makes one."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from relay.cli.identities import identity_arn
from relay.cli.policies import settings_if_any
from relay.cli.policy.output import put_out
from relay.identities.names import POLICY_NAME
from relay.owner.grant import Grant, hand_over, policy_of, read_until, remarks
from relay.owner.statements import Pattern, PatternProblem, read_pattern, text_of
from relay.settings.model import Settings


@click.command(short_help="Write a policy from plain words.")
@click.option("--identity", required=True, metavar="X", help="The identity: ARN, or name in --write or relay.toml.")
@click.option("--delegate", metavar="NAME", help="Who may send: a delegate of relay.toml.")
@click.option("--principal", metavar="P", help="Who may send: the ARN of a user or role, an account, a service.")
@click.option("--from", "authors", multiple=True, required=True, metavar="A", help="An address, pattern or domain.")
@click.option("--feedback", multiple=True, metavar="A", help="Where bounces may go: the same.")
@click.option("--recipients", multiple=True, metavar="A", help="To whom: the same; all recipients must be so.")
@click.option("--display-name", "names", multiple=True, metavar="TEXT", help="The name in From; * and ? count.")
@click.option("--until", metavar="DATE", help="The last day in UTC, or a time: 2027-01-31, 2027-01-31T12:00:00Z.")
@click.option("--sid", default="Grant", show_default=True, help="The statement's name.")
@click.option("--name", help="The policy's name; default: that of the delegate, or of the principal.")
@click.option("-c", "--config", type=click.Path(dir_okay=False, path_type=Path), help="The relay.toml of --delegate.")
@click.option("--write", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write into this folder.")
def command(  # noqa: PLR0913  one for each option
    *,
    identity: str,
    delegate: str | None,
    principal: str | None,
    authors: tuple[str, ...],
    feedback: tuple[str, ...],
    recipients: tuple[str, ...],
    names: tuple[str, ...],
    until: str | None,
    sid: str,
    name: str | None,
    config: Path | None,
    folder: Path | None,
) -> None:
    """
    Print a policy that lets a delegate send under an identity; what to tell the delegate goes to standard error.

    Addresses: ann@example.com, a pattern as invoices*@example.com, or a domain, example.com, for all its addresses.
    Case matters, as it does to SES. What "ses-relay policy lint" has against the policy is told, too.

    \b
    Exit code 0: there it is; 1: lint finds an error in it, and it is not printed; 2: wrong usage.

    \b
    Examples:
      ses-relay policy grant --identity arn:aws:ses:us-east-1:888888888888:identity/example.com \\
          --principal arn:aws:iam::111111111111:user/billing --from 'invoices*@example.com' --feedback example.com
      ses-relay policy grant --identity example.com --delegate billing --from billing@example.com \\
          --recipients example.net --until 2027-01-31 -c relay.toml --write policies
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if (delegate is None) == (principal is None):
        raise click.UsageError("give either --delegate or --principal")
    needs_settings = config is not None or delegate is not None or not identity.startswith("arn:")
    settings = settings_if_any(config) if needs_settings else None
    arn = identity_arn(identity, folder, settings)
    who = principal or _principal_of(delegate or "", settings)
    grant = Grant(
        arn,
        who,
        authors=_patterns("--from", authors),
        feedback=_patterns("--feedback", feedback),
        recipients=_patterns("--recipients", recipients),
        names=[Pattern(text, is_wild="*" in text or "?" in text) for text in names],
        until=None if until is None else _until(until),
        sid=_sid(sid),
    )
    policy = policy_of(grant)
    called = _name(name or delegate or _last_part(who))
    told = [*remarks(grant), f"hand to the delegate: {hand_over(arn)}"]
    sys.exit(0 if put_out(arn, called, text_of(policy), told, folder) else 1)


def _principal_of(name: str, settings: Settings | None) -> str:
    if settings is None:
        raise click.UsageError("--delegate is a name of relay.toml: give it with -c, or use --principal")
    found = next((each for each in settings.delegate if each.name == name), None)
    if found is None:
        known = ", ".join(sorted(each.name for each in settings.delegate)) or "none"
        raise click.UsageError(f"no delegate is named {name}; there are: {known}")
    principal = found.role_arn or found.known_principal
    if principal is None:
        raise click.UsageError(f"who {name} is to AWS is not in relay.toml: give its ARN with --principal")
    return principal


def _patterns(option: str, texts: Sequence[str]) -> list[Pattern]:
    try:
        return [read_pattern(text) for text in texts]
    except PatternProblem as problem:
        raise click.UsageError(f"{option}: {problem}") from None


def _until(text: str) -> datetime:
    try:
        return read_until(text)
    except ValueError:
        raise click.UsageError(f"--until: {text!r} is no date: write 2027-01-31 or 2027-01-31T12:00:00Z") from None


def _sid(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise click.UsageError(f"--sid: {text!r}: letters and digits only")
    return text


def _name(text: str) -> str:
    if not POLICY_NAME.fullmatch(text):
        raise click.UsageError(f"--name: {text!r}: a policy's name has 1 to 64 letters, digits, - and _")
    return text


def _last_part(principal: str) -> str:
    """``billing`` of a user's ARN; what no policy may be named becomes a hyphen."""
    last = principal.rpartition("/")[2].rpartition(":")[2]
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in last)[:64]
