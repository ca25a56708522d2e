"""``ses-relay delegate``: the hash of a password, who is configured, how they stand, what to ask of an owner."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.delegate_feedback import feedback
from relay.cli.delegate_request import as_json as request_as_json
from relay.cli.delegate_request import render as render_request
from relay.cli.delegate_standing import report, resume
from relay.cli.delegate_ways import Way, look_at, ways_of
from relay.cli.identities import identity_arn
from relay.delegates.passwords import hash_password
from relay.owner.statements import PatternProblem, read_pattern
from relay.settings.example import toml
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings

_LONGEST_PASSWORD = 1024  # the street door reads no longer one


@click.group()
def command() -> None:
    """Delegates: those who may send."""


command.add_command(feedback)
command.add_command(report)
command.add_command(resume)


@command.command(name="hash")
def hash_() -> None:
    """
    Hash a password for password_hash.

    \b
    The password is asked for without echo; in a pipe it is the first line of standard input.
    The argon2id hash goes to standard output, the line for relay.toml to standard error.

    \b
    Examples:
      ses-relay delegate hash
      pwgen 32 1 | ses-relay delegate hash
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    hashed = hash_password(_ask())
    click.echo(hashed)
    click.echo(f"password_hash = {toml(hashed)}", err=True)


def _ask() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        try:
            password = sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise click.UsageError("the password is not UTF-8") from error
    if not password or "\0" in password:
        raise click.UsageError("a password has at least one character, and no NUL: AUTH PLAIN could not carry it")
    if len(password.encode()) > _LONGEST_PASSWORD:
        raise click.UsageError(f"a password has at most {_LONGEST_PASSWORD} octets")
    return password


@command.command(name="list", short_help="List the delegates of the settings.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(config: Path | None, as_json: bool) -> None:
    """
    List the delegates of the settings: name, principal, how each proves itself, from where.

    \b
    Examples:
      ses-relay delegate list -c relay.toml
      ses-relay delegate list --json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_or_exit(config)
    rows = [_row(delegate, settings) for delegate in settings.delegate]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = [("NAME", "PRINCIPAL", "PROVES ITSELF BY", "AUTH FROM", "TRUSTED", "ACCOUNT GRANT")]
    table += [
        (
            str(row["name"]),
            str(row["principal"]),
            " or ".join(row["authenticates_by"]),
            " ".join(row["allowed_networks"]) or "everywhere",
            " ".join(row["trusted_networks"]) or "-",
            "yes" if row["account_grant"] else "no",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def _row(delegate: DelegateSettings, settings: Settings) -> dict[str, Any]:
    return {
        "name": delegate.name,
        "principal": delegate.known_principal or delegate.principal,
        "role_arn": delegate.role_arn,
        "authenticates_by": ways_of(delegate, settings),
        "allowed_networks": [str(network) for network in delegate.allowed_networks],
        "trusted_networks": [str(network) for network in delegate.trusted_networks],
        "account_grant": delegate.account_grant,
    }


@command.command(short_help="Look at every way in, now.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(names: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """
    Look at how delegates prove themselves: all of them, or those that are named.

    \b
    Secrets are asked for and the keys of token issuers fetched, as the relay would; nothing of them is shown.
    Exit 0: every way is open. Exit 1: one is not, or a delegate has none.

    \b
    Examples:
      ses-relay delegate check -c relay.toml
      ses-relay delegate check billing --json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_or_exit(config)
    known = {each.name: each for each in settings.delegate}
    for name in names:
        if name not in known:
            raise click.UsageError(_nobody(name, list(known)))
    ways = {name: look_at(known[name], settings) for name in names or known}
    click.echo(_ways_as_json(ways) if as_json else _ways_as_text(ways))
    if not all(found and all(way.is_open for way in found) for found in ways.values()):
        sys.exit(1)


def _ways_as_json(ways: dict[str, list[Way]]) -> str:
    rows = [{"name": name, "ways": [asdict(way) for way in found]} for name, found in ways.items()]
    return json.dumps(rows, indent=2)


def _ways_as_text(ways: dict[str, list[Way]]) -> str:
    lines = []
    for name, found in ways.items():
        for way in found or [Way("none", is_open=False, told="no way in")]:
            mark = click.style("ok    ", fg="green") if way.is_open else click.style("not ok", fg="red")
            lines.append(f"{mark}  {name}  {way.kind}  {way.told}")
    return "\n".join(lines)


def _nobody(name: str, known: list[str]) -> str:
    return f"no delegate is named {name}; there are: {', '.join(sorted(known)) or 'none'}"


@command.command(short_help="What an identity owner needs to know to grant it.")
@click.argument("name")
@config_option
@click.option("--identity", metavar="X", help="The identity that is asked for, if it is known: its name or ARN.")
@click.option("--from", "authors", multiple=True, metavar="A", help="The From addresses that are asked for.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def request(name: str, config: Path | None, identity: str | None, authors: tuple[str, ...], as_json: bool) -> None:
    """
    Print what to send to an identity owner, so that the owner can grant delegate NAME.

    \b
    The principal, the action, a statement that is ready but for what only the owner knows, and what to hand back.

    \b
    Examples:
      ses-relay delegate request billing -c relay.toml
      ses-relay delegate request billing --identity example.com --from billing@example.com
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_or_exit(config)
    delegate = next((each for each in settings.delegate if each.name == name), None)
    if delegate is None:
        raise click.UsageError(_nobody(name, [each.name for each in settings.delegate]))
    arn = None if identity is None else identity_arn(identity, None, settings)
    try:
        patterns = [read_pattern(text) for text in authors]
    except PatternProblem as problem:
        raise click.UsageError(f"--from: {problem}") from None
    told = request_as_json(delegate, arn, patterns)
    click.echo(json.dumps(told, indent=2) if as_json else render_request(told))
