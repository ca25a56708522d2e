"""How a delegate may prove itself, in words for people: never by what."""

from collections.abc import Iterable
from typing import Final

from relay.delegates.entries import Entry
from relay.delegates.networks import ClientNetwork
from relay.words.values import dataclass

_BY_PASSWORD: Final = ("PLAIN", "LOGIN")
_BY_TOKEN: Final = ("OAUTHBEARER", "XOAUTH2")


@dataclass(frozen=True, slots=True)
class Ways:
    """
    One delegate's.

    ``mechanisms``: of AUTH (RFC 4954), that may be right for it. ``allowed_networks``: where AUTH is accepted from,
    from everywhere if empty. ``trusted_networks``: where it needs none.
    """

    mechanisms: tuple[str, ...]
    allowed_networks: tuple[str, ...]
    trusted_networks: tuple[str, ...]


def ways_of(entry: Entry, *, has_password_elsewhere: bool, takes_tokens: bool) -> Ways:
    """Tell of *entry*; the rest is what holds for it beside its own settings."""
    found: list[str] = []
    if entry.credentials or has_password_elsewhere:
        found += _BY_PASSWORD
    if entry.certificates:
        found.append("EXTERNAL")
    if takes_tokens:
        found += _BY_TOKEN
    return Ways(tuple(found), _texts(entry.allowed_networks), _texts(entry.trusted_networks))


def _texts(networks: Iterable[ClientNetwork]) -> tuple[str, ...]:
    return tuple(map(str, networks))
