"""Identity owners and the sources of their policies: what does not go together, and what cannot be had."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from relay.settings.aws import OwnerSettings
from relay.settings.keys import KeyPath
from relay.settings.model import Settings
from relay.settings.problems import Finding, Written
from relay.words.arns import parse_identity_arn
from relay.words.freshness import Terms

_SOURCE: Final = ("policies", "source")
_DIRECTORY: Final = ("policies", "directory")
_PINS: Final = ("default_source_arn", "default_from_arn", "default_return_path_arn")


def policies(settings: Settings, written: Written) -> Iterator[Finding]:
    """Find what is wrong with ``[policies]`` and its owners."""
    yield from _sources(settings, written)
    yield from _accounts(settings)
    for index, owner in enumerate(settings.policies.owner):
        yield from _owner(index, owner, settings)
    yield from _freshness(settings)
    yield from _means_nothing(settings)


def _sources(settings: Settings, written: Written) -> Iterator[Finding]:
    section = settings.policies
    if section.source == "ses" and not section.owner:
        unset = "" if written.says(_SOURCE) else ', as source is unless it says "directory"'
        why = (
            f'none: source = "ses"{unset}: name the owners whose policies are read, [[policies.owner]] account = "..."'
        )
        yield Finding(("policies", "owner"), why, reads=(_SOURCE,))
    if section.directory is None and section.reads_folder:
        yield Finding(
            _DIRECTORY, 'missing: source = "directory" needs the folder', reads=(_SOURCE, ("policies", "owner"))
        )


def _accounts(settings: Settings) -> Iterator[Finding]:
    accounts: dict[str, int] = {}
    for index, owner in enumerate(settings.policies.owner):
        first = accounts.setdefault(owner.account, index)
        if first != index:
            why = f"'{owner.account}' is the account of policies.owner[{first}] too: put the regions together"
            reads = (("policies", "owner", first, "account"),)
            yield Finding(("policies", "owner", index, "account"), why, reads=reads)


def _owner(index: int, owner: OwnerSettings, settings: Settings) -> Iterator[Finding]:
    here: KeyPath = ("policies", "owner", index)
    source, region = settings.policies.source_of(owner), ("ses", "region")
    reads: tuple[KeyPath, ...] = (_SOURCE, (*here, "source"))
    if source == "ses" and not owner.regions and settings.ses.region is None:
        why = "missing: name the regions in which SES is asked, or ses.region"
        yield Finding((*here, "regions"), why, reads=(*reads, region))
    if owner.external_id is not None and owner.role_arn is None:
        yield Finding((*here, "external_id"), "means nothing without role_arn", reads=((*here, "role_arn"),))
    account = owner.account if owner.role_arn is None else owner.role_arn.split(":")[4]
    if account != owner.account:
        why = f"is a role of account {account}: only one of {owner.account} reads its policies"
        yield Finding((*here, "role_arn"), why, reads=((*here, "account"),))


def _freshness(settings: Settings) -> Iterator[Finding]:
    section, path = settings.policies, ("policies", "max_stale")
    if section.max_stale < section.refresh_interval:
        why = "below refresh_interval: policies would be too old before they are read again"
        yield Finding(path, why, reads=(("policies", "refresh_interval"),))
        return
    terms = Terms(section.refresh_interval, section.max_stale, section.api_rate)
    for (account, region), names in _pinned(settings).items():
        seconds = terms.revocation(len(names))
        if seconds > section.max_stale:
            why = (
                f"below the {seconds:.0f}s in which the {len(names)} identities of account {account} in {region} that "
                "delegates are pinned to can be read again: raise it, or api_rate"
            )
            yield Finding(path, why, reads=(("policies", "api_rate"), ("delegate",), ("policies", "owner")))


def _pinned(settings: Settings) -> dict[tuple[str, str], set[str]]:
    """Return the identities that delegates are configured to use, where they are read from SES."""
    section = settings.policies
    read = {owner.account for owner in section.owner if section.source_of(owner) == "ses"}
    pinned: dict[tuple[str, str], set[str]] = defaultdict(set)
    for delegate in settings.delegate:
        for text in (*delegate.allow_source_arns, *(getattr(delegate, name) for name in _PINS)):
            if text is not None and (arn := parse_identity_arn(text)).account in read:
                pinned[arn.account, arn.region].add(arn.name)
    return pinned


def _means_nothing(settings: Settings) -> Iterator[Finding]:
    section = settings.policies
    is_read = any(section.source_of(owner) == "ses" for owner in section.owner)
    if section.snapshot is not None and not is_read and section.owner:
        why = "means nothing: no policies are read from SES"
        yield Finding(("policies", "snapshot"), why, reads=(_SOURCE, ("policies", "owner")), is_warning=True)
    if is_read and section.api_rate > 1 and settings.ses.endpoint_url is None:
        why = "above the one call a second that SES takes, of all of the owner's tools: the rest is throttled"
        yield Finding(("policies", "api_rate"), why, reads=(("ses", "endpoint_url"),), is_warning=True)
