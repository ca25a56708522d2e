"""The JSON of decision records as they are told: made once, for the log and the journal alike."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from relay.observe.privacy import AddressHashes

# What is written was built just before, level by level: it holds nothing that holds it.
to_json: Final = json.JSONEncoder(
    default=lambda value: f"<{type(value).__name__}>", separators=(",", ":"), check_circular=False
).encode
_NONE: Final[Mapping[str, Any]] = {}


class CommonRows(list[dict[str, Any]]):
    """The rows of ``roles`` that many records have in common."""

    __slots__ = ("_text",)

    def __init__(self, rows: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(rows)
        self._text = ""

    @classmethod
    def read(cls, text: str) -> "CommonRows":
        """Return the rows whose JSON is *text*, written by :attr:`text`."""
        rows = cls(json.loads(text))
        rows._text = text
        return rows

    @property
    def text(self) -> str:
        """Their JSON, made once."""
        if not self._text:
            self._text = to_json(self)
        return self._text


def text_of(record: Mapping[str, Any]) -> str:
    """Return the JSON of *record*, its time first. Most of it are the roles: what is known is not made again."""
    roles = record.get("roles")
    if not isinstance(roles, CommonRows):
        return to_json({"time": record.get("time"), **record})
    # The first that looks so is the key: before it there are but texts, and in a text each quote has a backslash.
    before, _, after = to_json({"time": record.get("time"), **record, "roles": 0}).partition('"roles":0')
    return f'{before}"roles":{roles.text}{after}'


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
            self._text = text_of(told)
        return self._text
