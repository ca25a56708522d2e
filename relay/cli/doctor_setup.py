"""Settings into what the doctor looks at, and with what it asks."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from relay.dns.servers import system_servers
from relay.identities.accounts import Access, Accounts, AtOnce, OneASecond
from relay.identities.names import is_region
from relay.owner.doctor.findings import Finding, failing, ok, warning
from relay.owner.doctor.roles import READER
from relay.owner.doctor.rounds import PatientPace
from relay.owner.doctor.setup import (
    Certificate,
    DelegateAtAws,
    Listening,
    Means,
    Owner,
    SecretFile,
    Setup,
    SpoolPlace,
)
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.settings.problems import Problem, Reading
from relay.translation import accesses_of, dispatch_of, endpoint_of, hostname_of, largest_of, postmaster_of
from relay.words.delegates import CALLER
from relay.words.roles import AssumedRole

#: Attempts at a call: a doctor does not wait out what a relay waits out.
TRIES: Final = 3
_MODE: Final = "every user of this machine can read it"


def of_settings(reading: Reading, name: str) -> Iterator[Finding]:
    """Tell what is wrong with the settings *name*, but for modes of files, which have a check of their own."""
    yield from (failing("settings", str(problem), "") for problem in reading.problems)
    warnings = [each for each in reading.warnings if _MODE not in each.why]
    yield from (warning("settings", str(each), _fix(each)) for each in warnings)
    settings = reading.settings
    if settings is not None and not warnings:
        counted = f"{_number(len(settings.listener), 'listener')}, {_number(len(settings.delegate), 'delegate')}"
        yield ok("settings", f"{name}: {counted}, policies from {settings.policies.source}, {settings.delivery.mode}")


def setup_of(settings: Settings, environ: Mapping[str, str]) -> Setup:
    """Return what of *settings* the doctor looks at; *environ*: where a region may be named, too."""
    region = settings.ses.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None
    tls = settings.tls
    shows_it = tls.certificate and tls.key and any(each.tls != "off" for each in settings.listener)
    return Setup(
        hostname=hostname_of(settings),
        region=region,
        endpoint_url=endpoint_of(settings),
        listeners=tuple(
            Listening(each.address.host, each.address.port, each.tls, bool(each.proxy_protocol_from))
            for each in settings.listener
        ),
        certificate=Certificate(tls.certificate, tls.key) if shows_it and tls.certificate and tls.key else None,
        spool=_spool(settings),
        admin=(settings.admin.address.host, settings.admin.address.port),
        secrets=tuple(_secrets(settings)),
        delegates=(*map(_delegate, settings.delegate), *_postmaster(settings)),
        owners=tuple(_owners(settings)),
        policies=settings.policies.directory if settings.policies.reads_folder else None,
        refresh_interval=settings.policies.refresh_interval,
        max_stale=settings.policies.max_stale,
        resolvers=settings.dns.nameservers or system_servers(),
        api_rate=settings.policies.api_rate,
        shared_url=url.get_secret_value() if (url := settings.shared.url) else None,
    )


def means_of(settings: Settings, setup: Setup, now: Callable[[], float]) -> Means:
    """Return the clients. AWS's SES takes a call a second; an embedded one says so if it does."""
    pace = PatientPace(OneASecond() if setup.asks_aws_itself else AtOnce())
    url = endpoint_of(settings)

    def accounts(*accesses: Access, session_name: str = READER) -> Accounts:
        return Accounts(accesses, endpoint_url=url, pace=pace, tries=TRIES, session_name=session_name)

    def lent(role: AssumedRole) -> Accounts:
        return accounts(Access(role.account, role.arn, role.external_id), session_name=role.session)

    return Means(accounts(), accounts(*accesses_of(settings)), now, lent)


def _spool(settings: Settings) -> SpoolPlace | None:
    place = dispatch_of(settings).place
    if place is None:
        return None
    return SpoolPlace(place.path, place.max_bytes, largest_of(settings), None if place.path else place)


def _secrets(settings: Settings) -> Iterator[SecretFile]:
    named: list[tuple[str, Path | None]] = [
        ("tls.key", settings.tls.key),
        ("delegates.htpasswd", settings.delegates.htpasswd),
        ("admin.token_file", settings.admin.token_file),
        *((f"password of {each.name}", each.password_file) for each in settings.delegate),
        *((f"admin token of {each.name}", each.file) for each in settings.admin.token),
    ]
    yield from (SecretFile(name, path) for name, path in named if path is not None)


def _delegate(each: DelegateSettings) -> DelegateAtAws:
    delegate = each.to_delegate(CALLER)
    defaults = (each.default_source_arn, each.default_from_arn, each.default_return_path_arn)
    identities = (*filter(None, defaults), *each.allow_source_arns, *each.allow_identities)
    sets = (*filter(None, (each.configuration_set,)), *each.allow_configuration_sets)
    return DelegateAtAws(delegate, delegate.role, tuple(dict.fromkeys(identities)), tuple(dict.fromkeys(sets)))


def _postmaster(settings: Settings) -> Iterator[DelegateAtAws]:
    """Return who sends notices, where that is a role; else it is the relay."""
    postmaster = postmaster_of(settings, None)
    if postmaster is not None:
        yield DelegateAtAws(postmaster, postmaster.role)


def _owners(settings: Settings) -> Iterator[Owner]:
    """Return the owners with their regions; of a folder, those that lie in it where none are named."""
    policies = settings.policies
    folder = policies.directory if policies.reads_folder else None
    for each in policies.owner:
        source = policies.source_of(each)
        regions = each.regions or (tuple(_regions(folder, each.account)) if folder and source == "directory" else ())
        yield Owner(each.account, regions, each.role_arn, each.external_id, source)
    if folder is not None and not policies.owner:
        for account in _folders(folder):
            yield Owner(account, tuple(_regions(folder, account)), None, None, "directory")


def _regions(folder: Path, account: str) -> Iterator[str]:
    yield from (name for name in _folders(folder / account) if is_region(name))


def _folders(folder: Path) -> list[str]:
    """Name the folders in *folder*; none where it cannot be read, which a look of its own tells."""
    try:
        return sorted(each.name for each in os.scandir(folder) if each.is_dir() and not each.name.startswith("."))
    except OSError:
        return []


def _fix(warned: Problem) -> str:
    return f"Correct {warned.path}, or leave it if this is meant."


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"
