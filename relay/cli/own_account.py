"""What ``check`` can say of policies that grant the relay's own account, where the environment tells the account."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from relay.judgement.own_account import grants_of_account, living_in
from relay.settings.model import Settings
from relay.settings.problems import Problem
from relay.translation import entries_of, folder_of

_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)


def account_of(environ: Mapping[str, str]) -> str | None:
    """
    Return the account that the relay's credentials will be of, or None where only STS could tell.

    ``AWS_ROLE_ARN`` names the role of web identities (AWS SDKs and Tools Reference Guide, "Assume role credential
    provider"), ``AWS_ACCOUNT_ID`` the account itself ("Account-based endpoints").
    """
    named = environ.get("AWS_ROLE_ARN", "").split(":")[4:5] or [environ.get("AWS_ACCOUNT_ID", "")]
    return named[0] if _ACCOUNT.fullmatch(named[0]) else None


def warnings_of(settings: Settings, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Warn of each statement that grants the relay's own account while delegates live in it."""
    account = account_of(environ)
    if account is None:
        return
    inhabitants = ", ".join(living_in(account, (entry.delegate for entry in entries_of(settings, None))))
    if not inhabitants:
        return
    directory = folder_of(settings, lambda _event: None)  # SES is asked by doctor and by the running relay
    if directory is None:
        return
    directory.refresh()
    for arn, statement in grants_of_account(directory.catalog, account):
        why = (
            f"{statement} of {arn} grants account {account}, the relay's own, where {inhabitants} live: "
            "SES lets the relay in for all of them. Name the relay's principal and theirs instead"
        )
        yield Problem("policies.directory", None, why)
