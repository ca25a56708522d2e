"""``ses-relay identity list``: the identities of every account and region that is asked."""

import json

import click

from relay.cli.owners import Owners, owner_options
from relay.cli.progress import progress
from relay.cli.tables import table
from relay.identities.ses_api import Listed, SesApi

_HEADER = ("IDENTITY", "KIND", "VERIFIED", "MAY SEND", "ACCOUNT", "REGION")
_KINDS = {"EMAIL_ADDRESS": "address", "DOMAIN": "domain", "MANAGED_DOMAIN": "managed domain"}


@click.command(short_help="The identities of an owner.")
@owner_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, owners: Owners, as_json: bool) -> None:
    """
    List identities, the unverified ones included: of the owners in the settings, or of the account of our credentials.

    \b
    Examples:
      ses-relay identity list
      ses-relay identity list -c relay.toml --account 888888888888 --region eu-west-1 --json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    found: list[tuple[SesApi, Listed]] = []
    with progress("pages of identities", None) as advance:
        for api in owners.apis():
            for page in api.pages():
                found += [(api, listed) for listed in page]
                advance(1)
    found.sort(key=lambda each: (each[0].account, each[0].region, each[1].name))
    if as_json:
        click.echo(json.dumps([_as_json(api, listed) for api, listed in found], indent=2))
    elif found:
        click.echo("\n".join(table(_HEADER, [_row(api, listed) for api, listed in found])))
    else:
        places = ", ".join(f"{account} {region}" for account, region in owners.places)
        click.echo(f"no identities in {places}; ses-relay identity create NAME makes one", err=True)


def _as_json(api: SesApi, listed: Listed) -> dict[str, object]:
    return {
        "name": listed.name,
        "kind": listed.kind,
        "status": listed.status,
        "may_send": listed.may_send,
        "account": api.account,
        "region": api.region,
    }


def _row(api: SesApi, listed: Listed) -> tuple[str, ...]:
    kind = _KINDS.get(listed.kind, listed.kind.lower())
    return (listed.name, kind, listed.status.lower(), "yes" if listed.may_send else "no", api.account, api.region)
