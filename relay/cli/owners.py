"""Whose SES an owner's command asks: ``-c``, ``--account`` and ``--region``, and identities by name or ARN."""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from relay.cli.configuration import config_option
from relay.cli.policies import printable, settings_if_any
from relay.identities.accounts import Accounts, AwsProblem
from relay.identities.names import is_identity, is_region
from relay.identities.ses_api import SesApi
from relay.settings.model import Settings
from relay.translation import accesses_of, endpoint_of
from relay.words.arns import ArnProblem, parse_identity_arn
from relay.words.values import dataclass

_NO_REGION: Final = "which region? Give --region, ses.region in the settings, or AWS_REGION"


@dataclass(frozen=True, slots=True)
class Owners:
    """
    The accounts and regions a command is about, the clients for them, and the settings where there are any.

    ``find_places``: which they are, where it matters; it may have to ask STS who we are.
    """

    accounts: Accounts
    find_places: Callable[[], tuple[tuple[str, str], ...]]
    settings: Settings | None

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Return the accounts and regions; leave with exit code 2 where no region is told."""
        return self.find_places()

    def apis(self) -> list[SesApi]:
        """Return the SES of every place."""
        return [SesApi(self.accounts, account, region) for account, region in self.places]

    def only(self) -> SesApi:
        """Return the only one; leave with exit code 2 where there are several."""
        places = self.places
        if len(places) > 1:
            named = ", ".join(f"{account} {region}" for account, region in places)
            raise click.UsageError(f"which one? Give --account and --region: {named}")
        return SesApi(self.accounts, *places[0])

    def of_identity(self, name: str) -> tuple[SesApi, str]:
        """Return the SES in which the identity *name*, or of this ARN, is to be looked for, and its name there."""
        if not name.startswith("arn:"):
            if not is_identity(name):
                raise click.UsageError(f"{name!r} is neither an ARN, nor a domain, nor an address")
            return self.only(), name
        try:
            arn = parse_identity_arn(name)
        except ArnProblem as problem:
            raise click.UsageError(f"{name}: {problem}") from None
        if not is_region(arn.region):
            raise click.UsageError(f"{name}: which region? {arn.region!r} is none")
        return SesApi(self.accounts, arn.account, arn.region), arn.name


def owner_options(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give *command* the options ``-c``, ``--account``, ``--region``, and ``owners`` in their place.

    What AWS says no to is told, and is exit code 1.
    """

    @config_option
    @click.option("--account", metavar="ID", help="The owner's account; default: those of [[policies.owner]], or ours.")
    @click.option("--region", metavar="NAME", help="The region; default: those of the owner, or ses.region.")
    @functools.wraps(command)
    def inner(*args: Any, config: Path | None, account: str | None, region: str | None, **more: Any) -> None:
        with aws_problems_told():
            command(*args, owners=owners_or_exit(config, account, region), **more)

    return inner


@contextmanager
def aws_problems_told() -> Iterator[None]:
    """Tell what AWS said no to and leave with exit code 1."""
    try:
        yield
    except AwsProblem as problem:
        click.echo(f"error: {printable(str(problem))}", err=True)
        sys.exit(1)


def owners_or_exit(config: Path | None, account: str | None, region: str | None) -> Owners:
    """Find whom to ask: the owners of the settings, one of them, or whoever our own credentials belong to."""
    settings = settings_if_any(config)
    accounts = Accounts(accesses_of(settings), endpoint_url=endpoint_of(settings))
    return Owners(accounts, lambda: _places(accounts, settings, account, region), settings)


def _places(
    accounts: Accounts, settings: Settings | None, account: str | None, region: str | None
) -> tuple[tuple[str, str], ...]:
    default = region or (settings and settings.ses.region) or _region_of_environment()
    known = settings.policies.owner if settings is not None else ()
    chosen = [owner for owner in known if (owner.account == account if account else not owner.is_sealed)]
    places = [(each.account, name) for each in chosen for name in ((region,) if region else each.regions or (default,))]
    if not places:
        places = [(account or accounts.caller("", default or "us-east-1")["Account"], default)]
    if any(name is None for _, name in places):
        raise click.UsageError(_NO_REGION)
    return tuple((owner, str(name)) for owner, name in places)


def _region_of_environment() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
