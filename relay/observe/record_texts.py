"""The JSON of decision records as they are told: made once, for the log and the journal alike."""

import json
from collections.abc import Mapping
from typing import Any, Final

from relay.observe.privacy import AddressHashes

# What is written was built just before, level by level: it holds nothing that holds it.
to_json: Final = json.JSONEncoder(
    default=lambda value: f"<{type(value).__name__}>", separators=(",", ":"), check_circular=False
).encode
_NONE: Final[Mapping[str, Any]] = {}


class RecordTexts:
    """Tells records, addresses plain or hashed. The last one is remembered: all observers hear of it in turn."""

    def __init__(self, hashes: AddressHashes | None = None) -> None:
        self._hashes = hashes
        self._last = _NONE
        self._told = _NONE
        self._text = ""

    def told(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return *record*, its addresses hashed where that is asked for."""
        if record is not self._last:
            self._last = record
            self._told = record if self._hashes is None else self._hashes.fields(record)
            self._text = ""
        return self._told

    def text(self, record: Mapping[str, Any]) -> str:
        """Return the JSON of what is told of *record*, its time first."""
        told = self.told(record)
        if not self._text:
            self._text = to_json({"time": told.get("time"), **told})
        return self._text
