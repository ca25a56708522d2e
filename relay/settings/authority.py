"""Settings about who judges (observing, sealed owners, the owner's own account) that do not go together."""

import time
from collections.abc import Iterator
from typing import Final

from relay.settings.keys import KeyPath
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.settings.problems import Finding
from relay.words.arns import parse_identity_arn

_MODE: Final = ("authorization", "mode")
_DEFAULTS: Final = ("default_source_arn", "default_from_arn", "default_return_path_arn")
_NEEDED: Final = 'set role_arn or principal = "caller", or let the relay read the policies'


def observing(index: int, delegate: DelegateSettings, settings: Settings) -> Iterator[Finding]:
    """Find an end of observing for a delegate that is not observed, or no longer."""
    here: KeyPath = ("delegate", index)
    mode = delegate.mode or settings.authorization.mode
    yield from _ends((*here, "observe_until"), delegate.observe_until, mode, ((*here, "mode"), _MODE))


def observing_all(settings: Settings) -> Iterator[Finding]:
    """Find the same for all delegates together: it is also the end for those that are observed and name none."""
    authorization = settings.authorization
    led = (each.mode for each in settings.delegate if each.observe_until is None)
    mode = "observe" if "observe" in led else authorization.mode
    reads: tuple[KeyPath, ...] = (_MODE, *(("delegate", index, "mode") for index in range(len(settings.delegate))))
    yield from _ends(("authorization", "observe_until"), authorization.observe_until, mode, reads)


def _ends(path: KeyPath, until: float | None, mode: str, reads: tuple[KeyPath, ...]) -> Iterator[Finding]:
    if until is None:
        return
    if mode != "observe":
        yield Finding(path, 'means nothing without mode = "observe"', reads=reads)
    elif until <= time.time():
        yield Finding(path, "is past: what the policies do not allow is refused", reads=reads, is_warning=True)


def in_one_account(index: int, delegate: DelegateSettings) -> Iterator[Finding]:
    """Find half of what makes a delegate of the owner's own account send without an Allow of the identity."""
    mode: KeyPath = ("delegate", index, "same_account")
    identities: KeyPath = ("delegate", index, "allow_identities")
    if delegate.same_account == "allow-unless-denied" and not delegate.allow_identities:
        yield Finding(mode, '"allow-unless-denied" needs allow_identities: name what it may use', reads=(identities,))
    if delegate.allow_identities and delegate.same_account != "allow-unless-denied":
        why = 'means nothing without same_account = "allow-unless-denied"'
        yield Finding(identities, why, reads=(mode,), is_warning=True)


def sealed_owners(settings: Settings) -> Iterator[Finding]:
    """Find sealed owners of whom nobody says where their identities are: there is no folder to look in."""
    for index, owner in enumerate(settings.policies.owner):
        if owner.is_sealed and not owner.regions and settings.ses.region is None:
            here: KeyPath = ("policies", "owner", index)
            reads: tuple[KeyPath, ...] = ((*here, "source"), ("ses", "region"))
            yield Finding((*here, "regions"), "missing: name the regions of a sealed owner, or ses.region", reads=reads)


def as_its_own(index: int, delegate: DelegateSettings, settings: Settings) -> Iterator[Finding]:
    """Find delegates that would use a sealed owner's identities and that SES would not see: they are refused."""
    owners = settings.policies.owner
    accounts = {owner.account for owner in owners if owner.is_sealed}
    if not accounts or delegate.principal == "caller" or delegate.role_arn is not None:
        return
    here: KeyPath = ("delegate", index)
    reads: tuple[KeyPath, ...] = ((*here, "principal"), (*here, "role_arn"), ("policies", "owner"))
    named = {name: (getattr(delegate, name),) for name in _DEFAULTS if getattr(delegate, name) is not None}
    for name, texts in {**named, "allow_source_arns": delegate.allow_source_arns}.items():
        for account in sorted({parse_identity_arn(text).account for text in texts} & accounts):
            why = f"account {account} is sealed, and SES would see the relay in place of this delegate: {_NEEDED}"
            yield Finding((*here, name), why, reads=reads)
    if all(owner.is_sealed for owner in owners):
        why = f"every owner is sealed, and SES would see the relay in place of this delegate: {_NEEDED}"
        yield Finding((*here, "principal"), why, reads=reads)
