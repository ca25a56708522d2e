"""What DNS servers answer, as values: found, absent, passed on, or no answer at all."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import TypeAlias

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    r"""
    Records of the name and type that was asked for.

    ``values``: hosts and names without a dot at their end; the strings of one TXT record joined, octets that are no
    UTF-8 as ``\xNN``; an MX as ``10 host``, its host ``.`` where it is null. Empty where an authoritative server knows
    no more than an alias. ``aliases``: the CNAMEs that led there, the first being that of the name itself. ``ttl``:
    seconds that are left of it in caches.
    """

    values: tuple[str, ...]
    ttl: int
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """
    An answer that there is nothing: no such name (NXDOMAIN), or a name without records of this type (NODATA).

    ``zone``: whose SOA says so, in lower case, None without one. ``ttl``: how long caches believe it (RFC 2308).
    """

    name_exists: bool
    ttl: int = 0
    zone: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Referral:
    """An authoritative server passes on to those of ``zone``: their hosts, and the addresses it gave with them."""

    zone: str
    hosts: tuple[str, ...]
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Fault(StrEnum):
    """Why there was no answer."""

    SILENT = "silent"  # nothing came in time
    UNREACHABLE = "unreachable"  # the system or the network said so at once
    NO_ROUTE = "no-route"  # this machine has no way there: no IPv6, mostly
    SERVFAIL = "servfail"
    BOGUS = "bogus"  # SERVFAIL by DNSSEC: without validation there is an answer
    REFUSED = "refused"
    LAME = "lame"  # it is named as a server of the zone and does not serve it
    GARBLED = "garbled"  # an answer that cannot be read, or a code nobody expects


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer that says anything about the name. ``why`` is a sentence's end, for people."""

    fault: Fault
    why: str


Answer: TypeAlias = Found | Absent | Referral | Trouble
