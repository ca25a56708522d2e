"""The JSON of decision records as they are told: made once, for the log and the journal alike."""

import json
from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as _quoted
from operator import itemgetter
from typing import Any, Final

from relay.observe.privacy import AddressHashes
from relay.observe.remembered import Remembered

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


class WrittenRecord(Mapping[str, Any]):
    """A whole record that another process wrote: its ``text``, which is read when more is asked than is *at_hand*."""

    __slots__ = ("_fields", "text")

    def __init__(self, text: str, at_hand: Mapping[str, Any]) -> None:
        self.text = text
        self._fields = at_hand

    def _whole(self) -> Mapping[str, Any]:
        if len(self._fields) < len(FIELDS):
            self._fields = {**json.loads(self.text), **self._fields}
        return self._fields

    def __getitem__(self, name: str) -> Any:
        return self._fields[name] if name in self._fields else self._whole()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(FIELDS)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field: as of any mapping, in a fifth of the time."""
        return self._fields[name] if name in self._fields else self._whole().get(name, default)


def text_of(record: Mapping[str, Any]) -> str:
    """Return the JSON of *record*, its time first."""
    if type(record) is WrittenRecord:
        return record.text
    try:
        if len(record) == len(FIELDS):
            return _written(record)
    except KeyError:  # as many, but not these
        pass
    return to_json({"time": record.get("time"), **record})


class _Part(Remembered[tuple[str | None, ...]]):
    """Writes fields that stand next to each other and are the same in many records."""

    def __init__(self, first: str, last: str) -> None:
        names = FIELDS[FIELDS.index(first) : FIELDS.index(last) + 1]
        super().__init__(lambda values: to_json(dict(zip(names, values, strict=True)))[1:-1])
        self.of = itemgetter(*names)


_WHO: Final = _Part("listener", "reverse_path")
_NAMED: Final = _Part("display_name", "rule")
_WHERE: Final = _Part("api", "mode")
_ENDED: Final = _Part("outcome", "reason")


def _written(record: Mapping[str, Any]) -> str:
    """Write a record part by part, at each message: what writes any JSON takes three times as long."""
    roles, repairs, unenforced, octets = record["roles"], record["repairs"], record["unenforced"], record["bytes"]
    recipients = ",".join(map(_quoted, record["recipients"]))
    ses_error, queue_id, traceparent = record["ses_error"], record["queue_id"], record["traceparent"]
    timings = ",".join(
        [f'"{stage}":{"null" if took is None else repr(took)}' for stage, took in record["timings"].items()]
    )
    return (
        f'{{"time":{_quoted(record["time"])},"schema":{record["schema"]},"id":{_quoted(record["id"])}'
        f',"session":{_quoted(record["session"])},{_WHO[_WHO.of(record)]},"recipients":[{recipients}]'
        f',"roles":{roles.text if type(roles) is CommonRows else to_json(roles)},{_NAMED[_NAMED.of(record)]}'
        f',"repairs":{to_json(repairs) if repairs else "[]"},{_WHERE[_WHERE.of(record)]}'
        f',"unenforced":{"null" if unenforced is None else to_json(unenforced)}'
        f',"ses_id":{_text(record["ses_id"])},"ses_error":{"null" if ses_error is None else _quoted(ses_error)}'
        f',"queue_id":{"null" if queue_id is None else _quoted(queue_id)}'
        f',"traceparent":{"null" if traceparent is None else _quoted(traceparent)}'
        f',{_ENDED[_ENDED.of(record)]},"reply":{_reply(record["reply"])}'
        f',"bytes":{"null" if octets is None else octets},"timings":{{{timings}}}}}'
    )


def _reply(reply: Mapping[str, Any]) -> str:
    return f'{{"code":{reply["code"]},"status":{_text(reply["status"])},"text":{_quoted(reply["text"])}}}'


def _text(value: str | None) -> str:
    return "null" if value is None else _quoted(value)


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
