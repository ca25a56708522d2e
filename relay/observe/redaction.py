"""Parts of decision records that the journal is not to keep: left out, also where a sentence quotes them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from relay.observe.record_texts import RecordTexts, text_of

#: The fields of a record that each word of ``journal.redact`` empties.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "recipients": ("recipients",),
    "display_name": ("display_name", "display_name_raw"),
    "client": ("client",),
}
#: What stands in a sentence in place of what was left out.
MARK: Final = "[redacted]"
#: The fields that hold sentences, wherever in a record.
_SENTENCES: Final = frozenset({"text", "why", "chosen", "ses_error"})
#: Values that are shorter could stand in a sentence by chance.
_SHORTEST: Final = 3


class RedactedTexts(RecordTexts):
    """Tells records as *texts* does, without what the words *parts* name; ``redacted`` in the record names those."""

    def __init__(self, texts: RecordTexts, parts: Sequence[str]) -> None:
        super().__init__()
        self._texts = texts
        self._parts = tuple(parts)

    def told(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return *record* without them."""
        if record is not self._last:
            self._told = redact(self._texts.told(record), self._parts)
            self._last, self._text = record, ""
        return self._told

    def text(self, record: Mapping[str, Any]) -> str:
        """Return the JSON of what is told, its time first."""
        told = self.told(record)
        if not self._text:
            self._text = text_of(told)
        return self._text


def redact(record: Mapping[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    """Return *record* without what *parts* name."""
    names = {name for part in parts for name in FIELDS[part]}
    quotable = {text for name in names for text in _texts(record.get(name)) if len(text) >= _SHORTEST}
    longest_first = sorted(quotable, key=len, reverse=True)
    kept = {
        name: _emptied(value) if name in names else _unquoted(name, value, longest_first)
        for name, value in record.items()
    }
    return {**kept, "redacted": list(parts)}


def _emptied(value: object) -> object:
    return [] if isinstance(value, list | tuple) else "" if isinstance(value, str) else None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        yield from (each for each in value if isinstance(each, str))


def _unquoted(name: str, value: object, quotable: Collection[str]) -> Any:
    """Return *value*; in sentences, with a mark in place of each of *quotable*."""
    if isinstance(value, Mapping):
        return {inner: _unquoted(inner, each, quotable) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_unquoted(name, each, quotable) for each in value]
    if isinstance(value, str) and name in _SENTENCES:
        for text in quotable:
            value = value.replace(text, MARK)
    return value
