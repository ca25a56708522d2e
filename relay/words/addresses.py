"""Mail addresses as this relay knows them: 7-bit, unquoted, one spelling."""

import re
from enum import Enum
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

LONGEST_LOCAL: Final = 64
LONGEST_DOMAIN: Final = 253
LONGEST_ADDRESS: Final = 254

_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL_AT: Final = r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?>(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*))@"
_ADDRESS = re.compile(rf"{_LOCAL_AT}((?:{_LABEL}\.)+(?![0-9]+$){_LABEL})", re.ASCII)
_ON_A_HOST = re.compile(rf"{_LOCAL_AT}((?![0-9]+$){_LABEL})", re.ASCII)
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)


class Address(NamedTuple):
    """
    A mailbox ``local@domain``: a dot-atom and LDH labels (RFC 5321 section 4.1.2, without quoted strings and literals).

    A tuple, since every message makes some and looks for them in dictionaries: that is quicker than any other value.
    The spelling is kept as it was read. SES compares addresses in conditions case-sensitively (SES Developer Guide,
    "Sending authorization policy examples"), so only :meth:`with_domain_lowered` ever changes it.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    def with_domain_lowered(self) -> "Address":
        """Return the same mailbox, its domain in lower case: domains have no case (RFC 5321 section 2.4)."""
        lowered = self.domain.lower()
        return self if lowered == self.domain else Address(self.local, lowered)


class NullPath(Enum):
    """The null reverse-path ``<>``, which notifications travel under (RFC 5321 section 4.5.5)."""

    NULL = "<>"

    def __str__(self) -> str:
        return "<>"


ReversePath: TypeAlias = Address | Literal[NullPath.NULL]


class AddressProblem(ValueError):
    """Text that is no address of the strict profile. ``str()`` says which rule it breaks, in words for a developer."""


@lru_cache(maxsize=1024)
def parse_address(text: str, *, maybe_on_a_host: bool = False) -> Address:
    """
    Read ``local@domain``, nothing around it.

    At most 64, 253 and 254 octets for local part, domain and whole (RFC 5321 section 4.5.3.1, RFC 3696 errata 1690);
    at least two labels, the last not numeric. *maybe_on_a_host*: one label will do, as in ``www-data@web01``, which no
    identity of SES ever covers.

    Remembered: the same few write all mail, and bring it in twice, as MAIL and as From.

    Raises:
        AddressProblem: Not an address of the strict profile.
    """
    match = _ADDRESS.fullmatch(text) if len(text) <= LONGEST_ADDRESS else None
    if match is None and maybe_on_a_host and len(text) <= LONGEST_ADDRESS:
        match = _ON_A_HOST.fullmatch(text)
    if match is None:
        raise _problem(text)
    local, domain = match.groups()
    if len(local) > LONGEST_LOCAL or len(domain) > LONGEST_DOMAIN or "=?" in local:
        raise _problem(text)
    return Address(local, domain)


def _problem(text: str) -> AddressProblem:
    """Say which rule *text*, which is no address, breaks first."""
    local, at, domain = text.rpartition("@")
    if not text.isascii():
        why = "an address is 7-bit: SES has no SMTPUTF8, write the domain in punycode"
    elif len(text) > LONGEST_ADDRESS:
        why = "an address has at most 254 octets"
    elif not at or not local:
        why = "an address is local@domain"
    elif '"' in text:
        why = "quoted local parts are refused: they are other spellings of an address"
    elif "=?" in local:
        why = "an encoded-word has no place in an address"
    elif len(local) > LONGEST_LOCAL or not _LOCAL.fullmatch(local):
        why = "the local part is at most 64 letters, digits and !#$%&'*+/=?^_`{|}~- with single dots inside"
    elif domain.startswith("["):
        why = "address literals are refused: name a domain"
    elif domain.rpartition(".")[2].isdigit():
        why = "the last label of a domain is not a number"
    else:
        why = "the domain is two or more labels of letters, digits and inner hyphens, 253 octets at most"
    return AddressProblem(why)
