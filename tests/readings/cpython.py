"""CPython's two readings, by its own parser: the one most programs still get, and the modern one."""

import email.policy
import email.utils
import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from typing import Any

from tests.readings.sight import Field, Sight, sight_of


def compat32(raw: bytes) -> Sight:
    """``message_from_bytes`` and ``getaddresses``, on values unfolded as the standard asks."""
    return sight_of(_fields(raw, email.policy.compat32), _addresses)


def modern(raw: bytes) -> Sight:
    """``policy.default``: each address field is an object with ``addresses``, its value decoded."""
    message = _message(raw, email.policy.default)
    fields = [(name, str(value)) for name, value in message.raw_items() if not _is_address_field(name)]
    fields += [(name, address) for name in set(map(str.lower, message)) for address in _parsed(message, name)]
    return sight_of(((name, _unfolded(value)) for name, value in fields), lambda address: [address])


def _message(raw: bytes, policy: Any) -> Any:
    # The parser looks at Content-Type of its own accord, and raises on some (python/cpython#151857).
    return BytesHeaderParser(policy=policy).parsebytes(re.sub(rb"(?im)^content-type(?=[ \t]*:)", b"X-Kind", raw))


def _fields(raw: bytes, policy: Any) -> Iterator[Field]:
    for name, value in _message(raw, policy).raw_items():
        yield name, _unfolded(str(value))


def _is_address_field(name: str) -> bool:
    return name.lower() in ("from", "sender", "resent-from", "resent-sender")


def _parsed(message: Any, name: str) -> Iterator[str]:
    if _is_address_field(name):
        for field in message.get_all(name):
            yield from (address.addr_spec for address in field.addresses)


def _addresses(value: str) -> list[str]:
    return [address for _, address in email.utils.getaddresses([value])]


def _unfolded(value: str) -> str:
    return value.replace("\r\n", "").strip(" \t")
