"""Domain names as they go over the wire: A-labels, without a dot at their end."""

from typing import Final

import dns.exception
import dns.name

ROOT: Final = "."


class NameProblem(ValueError):
    """Text that is no domain name; ``str()`` says why."""


def ascii_name(text: str) -> str:
    """
    Return *text*, which may be in any script, in A-labels and lower case (RFC 5891, mapped as UTS 46 does).

    Raises:
        NameProblem: An empty label, one of more than 63 octets, more than 253 in all, or no letters of a name.
    """
    try:
        name = dns.name.from_text(text.strip(), dns.name.root, dns.name.IDNA_2008_Practical)
    except (dns.exception.DNSException, ValueError) as problem:
        raise NameProblem(f"{text!r} is no domain name: {problem}") from None
    if name == dns.name.root:
        raise NameProblem(f"{text!r} is no domain name: it is empty")
    return text_of(name).lower()


def text_of(name: dns.name.Name) -> str:
    """Write *name* without the dot at its end; the root is a dot."""
    return name.to_text(omit_final_dot=True) if name != dns.name.root else ROOT


def parent_of(name: str) -> str:
    """Return *name* without its first label; that of the last label is the root."""
    return name.partition(".")[2] or ROOT


def is_within(name: str, zone: str) -> bool:
    """Whether *name* is *zone* or below it; both in lower case."""
    return zone in (ROOT, name) or name.endswith(f".{zone}")
