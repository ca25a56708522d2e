"""
The PROXY protocol, versions 1 and 2: in its first octets a balancer says whose connection it brings (haproxy, "The
PROXY protocol", 2020-03-05).

Read strictly: a header that two readers could understand in two ways chooses an address for somebody.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from relay.smtp.ports import ClientAddress
from relay.words.values import dataclass

#: Octets of the longest header that is read: what senders put into version 2 beside addresses is far shorter.
LONGEST: Final = 4096
#: Whose address the balancer does not know or cannot write: the absence of an address, inside of no network that
#: anybody names, and one client to every limit.
UNNAMED: Final = IPv4Address(0)

_LONGEST_LINE: Final = 107  # with CRLF
_LINE_START: Final = b"PROXY "
_LINE: Final = re.compile(
    rb"PROXY (?:(?P<unknown>UNKNOWN(?: [ -~]*)?)"
    rb"|TCP(?P<family>[46]) (?P<source>[0-9A-Fa-f.:]+) (?P<here>[0-9A-Fa-f.:]+) (?P<port>[0-9]+) (?P<door>[0-9]+))\r\n"
)
_PORT: Final = re.compile(rb"0|[1-9][0-9]{0,4}")

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED: Final = 16
_LOCAL, _PROXY = 0x20, 0x21
#: Of each family and transport over TCP: octets of one address, and of the whole address block.
_STREAMS: Final = {0x11: (4, 12), 0x21: (16, 36), 0x31: (108, 216)}
_UNSPECIFIED, _UNIX = 0x00, 0x31
_CRC32C: Final = 0x03


class ProxyProblem(ValueError):
    """What came is no header of the PROXY protocol, or names nobody that could be a client. ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """
    A whole header of ``length`` octets.

    ``client``: who is being brought; :data:`UNNAMED` when the balancer cannot say; None when nobody is and the balancer
    itself is the client, as for a health check.
    """

    length: int
    client: ClientAddress | None


def read_header(octets: bytes) -> Header | None:
    """
    Read a header at the start of *octets*; None while it is not whole, and then all of *octets* belongs to it.

    Raises:
        ProxyProblem: It is none, or one that is not taken.
    """
    if _SIGNATURE.startswith(octets[: len(_SIGNATURE)]):
        return _read_binary(octets)
    if octets[: len(_LINE_START)] == _LINE_START[: len(octets)]:
        return _read_line(octets)
    raise ProxyProblem("no PROXY header, and one must come first")


def _read_line(octets: bytes) -> Header | None:
    """Read version 1: one line of text."""
    length = octets.find(b"\n", 0, _LONGEST_LINE) + 1
    if not length:
        if len(octets) >= _LONGEST_LINE:
            raise ProxyProblem(f"a line without end in its first {_LONGEST_LINE} octets")
        return None
    match = _LINE.fullmatch(octets, 0, length)
    if match is None:
        raise ProxyProblem("a line of another form than version 1 has")
    if match["unknown"]:
        return Header(length, UNNAMED)
    if not all(_PORT.fullmatch(port) and int(port) <= 65535 for port in (match["port"], match["door"])):
        raise ProxyProblem("a port that is none")
    _address_of(match["here"], match["family"])
    return Header(length, _address_of(match["source"], match["family"]))


def _address_of(text: bytes, family: bytes) -> ClientAddress:
    try:
        return IPv4Address(text.decode()) if family == b"4" else _unmapped(IPv6Address(text.decode()))
    except AddressValueError:
        raise ProxyProblem(f"an address that is none of IPv{family.decode()}") from None


def _unmapped(address: IPv6Address) -> ClientAddress:
    return address.ipv4_mapped or address


def _read_binary(octets: bytes) -> Header | None:
    """Read version 2: sixteen octets, addresses, and what else the sender wanted to say."""
    if len(octets) < _FIXED:
        return None
    command, kind = octets[12], octets[13]
    if command not in (_LOCAL, _PROXY):
        raise ProxyProblem("a version or command that is not known")
    length = _FIXED + int.from_bytes(octets[14:_FIXED], "big")
    if length > LONGEST:
        raise ProxyProblem(f"a header of {length} octets: at most {LONGEST} are read")
    if len(octets) < length:
        return None
    header = octets[:length]
    if command == _LOCAL:  # whatever else it says is to be ignored (section 2.2)
        return Header(length, None)
    if kind == _UNSPECIFIED:
        return Header(length, UNNAMED)
    if kind not in _STREAMS:
        raise ProxyProblem("a family or transport that is not known, or carries no SMTP")
    size, block = _STREAMS[kind]
    if length < _FIXED + block:
        raise ProxyProblem("shorter than its addresses")
    _check_sum(header, _FIXED + block)
    source = header[_FIXED : _FIXED + size]
    if kind == _UNIX:
        return Header(length, UNNAMED)
    return Header(length, IPv4Address(source) if size == 4 else _unmapped(IPv6Address(source)))


def _check_sum(header: bytes, start: int) -> None:
    """
    Walk over what follows the addresses, for a checksum in it.

    Raises:
        ProxyProblem: It has no form, or the sum is wrong.
    """
    while start < len(header):
        end = start + 3 + int.from_bytes(header[start + 1 : start + 3], "big")
        if end > len(header):
            raise ProxyProblem("a part that is longer than the header")
        if header[start] == _CRC32C:
            said, zeroed = header[start + 3 : end], header[: start + 3] + bytes(end - start - 3) + header[end:]
            if said != _crc32c(zeroed).to_bytes(4, "big"):
                raise ProxyProblem("a checksum that is wrong")
        start = end


def _crc32c(octets: bytes) -> int:
    """The checksum of RFC 3720, appendix B.4."""
    value = 0xFFFFFFFF
    for octet in octets:
        value = _CRC_TABLE[(value ^ octet) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _crc_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value


_CRC_TABLE: Final = tuple(map(_crc_entry, range(256)))
