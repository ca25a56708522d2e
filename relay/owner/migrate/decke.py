"""decke/smtprelay and its fork by Grafana: the ini file, the variables, and the file of users."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from relay.owner.migrate.model import CannotMigrate, Client, Door, Found, Kind, Note, Tls, Wishes
from relay.owner.migrate.reading import (
    delegate_name,
    door,
    is_large,
    listening,
    read_address_or_domain,
    read_networks,
    region_of,
    renamed,
    say,
    size_of,
    tell,
    trusting,
    why_no_hash,
)
from relay.owner.migrate.regexps import RegexpProblem, within
from relay.owner.statements import Pattern
from relay.words.values import dataclass

PREFIX: Final = "SMTPRELAY_"
#: The delegate of clients that need no AUTH, where it is given no other name.
_NAMELESS: Final = "clients"
_LARGEST: Final = 10240000

#: Keys that say something here; and those that do not, with the reason.
_READ: Final = (
    "hostname",
    "listen",
    "local_cert",
    "local_key",
    "local_forcetls",
    "max_connections",
    "max_message_size",
    "max_recipients",
    "allowed_nets",
    "allowed_sender",
    "allowed_recipients",
    "denied_recipients",
    "allowed_users",
    "remotes",
    "remote_host",
    "log_format",
    "log_level",
)
_LEFT: Final[Mapping[str, str]] = {
    "logfile": "the relay logs to standard output; the service manager keeps it",
    "welcome_msg": "the greeting names the relay",
    "tls_profile": "TLS 1.2 and 1.3 with modern ciphers only",
    "read_timeout": "limits.command_timeout and idle_timeout have defaults of their own",
    "write_timeout": "there is no such limit",
    "data_timeout": "limits.data_timeout has a default of its own, and grows while octets come",
    "aliases_file": "recipients are not rewritten: a policy is asked about the addresses of the message",
    "command": "mail is not piped into programs",
    "strict_sender": "there is one way out, SES; policies say who may send as whom",
    "remote_certificate": "SES is asked by HTTPS with AWS credentials",
    "remote_key": "SES is asked by HTTPS with AWS credentials",
    "remote_user": "SES is asked by HTTPS with AWS credentials",
    "remote_pass": "SES is asked by HTTPS with AWS credentials",
    "remote_auth": "SES is asked by HTTPS with AWS credentials",
    "remote_sender": "return_path of a delegate replaces MAIL FROM, where that is wanted",
    "version": "it is a command of its own: ses-relay --version",
    "config": "named the file that was read",
    "metrics_listen": "admin.address serves /metrics",
    "log_header": "decision records have what was judged",
    "rate_limit_enabled": "delegate.rate is a limit for each delegate",
    "rate_limit_messages_per_second": "delegate.rate counts recipients",
    "rate_limit_burst": "delegate.rate counts recipients",
    "rate_limit_header": "delegate.rate is a limit for each delegate",
    "xoauth2_client_id": "SES is asked by HTTPS with AWS credentials",
    "xoauth2_client_secret": "SES is asked by HTTPS with AWS credentials",
    "xoauth2_token_url": "SES is asked by HTTPS with AWS credentials",
}
_LEVELS: Final = {
    "panic": "error",
    "fatal": "error",
    "error": "error",
    "warn": "warning",
    "warning": "warning",
    "info": "info",
    "debug": "debug",
    "trace": "debug",
}


@dataclass(frozen=True, slots=True)
class _Said:
    """Values by key, and where each stands."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    places: dict[str, str] = field(default_factory=dict)

    def get(self, key: str, default: str = "") -> str:
        return self.values.get(key, default)

    def note(self, kind: Kind, key: str, why: str) -> Note:
        return Note(kind, key, why, self.places.get(key, ""))


def read_decke(
    file: Path | None,
    environ: Mapping[str, str],
    wishes: Wishes,
    read: Callable[[Path], str],
    users: Path | None = None,
) -> Found:
    """
    Read the ini *file* and the ``SMTPRELAY_`` variables, which go before it, and the users that they name, or *users*.

    Raises:
        CannotMigrate: An unknown key, a line that means nothing, or what cannot be said here; with file and line.
        OSError: A file cannot be read.
    """
    said = _said(file, environ, read)
    notes = [said.note(Kind.LEFT, key, _LEFT[key]) for key in said.values if key in _LEFT and said.get(key)]
    named = users or (_beside(file, said.get("allowed_users")) if said.get("allowed_users") else None)
    clients, more = _users(named, read(named)) if named else ([], [])
    notes += more
    bound, not_to, recipients, more = _expressions(said, wishes)
    notes += more
    networks, more = _networks(said, wishes, has_users=bool(named))
    notes += more
    if not named:
        called = wishes.delegate or _NAMELESS
        clients = [Client(delegate_name(called), called=called, has_password=False, trusted_networks=networks)]
    region, return_path, more = _remotes(said)
    notes += more
    whole = tuple(
        replace(
            _bounded(client, bound),
            recipients=recipients,
            not_to=not_to,
            return_path=return_path,
            allowed_networks=networks if client.has_password else (),
        )
        for client in clients
    )
    doors, more = _doors(said, require_auth=bool(named))
    notes += more
    return Found(
        "decke",
        doors,
        whole,
        certificate=_absolute(file, said.get("local_cert")) if _has_tls(doors) else "",
        key=_absolute(file, said.get("local_key")) if _has_tls(doors) else "",
        region=region,
        is_large=is_large(_size(said)),
        keys=_keys(said),
        notes=(*notes, *_always(said, has_users=bool(named))),
    )


def _said(file: Path | None, environ: Mapping[str, str], read: Callable[[Path], str]) -> _Said:
    said = _Said()
    problems: list[str] = []
    lines = [] if file is None else list(_lines(read(file), str(file)))
    variables = [
        (name.removeprefix(PREFIX).lower(), value, name) for name, value in environ.items() if name.startswith(PREFIX)
    ]
    known = {*_READ, *_LEFT}
    for key, value, place in (*lines, *variables):
        if key not in known:
            close = get_close_matches(key, known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            problems.append(f"{place}: {key} is no key of smtprelay{hint}")
        elif value or key == "allowed_nets":  # empty: everybody
            said.values[key], said.places[key] = value, place
    problems += [
        f"{said.places[key]}: {key} is no whole number: {said.get(key)!r}"
        for key in ("max_connections", "max_message_size", "max_recipients")
        if key in said.values and not said.get(key).removeprefix("-").isdecimal()
    ]
    if problems:
        raise CannotMigrate(problems)
    return said


def _lines(text: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield key, value and place of each line; as smtprelay reads them: ``#`` and ``;`` begin comments."""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;[":
            continue
        key, equals, value = line.partition("=")
        plain = value.strip().strip('"') if equals else "true"
        yield key.strip().lstrip("-"), plain.partition(" #")[0].strip(), f"{name}:{number}"


def _users(file: Path, text: str) -> tuple[list[Client], list[Note]]:
    """Read ``NAME HASH [ADDRESS,@DOMAIN,...]`` lines; of two lines for one name the first counts, as it does there."""
    clients: dict[str, Client] = {}
    notes: list[Note] = []
    problems: list[str] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        place = f"{file}:{number}"
        words = raw.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) not in (2, 3):
            problems.append(f"{place}: {len(words)} words, where NAME HASH and perhaps ADDRESSES belong")
            continue
        if why := why_no_hash(words[1]):
            problems.append(f"{place}: {words[0]}: {why}")
            continue
        if words[0].lower() in clients:
            why = "a second line for this name, which smtprelay never looked at"
            notes.append(Note(Kind.LEFT, words[0], why, place))
            continue
        notes += renamed(words[0], place)
        try:
            addresses = _addresses(words[2], place, notes) if len(words) == 3 else None
        except CannotMigrate as problem:
            problems += problem.problems
            continue
        name = delegate_name(words[0])
        clients[words[0].lower()] = Client(name, called=words[0], addresses=addresses, hashes=(words[1],))
        if addresses is None:
            why = "no addresses on its line: any of the identities, as far as allowed_sender goes"
            notes.append(Note(Kind.KEPT, words[0], why, place))
    if problems:
        raise CannotMigrate(problems)
    return list(clients.values()), notes


def _addresses(text: str, place: str, notes: list[Note]) -> tuple[Pattern, ...]:
    found: dict[Pattern, None] = {}
    for each in text.split(","):
        if "@" not in each:
            why = "an address without a domain, which no identity of SES covers"
            notes.append(Note(Kind.LEFT, each or "(empty)", why, place))
            continue
        local, _, domain = each.rpartition("@")
        if local != local.lower():
            why = "upper and lower case were the same; conditions compare the case that is written here"
            notes.append(Note(Kind.STRICTER, each, why, place))
        found[read_address_or_domain(f"{local}@{domain.lower()}", place)] = None
    if not found:
        raise CannotMigrate([f"{place}: none of its addresses has a domain: nobody could send"])
    return tuple(found)


def _expressions(
    said: _Said, wishes: Wishes
) -> tuple[tuple[Pattern, ...], tuple[Pattern, ...], tuple[Pattern, ...], list[Note]]:
    notes: list[Note] = []
    found = []
    for key, option, wished, is_refusal in (
        ("allowed_sender", "--from", wishes.authors, False),
        ("denied_recipients", "--deny-recipients", wishes.not_to, True),
        ("allowed_recipients", "--recipients", wishes.recipients, False),
    ):
        patterns = wished
        if wished and said.get(key):
            notes.append(said.note(Kind.DIFFERENT, key, f"{option} takes its place"))
        elif said.get(key):
            expression = say(said.get(key), f"{said.places[key]}: {key}", option, is_refusal=is_refusal)
            patterns = expression.patterns
            notes += tell(expression, key, said.places[key])
        found.append(patterns)
    return found[0], found[1], found[2], notes


def _bounded(client: Client, bound: tuple[Pattern, ...]) -> Client:
    """Narrow a user's addresses to what every user is bound to."""
    if not bound:
        return client
    try:
        addresses = bound if client.addresses is None else within(client.addresses, bound)
    except RegexpProblem as problem:
        why = f"{client.called} with allowed_sender: {problem}: give --from PATTERN in place of the expression"
        raise CannotMigrate([why]) from None
    if not addresses:
        raise CannotMigrate([f"{client.called}: allowed_sender lets none of its addresses through: remove the user"])
    return replace(client, addresses=addresses)


def _networks(said: _Said, wishes: Wishes, *, has_users: bool) -> tuple[tuple[str, ...], list[Note]]:
    if "allowed_nets" not in said.values:
        return read_networks(["127.0.0.0/8", "::1/128"], "allowed_nets"), [
            Note(Kind.KEPT, "allowed_nets", "unset: loopback, as there")
        ]
    place = said.places["allowed_nets"]
    networks = read_networks(said.get("allowed_nets").split(), f"{place}: allowed_nets")
    if has_users and not networks:
        return (), [said.note(Kind.KEPT, "allowed_nets", "empty: who logs in may come from everywhere")]
    if has_users:
        return networks, [said.note(Kind.KEPT, "allowed_nets", "as allowed_networks of each delegate")]
    if not networks or any(network.endswith("/0") for network in networks):
        return wishes.trust, [trusting(wishes, "allowed_nets")]
    return networks, [said.note(Kind.KEPT, "allowed_nets", "as trusted_networks: who comes from there needs no AUTH")]


def _remotes(said: _Said) -> tuple[str, str, list[Note]]:
    """Return SES's region, the address that replaces MAIL FROM, and what to tell."""
    key = "remotes" if said.get("remotes") else "remote_host"
    notes = []
    regions: dict[str, None] = {}
    return_path = ""
    for text in said.get(key).split():
        parts = urlsplit(text if "://" in text else f"smtp://{text}")
        region = region_of(parts.hostname or "")
        if not region:
            notes.append(said.note(Kind.LEFT, key, f"{parts.hostname}: mail goes to SES only"))
            continue
        regions[region] = None
        return_path = parts.path.lstrip("/") or return_path
        why = f"SES in {region} is asked by HTTPS with AWS credentials; its SMTP user and password are of no use here"
        notes.append(said.note(Kind.DIFFERENT, key, why))
    if len(regions) > 1:
        why = f"{' and '.join(regions)}: smtprelay sent to all; run a relay for each region"
        raise CannotMigrate([f"{said.places[key]}: {key}: {why}"])
    if return_path:
        notes.append(said.note(Kind.KEPT, key, f"{return_path} replaces MAIL FROM, as return_path"))
    return next(iter(regions), ""), return_path, notes


def _doors(said: _Said, *, require_auth: bool) -> tuple[tuple[Door, ...], list[Note]]:
    notes: list[Note] = []
    found = []
    has_certificate = bool(said.get("local_cert") and said.get("local_key"))
    for text in said.get("listen", "127.0.0.1:25 [::1]:25").split():
        scheme, separator, address = text.rpartition("://")
        place = said.places.get("listen", "listen")
        if scheme not in ("", "tls", "starttls"):
            raise CannotMigrate([f"{place}: listen: {text!r}: nothing, tls:// or starttls:// goes before an address"])
        kinds: dict[str, Tls] = {"tls": "implicit", "starttls": "starttls"}
        tls = kinds.get(scheme, "off") if separator else "off"
        if tls != "off" and not has_certificate:
            raise CannotMigrate([f"{place}: listen: {text!r} needs local_cert and local_key"])
        made, more = door(listening(address, place), tls, require_auth=require_auth)
        found.append(made)
        notes += more
        if tls == "starttls" and not require_auth:
            why = "clients known by their network may send without TLS here"
            notes.append(said.note(Kind.DIFFERENT, "listen", f"{text}: {why}"))
    return tuple(dict.fromkeys(found)), notes


def _keys(said: _Said) -> dict[str, dict[str, object]]:
    keys: dict[str, dict[str, object]] = {}
    if said.get("hostname") not in ("", "localhost.localdomain"):
        keys["server"] = {"hostname": said.get("hostname")}
    keys["limits"] = {"message_bytes": size_of(_size(said))}
    connections = int(said.get("max_connections", "100"))
    keys["limits"]["connections"] = connections if connections > 0 else 1_000_000
    keys["log"] = {"format": "json" if said.get("log_format") == "json" else "console"}
    if said.get("log_level").lower() in _LEVELS:
        keys["log"]["level"] = _LEVELS[said.get("log_level").lower()]
    return keys


def _size(said: _Said) -> int:
    return int(said.get("max_message_size", str(_LARGEST)))


def _always(said: _Said, *, has_users: bool) -> list[Note]:
    fifty = "SES takes 50 in a call: more are refused (550 5.5.3) until a spool divides them, delivery.mode"
    author = "the author in From is judged, too, where the envelope was looked at"
    refusal = "who may not send hears 554 5.7.1 and why, where it heard 451"
    return [
        said.note(Kind.STRICTER, "max_recipients", fifty),
        said.note(Kind.STRICTER, "allowed_sender", author),
        said.note(Kind.DIFFERENT, "allowed_sender", refusal),
        *([said.note(Kind.STRICTER, "allowed_users", "names are compared with their case")] if has_users else []),
    ]


def _has_tls(doors: tuple[Door, ...]) -> bool:
    return any(each.tls != "off" for each in doors)


def _beside(file: Path | None, name: str) -> Path:
    return Path(name) if file is None else file.parent / name


def _absolute(file: Path | None, name: str) -> str:
    return str(_beside(file, name).absolute()) if name else ""
