"""What the commands on identities say alike."""

import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

import click

from relay.cli.policies import printable
from relay.cli.tables import table
from relay.identities.ses_api import SesApi
from relay.owner.dns_records import WantedRecord

_HEADER = ("NAME", "TYPE", "VALUE", "")


def records_table(records: Sequence[WantedRecord], *, indent: str = "") -> Iterator[str]:
    """Lay out DNS records; texts are without quotes, as web forms of DNS providers want them."""
    rows = [
        (each.name, each.type, each.value or "p=... (your public key)", "" if each.is_required else "recommended")
        for each in records
    ]
    yield from table(_HEADER, rows, indent=indent)


def gone(api: SesApi, name: str) -> NoReturn:
    """Say that there is no such identity, and leave with exit code 1."""
    click.echo(printable(f"there is no identity {name} in {api.account} {api.region}"), err=True)
    sys.exit(1)


def refuse(why: str) -> NoReturn:
    """Say why nothing is done, and leave with exit code 1."""
    click.echo(printable(f"error: {why}"), err=True)
    sys.exit(1)
