"""``ses-relay identity status``: how an identity stands, and what SES still waits for."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from relay.cli.identity.text import gone, records_table
from relay.cli.owners import Owners, owner_options
from relay.cli.policies import printable
from relay.owner.identity_status import FOUND, Status, status_of

_COLOURS = {FOUND: "green", "PENDING": "yellow", "TEMPORARY_FAILURE": "yellow", "FAILED": "red"}
_KINDS = {"EMAIL_ADDRESS": "address", "DOMAIN": "domain", "MANAGED_DOMAIN": "managed domain"}
_ORIGINS = {"AWS_SES": "Easy DKIM", "EXTERNAL": "your own key"}
_ON_MX_FAILURE = {"REJECT_MESSAGE": "mail is refused", "USE_DEFAULT_VALUE": "amazonses.com is used"}


@click.command(short_help="How an identity stands.")
@click.argument("name", metavar="NAME|ARN")
@owner_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str, *, owners: Owners, as_json: bool) -> None:
    """
    Show what SES holds of an identity, and the DNS records it has not found.

    \b
    Exit code 0: verified; 1: not, or not there; 2: wrong usage.

    \b
    Examples:
      ses-relay identity status example.com
      ses-relay identity status arn:aws:ses:us-east-1:888888888888:identity/example.com --json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    api, name = owners.of_identity(name)
    held = api.identity(name)
    if held is None:
        gone(api, name)
    status = status_of(held, api.region)
    if as_json:
        told = {"account": api.account, "region": api.region, **asdict(status)}
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo("\n".join(_lines(status, f"{api.account} {api.region}")))
    sys.exit(0 if status.is_verified else 1)


def _lines(status: Status, place: str) -> Iterator[str]:
    kind = _KINDS.get(status.kind, status.kind.lower())
    yield f"{click.style(printable(status.name), bold=True)}  {kind} in {place}"
    for name, value in _facts(status):
        yield f"  {name:<18}{value}"
    if status.missing:
        yield ""
        yield "SES has not found these records:"
        yield from records_table(status.missing, indent="  ")
        yield printable(f"as a zone file: ses-relay identity create {status.name} --zone")


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    error = f", {status.error.lower().replace('_', ' ')}" if status.error else ""
    yield "verified", _state(status.verification) + printable(error)
    if status.dkim_origin:
        signing = "" if status.is_signing else ", but signing is switched off"
        yield "DKIM", f"{_ORIGINS.get(status.dkim_origin, 'keys of another region')}, {_state(status.dkim)}{signing}"
    else:
        yield "DKIM", "not set up" if status.kind != "EMAIL_ADDRESS" else "as its domain has it"
    if status.mail_from:
        failure = _ON_MX_FAILURE.get(status.on_mx_failure, status.on_mx_failure)
        yield "MAIL FROM", f"{printable(status.mail_from)}, {_state(status.mail_from_state)}; without MX {failure}"
    else:
        yield "MAIL FROM", "amazonses.com (SPF passes, but does not align with From)"
    yield "feedback", f"bounces and complaints are {'' if status.forwards_feedback else 'not '}mailed to the sender"
    yield "configuration set", printable(status.configuration_set or "none")
    yield "tags", printable(", ".join(f"{key}={value}" for key, value in status.tags.items()) or "none")
    yield "policies", printable(", ".join(status.policies) or "none: only its own account may send")


def _state(state: str) -> str:
    return click.style(state.lower().replace("_", " "), fg=_COLOURS.get(state))
