"""Settings that are each well written and do not go together."""

from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from relay.settings.authority import as_its_own, in_one_account, observing, observing_all, sealed_owners
from relay.settings.aws import DEFAULT_SPOOL
from relay.settings.door import I_KNOW, ListenerSettings
from relay.settings.feedback import heard
from relay.settings.forms import HostPort
from relay.settings.keys import KeyPath
from relay.settings.model import Settings
from relay.settings.owners import policies
from relay.settings.people import DelegateSettings
from relay.settings.problems import Finding, Written
from relay.settings.proofs import certificates, credentials, knows_without_auth, tokens
from relay.settings.units import write_size
from relay.words.apis import LARGEST, MOST_RECIPIENTS
from relay.words.arns import parse_identity_arn
from relay.words.delegates import NOTIFICATIONS

_NEEDS_REDIS: Final = "needs the extra redis: pip install 'ses-relay[redis]'"
#: Names that the log has already for those who ask the admin endpoint.
_OWN_ASKERS: Final = {"local": "whoever is on this machine", "admin": "whoever has the token of admin.token_file"}


def contradictions(settings: Settings, written: Written) -> Iterator[Finding]:
    """Find what does not go together, each with the keys it was made from."""
    yield from _listeners(settings)
    yield from _tls(settings)
    yield from _delegates(settings)
    for index, delegate in enumerate(settings.delegate):
        if delegate.name == NOTIFICATIONS:
            yield Finding(("delegate", index, "name"), f"{NOTIFICATIONS} is the relay itself, where it sends notices")
        yield from credentials(index, delegate, settings)
        yield from _principal(index, delegate, written)
        yield from _identities(index, delegate, settings)
        yield from observing(index, delegate, settings)
        yield from in_one_account(index, delegate)
        yield from as_its_own(index, delegate, settings)
    yield from certificates(settings)
    yield from tokens(settings)
    yield from observing_all(settings)
    yield from sealed_owners(settings)
    yield from policies(settings, written)
    yield from _delivery(settings, written)
    yield from _shared(settings)
    yield from _admin(settings)
    yield from heard(settings)


def _listeners(settings: Settings) -> Iterator[Finding]:
    if not settings.listener:
        yield Finding(("listener",), "empty: nobody could connect")
    for index, listener in enumerate(settings.listener):
        here: KeyPath = ("listener", index)
        yield from _auth_in_clear(here, listener)
        for network in listener.proxy_protocol_from:
            if network.prefixlen == 0:
                why = f"{network} is everybody: anyone could choose the address that counts; name the balancers"
                yield Finding((*here, "proxy_protocol_from"), why)
        for other, earlier in enumerate(settings.listener[:index]):
            if _collide(listener.address, earlier.address):
                why = f"{listener.address} is taken by listener[{other}], {earlier.address}"
                yield Finding((*here, "address"), why, reads=(("listener", other, "address"),))
        if _collide(listener.address, settings.admin.address):
            yield Finding(
                (*here, "address"), f"{listener.address} is taken by admin.address", reads=(("admin", "address"),)
            )
        if not listener.require_auth and not any(map(knows_without_auth, settings.delegate)):
            why = "false, and no delegate has trusted_networks or client_certificates: everybody must AUTH"
            yield Finding((*here, "require_auth"), why, reads=(("delegate",),), is_warning=True)


def _auth_in_clear(here: KeyPath, listener: ListenerSettings) -> Iterator[Finding]:
    plaintext, tls = (*here, "allow_plaintext_auth"), (*here, "tls")
    if listener.allow_plaintext_auth:
        if not listener.address.is_loopback and listener.i_know != I_KNOW:
            why = f'off loopback everybody on the way reads the passwords: add i_know = "{I_KNOW}", or use TLS'
            yield Finding(plaintext, why, reads=((*here, "address"), (*here, "i_know")))
    elif listener.tls == "off" and listener.require_auth:
        why = '"off" with require_auth = true: nobody could AUTH. Use TLS, or on loopback allow_plaintext_auth = true'
        yield Finding(tls, why, reads=(plaintext, (*here, "require_auth"), ("tls",)))
    if listener.i_know is not None and listener.i_know != I_KNOW:
        yield Finding((*here, "i_know"), f'the sentence is "{I_KNOW}"')


def _collide(one: HostPort, other: HostPort) -> bool:
    if one.port != other.port or one.port == 0:
        return False
    same_family = (":" in one.host) == (":" in other.host)
    return one.host.lower() == other.host.lower() or (same_family and (one.is_wildcard or other.is_wildcard))


def _tls(settings: Settings) -> Iterator[Finding]:
    tls = settings.tls
    if tls.certificate and not tls.key:
        yield Finding(("tls", "key"), "missing: the certificate needs its private key")
    if tls.key and not tls.certificate:
        yield Finding(("tls", "certificate"), "missing: the key needs its certificate")
    for index, listener in enumerate(settings.listener):
        if listener.tls != "off" and not (tls.certificate or tls.key):
            why = f'"{listener.tls}" needs certificate and key in [tls]'
            yield Finding(("listener", index, "tls"), why, reads=(("tls", "certificate"), ("tls", "key")))


def _delegates(settings: Settings) -> Iterator[Finding]:
    if not settings.delegate:
        reads = (("delegate",), ("delegates", "file"))
        yield Finding(("delegate",), "none: nobody may send", reads=reads, is_warning=True)
    names: dict[str, int] = {}
    for index, delegate in enumerate(settings.delegate):
        first = names.setdefault(delegate.name, index)
        if first != index:
            why = f"'{delegate.name}' is the name of delegate[{first}] too"
            yield Finding(("delegate", index, "name"), why, reads=(("delegate", first, "name"),))
    yield from _shared_networks(settings)


def _shared_networks(settings: Settings) -> Iterator[Finding]:
    homes = defaultdict(list)
    for index, delegate in enumerate(settings.delegate):
        for network in set(delegate.trusted_networks):
            homes[network].append(index)
    for network, indexes in homes.items():
        for index in indexes[1:]:
            why = f"{network} is trusted for delegate[{indexes[0]}] too: it would identify neither"
            first: KeyPath = ("delegate", indexes[0], "trusted_networks")
            yield Finding(("delegate", index, "trusted_networks"), why, reads=(first,))


def _principal(index: int, delegate: DelegateSettings, written: Written) -> Iterator[Finding]:
    here: KeyPath = ("delegate", index)
    principal, role = (*here, "principal"), (*here, "role_arn")
    if delegate.role_arn is not None:
        if delegate.principal not in (None, delegate.role_arn):
            why = "differs from role_arn: the judged principal is the session of that role; remove one of them"
            yield Finding(principal, why, reads=(role,))
    elif delegate.principal is None:
        yield Finding(principal, "missing: who is this delegate to the policies?", reads=(role,))
    if delegate.external_id and not delegate.role_arn:
        yield Finding((*here, "external_id"), "means nothing without role_arn", reads=(role,))
    if written.says((*here, "allow_tenants")) and delegate.allow_tenants and not delegate.tenant:
        yield Finding((*here, "allow_tenants"), "means nothing without tenant", reads=((*here, "tenant"),))


def _identities(index: int, delegate: DelegateSettings, settings: Settings) -> Iterator[Finding]:
    here: KeyPath = ("delegate", index)
    regions = _regions(settings)
    for name in ("default_source_arn", "default_from_arn", "default_return_path_arn"):
        text = getattr(delegate, name)
        if text is None:
            continue
        if delegate.allow_source_arns and text not in delegate.allow_source_arns:
            why = "not among allow_source_arns: every message would be refused"
            yield Finding((*here, name), why, reads=((*here, "allow_source_arns"),))
        arn = parse_identity_arn(text)
        if regions and (
            arn.account not in regions or (regions[arn.account] and arn.region not in regions[arn.account])
        ):
            why = f"account {arn.account} in {arn.region} is no [[policies.owner]]: every message would be refused"
            yield Finding((*here, name), why, reads=(("policies", "owner"), ("ses", "region")), is_warning=True)


def _regions(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the regions of each owner; none where every folder of one counts."""
    own = settings.ses.region
    return {
        each.account: each.regions if settings.policies.source_of(each) == "directory" else each.regions_or(own)
        for each in settings.policies.owner
    }


def _delivery(settings: Settings, written: Written) -> Iterator[Finding]:
    mode: KeyPath = ("delivery", "mode")
    url: KeyPath = ("spool", "url")
    if not written.says(mode) and settings.delivery.mode == "direct":
        why = f'unset, and {DEFAULT_SPOOL.parent} cannot be written: runs as "direct", nothing is kept'
        yield Finding(mode, why, reads=(url,), is_warning=True)
    if settings.spool.retry_longest < settings.spool.retry_first:
        yield Finding(("spool", "retry_longest"), "below retry_first", reads=(("spool", "retry_first"),))
    largest = min(settings.limits.message_bytes, LARGEST)
    if settings.delivery.mode == "spool" and settings.spool.max_bytes <= largest:
        why = f"not above limits.message_bytes, {write_size(largest)}: a message of that size would hear 452 for ever"
        reads: tuple[KeyPath, ...] = (("limits", "message_bytes"), mode)
        yield Finding(("spool", "max_bytes"), why, reads=reads, is_warning=True)
    most = settings.limits.recipients
    if most > MOST_RECIPIENTS and settings.delivery.mode == "direct":
        why = f"{most} is above {MOST_RECIPIENTS}, SES's own limit, without a spool to divide messages"
        yield Finding(("limits", "recipients"), why, reads=(mode, url))
    if settings.limits.message_bytes > LARGEST:
        why = f"above {LARGEST} octets, which are 40MiB in base64 with what the relay adds: SES takes no more"
        yield Finding(("limits", "message_bytes"), why, is_warning=True)


def _shared(settings: Settings) -> Iterator[Finding]:
    if settings.shared.url is not None and find_spec("redis") is None:
        yield Finding(("shared", "url"), _NEEDS_REDIS)
    spool = settings.spool.url
    if spool is not None and not spool.get_secret_value().startswith("sqlite:") and find_spec("redis") is None:
        yield Finding(("spool", "url"), _NEEDS_REDIS)


def _admin(settings: Settings) -> Iterator[Finding]:
    admin = settings.admin
    if not admin.address.is_loopback and admin.token_file is None and not admin.token:
        why = f"{admin.address} is not loopback: set admin.token_file or [[admin.token]]"
        yield Finding(("admin", "address"), why, reads=(("admin", "token_file"), ("admin", "token")))
    known, names = {delegate.name for delegate in settings.delegate}, dict[str, int]()
    for index, token in enumerate(admin.token):
        here: KeyPath = ("admin", "token", index)
        if token.name in _OWN_ASKERS:
            yield Finding((*here, "name"), f"the log calls {_OWN_ASKERS[token.name]} so: choose another")
        first = names.setdefault(token.name, index)
        if first != index:
            why = f"'{token.name}' is the name of admin.token[{first}] too"
            yield Finding((*here, "name"), why, reads=(("admin", "token", first, "name"),))
        for unknown in sorted(set(token.delegates) - known):
            yield Finding((*here, "delegates"), f"{unknown} is no delegate", reads=(("delegate",),), is_warning=True)
