"""How a delegate proves itself, in words; and whether each way is open now."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relay.delegates.jwks import JwksProblem, fetch_jwks, keys_in
from relay.delegates.secrets import AwsSecrets, SecretProblem
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.words.hashes import Htpasswd, crypt_form, read_htpasswd
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Way:
    """One way in. ``told`` is for people, without secrets."""

    kind: str
    is_open: bool
    told: str


def ways_of(delegate: DelegateSettings, settings: Settings) -> list[str]:
    """Name every way in that the settings give a delegate; the htpasswd file is looked into."""
    said = {
        "password_hash": delegate.password_hash,
        "password_file": delegate.password_file,
        "password_secret": delegate.password_secret,
        "htpasswd": delegate.name in _htpasswd(settings).hashes,
        "client_certificate": delegate.client_certificates,
        "token": _issuers(delegate, settings),
        "network": delegate.trusted_networks,
    }
    return [kind for kind, value in said.items() if value]


def look_at(delegate: DelegateSettings, settings: Settings) -> list[Way]:
    """Look at every way in of a delegate: secrets are asked for, issuers' keys are fetched, nothing is shown."""
    looks: Final[dict[str, Callable[[DelegateSettings, Settings], list[Way]]]] = {
        "password_hash": _hashes,
        "password_file": _file,
        "password_secret": _secret,
        "htpasswd": _listed,
        "client_certificate": _certificates,
        "token": _tokens,
        "network": _networks,
    }
    return [way for kind in ways_of(delegate, settings) for way in looks[kind](delegate, settings)]


def _hashes(delegate: DelegateSettings, _: Settings) -> list[Way]:
    hashes = delegate.password_hash.get_secret_value().splitlines() if delegate.password_hash else []
    return [Way("password_hash", is_open=True, told=_count(len(hashes)))]


def _file(delegate: DelegateSettings, _: Settings) -> list[Way]:
    path = delegate.password_file or Path()
    lines = len([line for line in path.read_bytes().splitlines() if line])
    return [Way("password_file", is_open=True, told=f"{path}: {_count(lines)}")]


def _secret(delegate: DelegateSettings, settings: Settings) -> list[Way]:
    secret = delegate.password_secret or ""
    try:
        found = AwsSecrets(settings.ses.region, time.time)(secret)
    except Exception as error:  # noqa: BLE001 - whatever AWS or the network says is the answer
        why = str(error) if isinstance(error, SecretProblem) else type(error).__name__
        return [Way("password_secret", is_open=False, told=f"{secret}: {why}")]
    return [Way("password_secret", is_open=True, told=f"{secret}: {_count(len(found))}")]


def _listed(delegate: DelegateSettings, settings: Settings) -> list[Way]:
    hashes = _htpasswd(settings).hashes[delegate.name]
    forms = ", ".join(form.kind if (form := crypt_form(hashed)) else "argon2" for hashed in hashes)
    return [Way("htpasswd", is_open=True, told=f"{_count(len(hashes))} ({forms})")]


def _certificates(delegate: DelegateSettings, _: Settings) -> list[Way]:
    return [Way("client_certificate", is_open=True, told=name) for name in delegate.client_certificates]


def _tokens(delegate: DelegateSettings, settings: Settings) -> list[Way]:
    found = []
    for issuer, url, ca in _issuers(delegate, settings):
        try:
            keys = keys_in(asyncio.run(_fetch(url, ca)))
            found.append(Way("token", bool(keys), f"{issuer}: {len(keys)} key{'s' if len(keys) != 1 else ''}"))
        except JwksProblem as problem:
            found.append(Way("token", is_open=False, told=f"{issuer}: {url}: {problem}"))
    return found


async def _fetch(url: str, ca: Path | None) -> dict[str, object]:
    return dict(await fetch_jwks(url, ca))


def _networks(delegate: DelegateSettings, _: Settings) -> list[Way]:
    return [Way("network", is_open=True, told=" ".join(map(str, delegate.trusted_networks)))]


def _issuers(delegate: DelegateSettings, settings: Settings) -> list[tuple[str, str, Path | None]]:
    """Return the issuers whose tokens can be this delegate's."""
    return [
        (each.issuer, each.jwks_url, each.ca)
        for each in settings.delegates.oauth
        if not each.names or delegate.name in each.names.values()
    ]


def _htpasswd(settings: Settings) -> Htpasswd:
    """Read the file, as good as it is: what is wrong with it, the settings' check has told."""
    path = settings.delegates.htpasswd
    if path is None:
        return Htpasswd()
    try:
        return read_htpasswd(path.read_bytes().decode(errors="replace"))
    except OSError:
        return Htpasswd()


def _count(passwords: int) -> str:
    return f"{passwords} password{'s' if passwords != 1 else ''}"
