"""Mail addresses out of log lines: a keyed hash in the place of each, the same for the same address."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

from relay.words.patterns import on_demand

#: Anything in a text that could be read as an address, generously: a quoted or bare local part, a domain or literal.
_ADDRESS = on_demand(
    r"""(?P<arn>(?<![^:\s])identity/)?
    (?P<address>(?:"[^"]*"|[^\s<>()\[\],;:"'`@][^\s<>()\[\],;:"@]*)@(?:\[[^\]\s]*\]|[^\s<>()\[\],;:"'`/@]+))""",
    re.VERBOSE,
)
#: Fields that are an address or a person's name as a whole.
_PERSONAL: Final = frozenset({"reverse_path", "recipients", "address", "display_name", "display_name_raw"})
_NULL_PATH: Final = "<>"
_TRAILING: Final = ".!?"
_DEEPEST: Final = 20


class AddressHashes:
    """
    Replaces addresses by ``hash:`` and 16 hexadecimal digits of an HMAC-SHA-256 under *key*.

    Wherever an address stands: in a field, a reply's text or an identity's ARN. Without the key nobody can try
    addresses; with it, ``hash(address)`` finds the lines of one. Domains compare without case.
    """

    def __init__(self, key: bytes) -> None:
        if not key:
            raise ValueError("hashed addresses need a key: without one anybody could try addresses")
        self._key = key

    def hash(self, address: str) -> str:
        """Return what stands in the log for *address*."""
        local, at, domain = address.rpartition("@")
        spelling = local + at + domain.lower()
        digest = hmac.digest(self._key, spelling.encode("utf-8", "surrogateescape"), hashlib.sha256)
        return f"hash:{digest[:8].hex()}"

    def text(self, text: str) -> str:
        """Return *text* with every address in it hashed."""
        return _ADDRESS.sub(self._replace, text) if "@" in text else text

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return *fields* with every address in them hashed, keys and nested values included."""
        return {self.text(name): self._field(name, value, _DEEPEST) for name, value in fields.items()}

    def _field(self, name: str, value: object, depth: int) -> object:
        if name not in _PERSONAL:
            return self._value(value, depth)
        if isinstance(value, str):
            return value if value == _NULL_PATH else self.hash(value)
        if isinstance(value, list | tuple):
            return [self._field(name, item, depth) for item in value]
        return self._value(value, depth)

    def _value(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping) and depth:
            return {self.text(str(name)): self._field(str(name), item, depth - 1) for name, item in value.items()}
        if isinstance(value, list | tuple) and depth:
            return [self._value(item, depth - 1) for item in value]
        return value

    def _replace(self, found: re.Match[str]) -> str:
        address = found["address"].rstrip(_TRAILING)
        return (found["arn"] or "") + self.hash(address) + found["address"][len(address) :]
