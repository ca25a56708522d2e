"""What the readers of peers share: names, addresses to listen on, networks, hashes, and files that hold lines. Pure."""

import re
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final

from relay.owner.migrate.model import CannotMigrate, Door, Kind, Note, Tls, Wishes
from relay.owner.migrate.regexps import RegexpProblem, Said, say_allowed, say_refused
from relay.owner.statements import Pattern, PatternProblem, read_pattern
from relay.words.apis import ADDED, MOST_ENCODED, Api
from relay.words.hashes import crypt_form, is_argon2

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]+", re.ASCII)
_SES_HOST: Final = re.compile(r"email-smtp(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?", re.ASCII)
_LONGEST_NAME: Final = 64
_LARGEST: Final = 29 << 20
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104  where the peer listened


def delegate_name(called: str) -> str:
    """Return the name that a delegate may have for what the peer calls a user."""
    return _NOT_IN_NAMES.sub("-", called).strip("-")[:_LONGEST_NAME] or "client"


def renamed(called: str, place: str = "") -> tuple[Note, ...]:
    """Tell that a user must log in under another name, where that is so."""
    name = delegate_name(called)
    if name == called:
        return ()
    why = f"a delegate's name has letters, digits, - and _ only: this client must log in as {name}"
    return (Note(Kind.TO_DO, called, why, place),)


def region_of(host: str) -> str:
    """Return the region of an SMTP endpoint of SES; empty for another host."""
    found = _SES_HOST.fullmatch(host.strip("[]").lower())
    return found[1] if found else ""


def read_networks(texts: Iterable[str], what: str) -> tuple[str, ...]:
    """
    Read addresses and networks, one each.

    Raises:
        CannotMigrate: What is none; every one is told.
    """
    found, problems = [], []
    for text in texts:
        try:
            network = ip_network(text.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            problems.append(f"{what}: {text!r} is no address or network")
            continue
        found.append(str(network.network_address) if network.num_addresses == 1 else str(network))
    if problems:
        raise CannotMigrate(problems)
    return tuple(dict.fromkeys(found))


def listening(text: str, what: str) -> str:
    """
    Return ``HOST:PORT`` for an address as Go programs take it, whose host may be missing: every address of the machine.

    Raises:
        CannotMigrate: No such address.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise CannotMigrate([f"{what}: {text!r} is no address to listen on: HOST:PORT"])
    return f"{_EVERYWHERE if host in ('', '*') else host}:{port}"


def door(address: str, tls: Tls, *, require_auth: bool) -> tuple[Door, tuple[Note, ...]]:
    """Return the listener; one where passwords would travel in clear over a network listens on loopback instead."""
    made = Door(address, tls, require_auth)
    if tls != "off" or made.is_loopback or not require_auth:
        return made, _both_families(made)
    moved = f"127.0.0.1:{address.rpartition(':')[2]}"
    why = (
        f"there is no TLS, and passwords do not travel in clear over a network: it listens on {moved} only, until "
        '[tls] names a certificate and the listener says tls = "starttls"'
    )
    return Door(moved, tls, require_auth), (Note(Kind.STRICTER, address, why),)


def _both_families(made: Door) -> tuple[Note, ...]:
    if not made.address.startswith(f"{_EVERYWHERE}:"):
        return ()
    other = f"[::]:{made.address.rpartition(':')[2]}"
    return (Note(Kind.DIFFERENT, made.address, f"IPv4 only: for IPv6 add a [[listener]] on {other}"),)


def why_no_hash(text: str) -> str:
    """Say why a password's hash cannot be kept; empty where it can. The hash is not quoted."""
    if is_argon2(text) or crypt_form(text) is not None:
        return ""
    if text.startswith("$2"):
        return "a bcrypt hash that is cut off, malformed or of a cost above 14"
    return "no hash that is taken: bcrypt, SHA-crypt, yescrypt or argon2"


def size_of(octets: int) -> str:
    """Return the size of the largest message as relay.toml has it: no more than SES takes, 40 MB in base64."""
    return f"{max(1, min(octets, _LARGEST) // 1024)}KiB"


def is_large(octets: int) -> bool:
    """Whether messages of that size need v2 ``SendEmail``, and policies its action."""
    return octets > MOST_ENCODED[Api.RAW] // 4 * 3 - ADDED


def say(expression: str, subject: str, instead: str, *, is_refusal: bool = False) -> Said:
    """
    Say a regular expression of the peer with wildcards; *instead* is the option that takes its place.

    Raises:
        CannotMigrate: Wildcards cannot say it.
    """
    try:
        return (say_refused if is_refusal else say_allowed)(expression)
    except RegexpProblem as problem:
        why = f"policies have the wildcards * and ? only: give {instead} PATTERN, as often as there are patterns"
        raise CannotMigrate([f"{subject} {expression!r}: {problem}; {why}"]) from None


def tell(said: Said, subject: str, place: str = "") -> tuple[Note, ...]:
    """Tell how an expression was said, and what of it is not the same."""
    texts = ", ".join(pattern.text for pattern in said.patterns)
    return (
        Note(Kind.KEPT, subject, f"as {texts}", place),
        *(Note(Kind.STRICTER, subject, remark, place) for remark in said.remarks),
    )


def read_address_or_domain(text: str, place: str) -> Pattern:
    """
    Read an address, or ``@domain``.

    Raises:
        CannotMigrate: Neither, or one that only a pattern could mean.
    """
    try:
        pattern = read_pattern(text)
    except PatternProblem as problem:
        raise CannotMigrate([f"{place}: {problem}"]) from None
    if set("*?") & set(text):
        raise CannotMigrate([f"{place}: {text!r}: * and ? are letters there, and wildcards in policies"])
    return pattern


def trusting(wishes: Wishes, subject: str) -> Note:
    """Tell that clients without AUTH must come from somewhere."""
    why = (
        f"anybody who could connect could send: now clients without AUTH come from {', '.join(wishes.trust)}, "
        "and others must be delegates with passwords; --trust names other networks"
    )
    return Note(Kind.STRICTER, subject, why)
