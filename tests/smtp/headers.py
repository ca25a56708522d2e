"""PROXY headers as balancers write them."""

import struct
from ipaddress import ip_address

from relay.smtp.proxy import _crc32c

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
UNSPECIFIED, TCP4, UDP4, TCP6, UNIX = 0x00, 0x11, 0x12, 0x21, 0x31
CHECKSUM, NOOP, AUTHORITY = 0x03, 0x04, 0x02


def line(client: str, here: str = "192.0.2.25") -> bytes:
    """Version 1."""
    address = ip_address(client)
    here = here if address.version == 4 else "2001:db8::25"
    return f"PROXY TCP{address.version} {client} {here} 50000 25\r\n".encode()


def part(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + struct.pack("!H", len(value)) + value


def binary(client: str = "", *, command: int = 1, family: int | None = None, rest: bytes = b"") -> bytes:
    """Version 2: with the addresses of *client*, or with *rest* alone."""
    block = b""
    if client:
        address = ip_address(client)
        here = ip_address("192.0.2.25" if address.version == 4 else "2001:db8::25")
        family = family if family is not None else (TCP4 if address.version == 4 else TCP6)
        block = address.packed + here.packed + struct.pack("!HH", 50000, 25)
    return framed(command, family or UNSPECIFIED, block + rest)


def framed(command: int, family: int, payload: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(payload)) + payload


def summed(client: str, *, wrong: bool = False) -> bytes:
    """Version 2 with a checksum."""
    zeroed = binary(client, rest=part(NOOP, b"xyz") + part(CHECKSUM, bytes(4)))
    value = (_crc32c(zeroed) + wrong) & 0xFFFFFFFF
    return zeroed[:-4] + value.to_bytes(4, "big")
