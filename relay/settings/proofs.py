"""How delegates prove themselves: what of it does not go together, or leads nowhere."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from relay.settings.forms import HostPort
from relay.settings.keys import KeyPath
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings, OauthSettings
from relay.settings.problems import Finding

_PASSWORDS: Final = ("password_hash", "password_file", "password_secret")


def knows_without_auth(delegate: DelegateSettings) -> bool:
    """Whether a delegate can be known on a listener that does not require AUTH."""
    return bool(delegate.trusted_networks or delegate.client_certificates)


def credentials(index: int, delegate: DelegateSettings, settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with one delegate's ways to prove itself."""
    here: KeyPath = ("delegate", index)
    trusted: KeyPath = (*here, "trusted_networks")
    said = [name for name in _PASSWORDS if getattr(delegate, name) is not None]
    for extra in said[1:]:
        yield Finding((*here, extra), f"{said[0]} is set too: keep one of them")
    elsewhere = settings.delegates.htpasswd or settings.delegates.oauth
    has_way_in = bool(said or delegate.client_certificates or elsewhere)
    if not has_way_in and not delegate.trusted_networks:
        reads = tuple((*here, name) for name in (*_PASSWORDS, "client_certificates", "trusted_networks"))
        why = (
            "no way to identify it: set password_hash, password_file, password_secret, client_certificates or "
            "trusted_networks"
        )
        yield Finding(here, why, reads=(*reads, ("delegates",)))
    if delegate.trusted_networks and all(listener.require_auth for listener in settings.listener):
        why = "used only on listeners with require_auth = false, and there is none"
        yield Finding(trusted, why, reads=(("listener",),), is_warning=has_way_in)
    for network in delegate.trusted_networks:
        if network.prefixlen == 0:
            why = f"{network} is everybody: anyone who can connect is this delegate"
            yield Finding(trusted, why, is_warning=True)


def certificates(settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with client certificates."""
    client_ca: KeyPath = ("tls", "client_ca")
    owners: dict[str, int] = {}
    for index, delegate in enumerate(settings.delegate):
        here: KeyPath = ("delegate", index, "client_certificates")
        if delegate.client_certificates and settings.tls.client_ca is None:
            yield Finding(here, "no client is asked for a certificate without tls.client_ca", reads=(client_ca,))
        for name in dict.fromkeys(delegate.client_certificates):
            first = owners.setdefault(name, index)
            if first != index:
                reads: tuple[KeyPath, ...] = (("delegate", first, "client_certificates"),)
                yield Finding(here, f"{name} is delegate[{first}]'s too: it would identify neither", reads=reads)
    if settings.tls.client_ca is not None and all(listener.tls == "off" for listener in settings.listener):
        why = "certificates are shown under TLS only, and no listener has it"
        yield Finding(client_ca, why, reads=(("listener",), ("tls",)), is_warning=True)
    yield from _required(settings, client_ca)


def _required(settings: Settings, client_ca: KeyPath) -> Iterator[Finding]:
    required: KeyPath = ("tls", "require_client_certificate")
    if not settings.tls.require_client_certificate:
        return
    if settings.tls.client_ca is None:
        yield Finding(required, "nobody could show one that is trusted without tls.client_ca", reads=(client_ca,))
    for index, listener in enumerate(settings.listener):
        listening: KeyPath = ("listener", index)
        if listener.tls == "off":
            yield Finding(required, f"listener[{index}] has no TLS: nobody could show one there", reads=(listening,))
        elif listener.tls == "starttls" and (listener.allow_plaintext_auth or not listener.require_auth):
            why = f"listener[{index}] takes mail without TLS, and so without a certificate"
            yield Finding(required, why, reads=(listening,))


def tokens(settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with issuers of bearer tokens."""
    issuers: dict[str, int] = {}
    known = {delegate.name for delegate in settings.delegate}
    for index, each in enumerate(settings.delegates.oauth):
        here: KeyPath = ("delegates", "oauth", index)
        first = issuers.setdefault(each.issuer, index)
        if first != index:
            why = f"'{each.issuer}' is the issuer of delegates.oauth[{first}] too: put them together"
            yield Finding((*here, "issuer"), why, reads=(("delegates", "oauth", first, "issuer"),))
        if not each.algorithms:
            yield Finding((*here, "algorithms"), "empty: no token could be good")
        if not _is_private(each):
            why = "http: anyone on the way could put in keys of their own; write https (http is taken on loopback)"
            yield Finding((*here, "jwks_url"), why)
        for name in sorted(set(each.names.values()) - known):
            why = f"'{name}' is no delegate"
            yield Finding((*here, "names"), why, reads=(("delegate",), ("delegates", "file")), is_warning=True)
    yield from _leads_nowhere(settings)


def _leads_nowhere(settings: Settings) -> Iterator[Finding]:
    oauth: KeyPath = ("delegates", "oauth")
    if settings.delegates.oauth and find_spec("joserfc") is None:
        yield Finding(oauth, "it needs the extra oauth: pip install 'ses-relay[oauth]'")
    if settings.delegates.oauth and all(listener.tls == "off" for listener in settings.listener):
        why = "tokens travel under TLS only, and no listener has it"
        yield Finding(oauth, why, reads=(("listener",), ("tls",)), is_warning=True)


def _is_private(issuer: OauthSettings) -> bool:
    """Whether nobody on the way can change what jwks_url answers."""
    parts = urlsplit(issuer.jwks_url)
    return parts.scheme == "https" or HostPort(parts.hostname or "", parts.port or 80).is_loopback
