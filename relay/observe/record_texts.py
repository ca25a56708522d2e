"""The JSON of decision records as they are told: made once, for the log and the journal alike."""

import json
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final

from relay.observe.privacy import AddressHashes

# What is written was built just before, level by level: it holds nothing that holds it.
to_json: Final = json.JSONEncoder(
    default=lambda value: f"<{type(value).__name__}>", separators=(",", ":"), check_circular=False
).encode
#: The fields of a record as :func:`relay.observe.records.make_record` gives them, in this order.
FIELDS: Final = (
    *("schema", "id", "time", "session", "listener", "client", "delegate", "principal", "reverse_path", "recipients"),
    *("roles", "display_name", "display_name_raw", "rule", "repairs", "api", "region", "account", "mode", "unenforced"),
    *("ses_id", "ses_error", "queue_id", "traceparent", "outcome", "reason", "reply", "bytes", "timings"),
)
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
    """Return the JSON of *record*, its time first."""
    if tuple(record) == FIELDS:
        return _written(record)
    return to_json({"time": record.get("time"), **record})


def _written(of: Mapping[str, Any]) -> str:
    """Write a record field by field, at each message: what writes any JSON takes three times as long."""
    roles, repairs, unenforced, reply = of["roles"], of["repairs"], of["unenforced"], of["reply"]
    timings = ",".join([f'"{name}":{_number(seconds)}' for name, seconds in of["timings"].items()])
    return (
        f'{{"time":{_quoted(of["time"])},"schema":{of["schema"]},"id":{_quoted(of["id"])}'
        f',"session":{_quoted(of["session"])},"listener":{_quoted(of["listener"])},"client":{_quoted(of["client"])}'
        f',"delegate":{_quoted(of["delegate"])},"principal":{_text(of["principal"])}'
        f',"reverse_path":{_text(of["reverse_path"])},"recipients":[{",".join(map(_quoted, of["recipients"]))}]'
        f',"roles":{roles.text if type(roles) is CommonRows else to_json(roles)}'
        f',"display_name":{_text(of["display_name"])},"display_name_raw":{_text(of["display_name_raw"])}'
        f',"rule":{_text(of["rule"])},"repairs":{to_json(repairs) if repairs else "[]"},"api":{_text(of["api"])}'
        f',"region":{_text(of["region"])},"account":{_text(of["account"])},"mode":{_text(of["mode"])}'
        f',"unenforced":{"null" if unenforced is None else to_json(unenforced)}'
        f',"ses_id":{_text(of["ses_id"])},"ses_error":{_text(of["ses_error"])},"queue_id":{_text(of["queue_id"])}'
        f',"traceparent":{_text(of["traceparent"])}'
        f',"outcome":{_quoted(of["outcome"])},"reason":{_quoted(of["reason"])}'
        f',"reply":{{"code":{reply["code"]},"status":{_text(reply["status"])},"text":{_quoted(reply["text"])}}}'
        f',"bytes":{_number(of["bytes"])}'
        f',"timings":{{{timings}}}}}'
    )


def _text(value: str | None) -> str:
    return "null" if value is None else _quoted(value)


def _number(value: float | None) -> str:
    return "null" if value is None else repr(value)


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
