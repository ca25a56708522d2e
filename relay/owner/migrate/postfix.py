"""Postfix with SES as its relayhost: listeners, who may log in, and who owns which address."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field
from pathlib import Path
from typing import Final

from relay.owner.migrate.model import CannotMigrate, Client, Door, Found, Kind, Note, Tls, Wishes
from relay.owner.migrate.postfix_files import Entry, MainCf, Service, read_main_cf, read_master_cf, read_table
from relay.owner.migrate.reading import (
    delegate_name,
    door,
    is_large,
    read_address_or_domain,
    read_networks,
    region_of,
    renamed,
    size_of,
    why_no_hash,
)
from relay.owner.migrate.regexps import shortest
from relay.owner.statements import Pattern
from relay.words.values import dataclass

#: Parameters that are looked at, with Postfix's own defaults (postconf(5)).
_DEFAULTS: Final = {
    "inet_interfaces": "all",
    "message_size_limit": "10240000",
    "smtpd_recipient_limit": "1000",
    "maximal_queue_lifetime": "5d",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
    "mydestination": "",
    "myorigin": "$myhostname",
}
_RESTRICTIONS: Final = (
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
)
_ENFORCED: Final = {
    "reject_sender_login_mismatch",
    "reject_authenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
}
_HOLDING_NETWORKS: Final = {
    "reject_sender_login_mismatch",
    "reject_unauthenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
}
#: What ends a list for mail that goes out, of clients that nothing before it let pass.
_REFUSALS: Final = {"reject", "defer", "reject_unauth_destination", "defer_unauth_destination"}
#: What lets clients of mynetworks pass.
_PASSES: Final = {"permit_mynetworks", "permit"}
_READ: Final = {
    *_DEFAULTS,
    *_RESTRICTIONS,
    "myhostname",
    "mydomain",
    "mynetworks",
    "mynetworks_style",
    "relayhost",
    "smtpd_sasl_auth_enable",
    "smtpd_sender_login_maps",
    "smtpd_tls_cert_file",
    "smtpd_tls_chain_files",
    "smtpd_tls_key_file",
    "smtpd_tls_security_level",
    "smtpd_use_tls",
    "smtpd_tls_auth_only",
    "smtpd_tls_wrappermode",
    "compatibility_level",
    "inet_protocols",
    "smtp_sasl_password_maps",
}
_LEFT: Final[Mapping[str, str]] = {
    "header_checks": "messages are sent as they are",
    "body_checks": "bodies are not read",
    "smtp_header_checks": "messages are sent as they are",
    "milter_header_checks": "messages are sent as they are",
    "smtpd_milters": "there are no milters; SES signs with DKIM",
    "non_smtpd_milters": "there are no milters; SES signs with DKIM",
    "content_filter": "bodies are not read",
    "always_bcc": "recipients are those of the envelope",
    "sender_bcc_maps": "recipients are those of the envelope",
    "recipient_bcc_maps": "recipients are those of the envelope",
    "canonical_maps": "addresses are not rewritten",
    "sender_canonical_maps": "addresses are not rewritten; return_path of a delegate replaces MAIL FROM",
    "recipient_canonical_maps": "addresses are not rewritten",
    "smtp_generic_maps": "addresses are not rewritten; return_path of a delegate replaces MAIL FROM",
    "virtual_alias_maps": "recipients are not rewritten",
    "virtual_mailbox_domains": "mail is sent, not received: keep a mail server for these domains",
    "alias_maps": "recipients are not rewritten",
    "alias_database": "recipients are not rewritten",
    "transport_maps": "there is one way out, SES",
    "sender_dependent_relayhost_maps": "there is one way out, SES; each identity is sent in its own account and region",
    "sender_dependent_default_transport_maps": "there is one way out, SES",
    "smtpd_client_connection_rate_limit": "limits.connections_per_client counts open ones",
    "smtpd_client_message_rate_limit": "delegate.rate is a limit for each delegate",
    "anvil_rate_time_unit": "delegate.rate says its own unit",
    "default_destination_rate_delay": "mail is paced to SES's send rate",
    "default_destination_concurrency_limit": "mail is paced to SES's send rate",
    "minimal_backoff_time": "spool.retry_first and retry_longest have defaults of their own",
    "maximal_backoff_time": "spool.retry_first and retry_longest have defaults of their own",
    "bounce_queue_lifetime": "notifications are tried as long as any message",
    "smtpd_sasl_type": "passwords are in htpasswd, or in files and secrets",
    "smtpd_sasl_path": "passwords are in htpasswd, or in files and secrets",
    "recipient_delimiter": "ann+x@ is an address of its own: grant ann+*@ as well where it is wanted",
}
_AS_TEXT: Final = {"hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash"}
_PORTS: Final = {"smtp": "25", "submission": "587", "smtps": "465", "submissions": "465"}
_SCHEME: Final = re.compile(r"\{([A-Z0-9.-]+)\}")
#: The delegate of clients that need no AUTH, where it is given no other name.
_NAMELESS: Final = "mynetworks"
_YES: Final = "yes"


@dataclass(frozen=True, slots=True)
class _Owners:
    """
    Who owns which address: logins by pattern. ``place``: where the tables are named. ``delimiters``: each sets an
    extension off, and ``ann+x@`` is whose ``ann@`` is.
    """

    logins: Mapping[Pattern, tuple[str, ...]] = field(default_factory=dict)
    place: str = ""
    delimiters: str = ""

    def of(self, login: str) -> tuple[Pattern, ...]:
        """Return what the login owns."""
        return shortest(pattern for pattern, logins in self.logins.items() if login in logins)

    def not_of(self, login: str) -> tuple[Pattern, ...]:
        """Return the single addresses of other logins in the domains that the login owns: they go before the domain."""
        domains = {pattern.text.rpartition("@")[2] for pattern in self.of(login) if pattern.is_wild}
        return self.extended(
            pattern
            for pattern, logins in self.logins.items()
            if login not in logins and not pattern.is_wild and pattern.text.rpartition("@")[2] in domains
        )

    def extended(self, patterns: Iterable[Pattern]) -> tuple[Pattern, ...]:
        """Return the patterns, and behind them those of their single addresses with extensions."""
        found = tuple(patterns)
        parts = [pattern.text.rpartition("@") for pattern in found if not pattern.is_wild]
        extensions = (
            Pattern(f"{local}{delimiter}*@{domain}", is_wild=True)
            for local, _, domain in parts
            for delimiter in self.delimiters
        )
        return shortest((*found, *extensions))


def read_postfix(folder: Path, wishes: Wishes, read: Callable[[Path], str], passwords: Path | None = None) -> Found:
    """
    Read main.cf and master.cf in *folder*, the tables that they name, and *passwords*, a passwd-file of Dovecot.

    Raises:
        CannotMigrate: The mail does not go to SES, or what cannot be read or said here; with file and line.
        OSError: A file cannot be read.
    """
    defaults = {**_DEFAULTS, "config_directory": str(folder)}
    main, problems = read_main_cf(read(folder / "main.cf"), str(folder / "main.cf"), defaults)
    if not main.get("message_size_limit").isdecimal():
        problems.append(f"{main.place('message_size_limit')}: message_size_limit is no whole number")
    services, more = read_master_cf(read(folder / "master.cf"), str(folder / "master.cf"))
    services = [each for each in services if each.kind == "inet" and each.program == "smtpd"]
    if problems or more:
        raise CannotMigrate([*problems, *more])
    views = [main.with_options(service.options) for service in services] or [main]
    region, notes = _relayhost(main, wishes, read)
    owners = _owners(views, read)
    hashes, told = read_passwords(passwords, read) if passwords else ({}, [])
    notes += told
    clients, told = _clients(owners, hashes, views)
    notes += told
    open_views = [view for view in views if _lets_networks_relay(view)]
    trusted, told = _trusted(owners, open_views, wishes)
    notes += [*told, *_asked(views), *_left(main)]
    if not clients and not trusted:
        why = "nobody is told who might send: name those who log in, --passwords FILE of NAME:HASH lines"
        raise CannotMigrate([f"{folder / 'main.cf'}: {why}"])
    doors, told = _doors(services, views)
    notes += [*told, *_always(main, clients, has_hashes=bool(hashes))]
    certificate, key = _certificate(main)
    has_tls = any(each.tls != "off" for each in doors)
    size = int(main.get("message_size_limit")) or 1 << 30  # 0: no limit
    return Found(
        "postfix",
        doors,
        (*clients, *trusted),
        certificate=certificate if has_tls else "",
        key=key if has_tls else "",
        region=region,
        is_large=is_large(size),
        mode="spool",
        keys=_keys(main, size),
        notes=tuple(notes),
    )


def _relayhost(main: MainCf, wishes: Wishes, read: Callable[[Path], str]) -> tuple[str, list[Note]]:
    place, relayhost = main.place("relayhost"), main.get("relayhost")
    region = region_of(relayhost.rpartition(":")[0] or relayhost)
    notes = []
    for name in main.words("smtp_sasl_password_maps"):
        kind, _, path = name.partition(":")
        if kind in _AS_TEXT:
            entries, _ = read_table(read(Path(path)), path)
            hosts = {region_of(entry.key.rpartition(":")[0] or entry.key): entry.place for entry in entries}
            hosts.pop("", None)
            region = region or next(iter(hosts), "")
            why = "SMTP users of SES are of no use here: give the relay a role, and retire the user when mail goes"
            notes += [Note(Kind.TO_DO, path, why, line) for line in hosts.values()]
    if region:
        why = f"SES in {region} is asked by HTTPS with AWS credentials"
        return region, [Note(Kind.DIFFERENT, "relayhost", why, place), *notes]
    if not wishes.region:
        why = f"relayhost {relayhost!r} is no SMTP endpoint of SES: give --region if mail shall go to SES"
        raise CannotMigrate([f"{place or 'main.cf'}: {why}"])
    return "", [Note(Kind.DIFFERENT, "relayhost", f"{relayhost or 'unset'}; now all mail goes to SES", place), *notes]


def _owners(views: Sequence[MainCf], read: Callable[[Path], str]) -> _Owners:
    logins: dict[Pattern, tuple[str, ...]] = {}
    problems: list[str] = []
    place = ""
    for view in views:
        for name in view.words("smtpd_sender_login_maps"):
            place = view.place("smtpd_sender_login_maps")
            for entry in _entries(name, place, read, problems):
                try:
                    pattern = _owned(entry, view)
                except CannotMigrate as problem:
                    problems += problem.problems
                    continue
                found = tuple(login for login in re.split(r"[,\s]+", entry.value) if login)
                logins.setdefault(pattern, found)  # the first table that has it counts
    if problems:
        raise CannotMigrate(dict.fromkeys(problems))
    return _Owners(logins, place, views[0].get("recipient_delimiter"))


def _entries(name: str, place: str, read: Callable[[Path], str], problems: list[str]) -> list[Entry]:
    kind, _, path = name.partition(":")
    if kind not in _AS_TEXT:
        why = "only tables with a text beside them are read (hash, lmdb, texthash, ...): write what it holds as a text"
        problems.append(f"{place}: smtpd_sender_login_maps {name}: {why}, and name that as texthash:FILE")
        return []
    entries, wrong = read_table(read(Path(path)), path)
    problems += wrong
    return entries


def _owned(entry: Entry, main: MainCf) -> Pattern:
    """Read ``ann@example.com``, ``@example.com``, or ``ann``, which is of $myorigin (postconf(5))."""
    key = entry.key
    if "@" not in key:
        key = f"{key}@{main.get('myorigin')}"
    local, _, domain = key.rpartition("@")
    return read_address_or_domain(f"{local}@{domain.lower()}", entry.place)


def _clients(
    owners: _Owners, hashes: Mapping[str, tuple[str, ...]], views: Sequence[MainCf]
) -> tuple[list[Client], list[Note]]:
    notes: list[Note] = []
    if owners.logins and not any(_ENFORCED & set(view.words(name)) for view in views for name in _RESTRICTIONS):
        why = "said who owns which address, and no restriction held anybody to it: now policies do"
        notes.append(Note(Kind.STRICTER, "smtpd_sender_login_maps", why, owners.place))
    logins = dict.fromkeys([login for found in owners.logins.values() for login in found])
    clients = []
    for login in dict.fromkeys((*logins, *hashes)):
        notes += renamed(login)
        if owners.logins and login not in logins:
            notes.append(Note(Kind.LEFT, login, "owns no address in smtpd_sender_login_maps", owners.place))
            continue
        clients.append(
            Client(
                delegate_name(login),
                called=login,
                addresses=owners.of(login) if owners.logins else None,
                not_as=owners.not_of(login),
                hashes=hashes.get(login, ()),
            )
        )
        if hashes and login not in hashes:
            notes.append(Note(Kind.TO_DO, login, f"has no password yet: htpasswd -B htpasswd {delegate_name(login)}"))
    return clients, notes


def _trusted(owners: _Owners, views: Sequence[MainCf], wishes: Wishes) -> tuple[list[Client], list[Note]]:
    """Return the delegate of clients that need no AUTH, where *views* let such clients relay."""
    if not views:
        return [], []
    main = views[0]
    place = main.place("mynetworks")
    networks = read_networks(main.words("mynetworks") or ["127.0.0.0/8", "::1"], f"{place}: mynetworks")
    if any(network.endswith("/0") for network in networks):
        raise CannotMigrate([f"{place}: mynetworks is everybody: name the networks whose clients need no AUTH"])
    lists = [view.words(name) for view in views for name in _RESTRICTIONS]
    is_held = any(_meets_networks(_HOLDING_NETWORKS, lists))
    not_as = owners.extended(owners.logins) if is_held else ()
    name = delegate_name(wishes.delegate or _NAMELESS)
    why = f"clients from {', '.join(networks)} are the delegate {name}, without AUTH"
    if not_as:
        why += "; addresses that logins own are denied to it, as reject_sender_login_mismatch did"
    client = Client(name, called=name, not_as=not_as, has_password=False, trusted_networks=networks)
    return [client], [Note(Kind.KEPT, "mynetworks", why, place)]


def _lets_networks_relay(view: MainCf) -> bool:
    """Whether clients of mynetworks need no AUTH: every list lets them pass, and one by permit_mynetworks."""
    lists = [view.words(name) for name in _RESTRICTIONS]
    return any("permit_mynetworks" in words for words in lists) and not any(_meets_networks(_REFUSALS, lists))


def _meets_networks(restrictions: Set[str], lists: Iterable[Sequence[str]]) -> Iterator[bool]:
    """Whether each of *lists* has one of *restrictions* before it lets clients of mynetworks pass."""
    for words in lists:
        first = next((word for word in words if word in restrictions or word in _PASSES), None)
        yield first in restrictions


def read_passwords(file: Path, read: Callable[[Path], str]) -> tuple[dict[str, tuple[str, ...]], list[Note]]:
    """
    Read a passwd-file of Dovecot, ``NAME:{SCHEME}HASH:...``, or ``NAME:HASH`` lines of an htpasswd file.

    Raises:
        CannotMigrate: A line holds none, or a hash that is not taken; hashes are never quoted.
    """
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    for number, line in enumerate(read(file).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, rest = line.partition(":")
        hashed = _SCHEME.sub("", rest.split(":")[0].strip(), count=1)
        if not colon or not name:
            problems.append(f"{file}:{number}: no NAME:HASH")
        elif why := why_no_hash(hashed):
            problems.append(f"{file}:{number}: {name}: {why}")
        else:
            found.setdefault(name, (hashed,))
    if problems:
        raise CannotMigrate(problems)
    why = "kept in htpasswd; checking them needs pip install 'ses-relay[htpasswd]'"
    return found, [Note(Kind.KEPT, str(file), why)]


def _doors(services: Sequence[Service], views: Sequence[MainCf]) -> tuple[tuple[Door, ...], list[Note]]:
    notes: list[Note] = []
    found: dict[Door, None] = {}
    for address, view in _addresses(services, views):
        tls, require_auth = _tls(view), not _lets_networks_relay(view)
        made, told = door(address, tls, require_auth=require_auth)
        found[made] = None
        notes += told
        if tls == "starttls" and not require_auth and view.get("smtpd_tls_security_level") == "encrypt":
            why = "clients known by their network may send without TLS here"
            notes.append(Note(Kind.DIFFERENT, "smtpd_tls_security_level", f"{address}: {why}"))
        if int(address.rpartition(":")[2]) < 1024:
            why = "a port below 1024: the service needs CAP_NET_BIND_SERVICE, and Postfix must have let go of it"
            notes.append(Note(Kind.TO_DO, address, why))
    return tuple(found), notes


def _addresses(services: Sequence[Service], views: Sequence[MainCf]) -> Iterator[tuple[str, MainCf]]:
    if not services:
        yield "127.0.0.1:25", views[0]
    for service, view in zip(services, views, strict=False):
        host, _, port = service.name.rpartition(":")
        number = _PORTS.get(port, port)
        if not number.isdecimal():
            raise CannotMigrate([f"{service.place}: the port of {service.name!r} is not known: write its number"])
        for each in [host] if host else _interfaces(view):
            yield f"{each}:{number}", view


def _interfaces(view: MainCf) -> list[str]:
    words = view.words("inet_interfaces")
    if "all" in words:
        return ["0.0.0.0"]  # noqa: S104  where Postfix listened
    plain = ["127.0.0.1" if word in {"loopback-only", "localhost"} else word for word in words]
    return [f"[{word}]" if ":" in word and not word.startswith("[") else word for word in plain]


def _certificate(main: MainCf) -> tuple[str, str]:
    chain = main.words("smtpd_tls_chain_files")
    if chain:
        return chain[-1], chain[0]
    certificate = main.get("smtpd_tls_cert_file")
    key = main.get("smtpd_tls_key_file") or certificate
    return ("", "") if certificate in {"", "none"} else (certificate, key)


def _tls(view: MainCf) -> Tls:
    if not _certificate(view)[0]:
        return "off"
    if view.get("smtpd_tls_wrappermode") == _YES:
        return "implicit"
    offered = view.get("smtpd_tls_security_level") in {"may", "encrypt"} or view.get("smtpd_use_tls") == _YES
    return "starttls" if offered else "off"


def _keys(main: MainCf, size: int) -> dict[str, dict[str, object]]:
    keys: dict[str, dict[str, object]] = {}
    if "." in main.get("myhostname"):
        keys["server"] = {"hostname": main.get("myhostname")}
    keys["spool"] = {"url": "sqlite:///var/lib/ses-relay/spool.db", "max_age": _lifetime(main)}
    recipients = main.get("smtpd_recipient_limit")
    most = min(int(recipients), 1000) if recipients.isdecimal() and int(recipients) else 1000
    keys["limits"] = {"message_bytes": size_of(size), "recipients": most}
    return keys


def _lifetime(main: MainCf) -> str:
    """Return the queue's lifetime, whose unit is days where none is written, within what a spool takes."""
    match = re.fullmatch(r"([0-9]+)([smhdw]?)", main.get("maximal_queue_lifetime"))
    if match is None:
        why = f"maximal_queue_lifetime is no time: {main.get('maximal_queue_lifetime')!r}"
        raise CannotMigrate([f"{main.place('maximal_queue_lifetime')}: {why}"])
    seconds = int(match[1]) * {"s": 1, "m": 60, "h": 3600, "w": 7 * 86400}.get(match[2], 86400)
    seconds = min(max(seconds, 60), 30 * 86400)
    return f"{seconds // 86400}d" if seconds % 86400 == 0 else f"{seconds}s"


def _asked(views: Sequence[MainCf]) -> Iterator[Note]:
    """Tell which tables, policy servers and classes restrictions asked: what these refused is refused no longer."""
    asked: dict[str, str] = {}
    for view in views:
        classes = view.words("smtpd_restriction_classes")
        for name in _RESTRICTIONS:
            words = view.words(name)
            for word, what in zip(words, [*words, ""][1:], strict=True):
                if word.startswith("check_"):
                    asked[f"{word} {what}"] = view.place(name)
                elif word in classes:
                    asked[word] = view.place(name)
    why = "is not asked any more: what it refused, policies or allowed_networks of delegates must refuse"
    yield from (Note(Kind.TO_DO, subject, why, place) for subject, place in asked.items())


def _left(main: MainCf) -> Iterator[Note]:
    for name in main.values:
        if name in _LEFT and main.get(name):
            yield Note(Kind.LEFT, name, _LEFT[name], main.place(name))
    others = sorted(name for name in main.values if name not in _LEFT and name not in _READ)
    if others:
        yield Note(Kind.LEFT, ", ".join(others), "not looked at: about what this relay does otherwise, or does not do")


def _always(main: MainCf, clients: Iterable[Client], *, has_hashes: bool) -> Iterator[Note]:
    where = main.place("smtpd_sender_login_maps")
    why = "the author in From is judged, too, where MAIL FROM alone was looked at"
    yield Note(Kind.STRICTER, "smtpd_sender_login_maps", why, where)
    yield Note(
        Kind.DIFFERENT, "queue", "250 means: safe in the spool, as with Postfix; drain Postfix's own queue first"
    )
    why = "what fails after 250 is told by notices from postmaster at the first identity, [notifications]"
    yield Note(Kind.DIFFERENT, "bounces", why)
    yield Note(Kind.STRICTER, "recipients", "mail for local mailboxes and mydestination goes to SES like all other")
    if any(True for _ in clients) and not has_hashes:
        why = "Postfix does not know passwords: fill htpasswd (htpasswd -B htpasswd NAME), or give --passwords FILE"
        yield Note(Kind.TO_DO, "smtpd_sasl_auth_enable", why, main.place("smtpd_sasl_auth_enable"))
