"""Addresses and ranges of IpAddress and NotIpAddress: CIDR, IPv4 and IPv6 (IAM User Guide, "Condition operators")."""

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, TypeAlias

from relay.words.patterns import on_demand

#: Family (4 or 6) and number.
IpValue: TypeAlias = tuple[int, int]
#: Family, number under the mask, mask.
Range: TypeAlias = tuple[int, int, int]

_LONGEST: Final = 64
_PREFIX: Final = on_demand(r"0|[1-9][0-9]{0,2}")
_BITS: Final = {4: 32, 6: 128}
_MAPPED: Final = 0xFFFF


@lru_cache(maxsize=1024)
def read_address(text: str) -> IpValue | None:
    """The address *text* spells, or None. A zone (``%eth0``) belongs to no address that a request comes from."""
    if len(text) > _LONGEST or "%" in text:
        return None
    try:
        return (6, int(IPv6Address(text))) if ":" in text else (4, int(IPv4Address(text)))
    except AddressValueError:
        return None


def read_range(text: str) -> Range | None:
    """
    The range *text* spells, or None. A bare address is itself alone (``/32``, ``/128``); host bits behind the prefix
    are let be, since no other range can be meant.
    """
    spelled, slash, prefix = text.partition("/")
    address = read_address(spelled)
    if address is None or (slash and not _PREFIX.fullmatch(prefix)):
        return None
    family, number = address
    bits = _BITS[family]
    length = int(prefix) if slash else bits
    if length > bits:
        return None
    mask = ((1 << length) - 1) << (bits - length)
    return family, number & mask, mask


def mapped_address(address: IpValue) -> IpValue | None:
    """The IPv4 address inside ``::ffff:a.b.c.d``, or None: AWS does not say whether the two are one."""
    family, number = address
    return (4, number & 0xFFFFFFFF) if family == 6 and number >> 32 == _MAPPED else None


def is_within(address: IpValue, network: Range) -> bool:
    """Whether *network* holds *address*; never across families."""
    return address[0] == network[0] and address[1] & network[2] == network[1]
