"""``ses-relay policy put``: a policy attached to an identity at SES, or put in the place of one."""

import json
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import click

from relay.cli.interrupting import interruptible
from relay.cli.owners import Owners, owner_options
from relay.cli.policies import printable
from relay.cli.policy.at_ses import (
    backup_of,
    backup_option,
    diff,
    effect_lines,
    effects_of,
    lint_lines,
    lint_of,
    newly,
    policies_or_exit,
    problems_told,
    refuse,
    soon,
)
from relay.identities.names import POLICY_NAME
from relay.identities.ses_api import SesApi
from relay.owner.comparing import is_same
from relay.owner.effects import Effect
from relay.owner.putting import Change, Did, Put, arn_at, put_policy
from relay.policy.lint import Finding, Severity

_LONGEST: Final = 64 * 1024
#: What another policy of the identity may make good, by a Deny.
_LEFT_TO_OTHERS: Final = "everyone-without-condition"


@click.command(short_help="Attach a policy to an identity at SES.")
@click.argument("identity", metavar="IDENTITY")
@click.argument("file", metavar="FILE")
@owner_options
@click.option("--name", help="The policy's name; default: that of FILE, without .json.")
@backup_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; all else goes to standard error.")
def command(
    identity: str,
    file: str,
    *,
    owners: Owners,
    name: str | None,
    backup: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """
    Attach the policy in FILE, or "-" for standard input, to IDENTITY, a name or an ARN; or put it in the place of the
    one of its name.

    It is linted first: what has an error is refused, as SES would refuse it, or because the whole world could send.
    What changes is shown, with what that means for the delegates of the settings, and asked about. The old text is kept
    in a folder, since SES keeps none. If somebody changed the policy meanwhile, nothing is done. Afterwards SES is read
    once more, and must have what was put.

    \b
    Exit code 0: SES has it; 1: it has not, or you said no; 2: wrong usage.

    \b
    Examples:
      ses-relay policy put example.com billing.json
      ses-relay policy put arn:aws:ses:us-east-1:888888888888:identity/example.com - --name billing --yes < new.json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    name = _name(name, file)
    if file == "-" and not yes:
        raise click.UsageError("nobody can be asked while FILE is standard input: look first, then give --yes")
    text = _text(file)
    api, identity = owners.of_identity(identity)
    say = partial(click.echo, err=as_json)
    _refuse_errors(api, Change(identity, name, None, text))
    held = policies_or_exit(api, identity)
    change = Change(identity, name, held.get(name), text)
    found = _lint_among(api, change, held)
    if is_same(change.expected, text):
        why = "" if change.expected == text else ": only blanks, or the order of keys, differ"
        say(printable(f"nothing to do, SES has {change}{why}"))
        _end(api, change, Put(Did.NOTHING), (), as_json=as_json)
    told = effects_of(owners.settings, api, identity, (held, {**held, name: text}))
    for line in (*diff(change, "-" if file == "-" else Path(file).name), *lint_lines(found), *effect_lines(told)):
        say(line)
    if not yes:
        verb = "Attach" if change.expected is None else "Replace"
        click.confirm(printable(f"{verb} {change} ({api.account} {api.region})?"), abort=True, err=True)
    with problems_told(), interruptible("the change"):
        put = put_policy(api, change, backup_of(backup))
    say(printable(f"{put.did} {change}, {len(text.encode())} bytes; {soon(owners.settings, api.account)}"))
    if put.backup is not None:
        say(printable(f"the old text is kept in {put.backup}"))
    _end(api, change, put, told, as_json=as_json)


def _name(given: str | None, file: str) -> str:
    if given is None and file == "-":
        raise click.UsageError("--name: standard input has no name")
    name = Path(file).name.removesuffix(".json") if given is None else given
    if not POLICY_NAME.fullmatch(name):
        whose = "give --name: the file's" if given is None else "--name:"
        raise click.UsageError(f"{whose} {name!r}: a policy's name has 1 to 64 letters, digits, - and _")
    return name


def _text(file: str) -> str:
    try:
        if file == "-":
            data = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with Path(file).open("rb") as opened:
                data = opened.read(_LONGEST + 1)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > _LONGEST:
        refuse(f"{file} is larger than 64 KiB; SES takes 4,096 bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        refuse(f"{file} is not UTF-8 at byte {error.start}")


def _refuse_errors(api: SesApi, change: Change) -> None:
    """What is wrong by itself needs no look at SES."""
    found = lint_of(api, change.identity, {change.name: change.new or ""})
    if any(finding.severity is Severity.ERROR and finding.code != _LEFT_TO_OTHERS for finding in found):
        _refuse_found(change, found)


def _lint_among(api: SesApi, change: Change, held: Mapping[str, str]) -> list[Finding]:
    """What lint says of the policy among the others of the identity, and what it newly says of those."""
    after = lint_of(api, change.identity, {**held, change.name: change.new or ""})
    if change.expected is None and any(finding.code == "too-many-policies" for finding in after):
        refuse(
            f"{change.identity} has {len(held)} policies, and SES takes no more: put the statements into one of them"
        )
    own = [finding for finding in after if finding.policy == change.name]
    if any(finding.severity is Severity.ERROR for finding in own):
        _refuse_found(change, own)
    return [*own, *newly(lint_of(api, change.identity, held), after, change.name)]


def _refuse_found(change: Change, found: list[Finding] | tuple[Finding, ...]) -> NoReturn:
    for line in lint_lines(found):
        click.echo(line, err=True)
    refuse(f"{change} is not put")


def _end(api: SesApi, change: Change, put: Put, told: tuple[Effect, ...], *, as_json: bool) -> NoReturn:
    if as_json:
        document = {
            "identity": str(arn_at(api, change.identity)),
            "policy": change.name,
            "did": put.did.value,
            "backup": None if put.backup is None else str(put.backup),
            "effects": [effect.to_json() for effect in told if not effect.is_none],
        }
        click.echo(json.dumps(document, indent=2))
    sys.exit(0)
