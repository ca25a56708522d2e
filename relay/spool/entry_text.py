"""
What an entry is at rest, as JSON, beside the columns that an engine looks entries up by.

The judge must see the same values after a crash as before it, so the reader is strict: exactly the keys that are
written, each of its type.
"""

import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from relay.spool.entries import Batch, Entry, Kind, State
from relay.spool.problems import EntryProblem
from relay.words.addresses import NullPath, parse_address
from relay.words.endings import Reason
from relay.words.transactions import Envelope, Session

_T = TypeVar("_T")
_Fields: TypeAlias = dict[str, Any]

_SESSION: Final = ("id", "listener", "client", "helo", "protocol", "delegate")
_BATCH: Final = ("recipients", "ses_id", "refused")
_COUNTERS: Final = ("attempts", "crashes", "maybe")
_KEYS: Final = frozenset(
    {"session", "mail_from", "recipients", "kind", "batches", "reason", "last", "details", *_COUNTERS}
)


class Columns(NamedTuple):
    """The fields of an entry that are kept apart from its text: nothing is kept twice, so nothing can disagree."""

    id: str
    state: str
    delegate: str
    due_at: float
    accepted_at: float
    size: int
    version: int


def columns_of(entry: Entry) -> Columns:
    """Take from *entry* what engines look it up by."""
    return Columns(
        entry.id,
        entry.state.value,
        entry.delegate,
        float(entry.due_at),
        float(entry.accepted_at),
        entry.size,
        entry.version,
    )


def write_entry(entry: Entry) -> str:
    """Write what is not in the columns, as one line of ASCII; written out, for every message is kept with one."""
    session, envelope = entry.session, entry.envelope
    recipients = ",".join([_quoted(str(each)) for each in envelope.forward_paths])
    details = ",".join([f"{_quoted(name)}:{_quoted(value)}" for name, value in entry.details.items()])
    return (
        f'{{"session":{{"id":{_quoted(session.id)},"listener":{_quoted(session.listener)}'
        f',"client":{_quoted(session.client)},"helo":{_quoted(session.helo)},"protocol":{_quoted(session.protocol)}}}'
        f',"mail_from":{_quoted(str(envelope.reverse_path))},"recipients":[{recipients}],"kind":{_quoted(entry.kind)}'
        f',"batches":[{",".join(map(_written, entry.batches))}],"reason":{_quoted(entry.reason)}'
        f',"last":{_quoted(entry.last)},"details":{{{details}}}'
        f',"attempts":{entry.attempts},"crashes":{entry.crashes},"maybe":{entry.maybe}}}'
    )


def _written(batch: Batch) -> str:
    recipients = ",".join(map(_quoted, batch.recipients))
    return f'{{"recipients":[{recipients}],"ses_id":{_or_null(batch.ses_id)},"refused":{_or_null(batch.refused)}}}'


def _or_null(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def read_entry(columns: Columns, text: str) -> Entry:
    """
    Read what was written.

    Raises:
        EntryProblem: It is not what this module writes.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise EntryProblem("the entry is no JSON") from None
    fields = _table(fields, _KEYS)
    try:
        return _entry(columns, fields)
    except EntryProblem:
        raise
    except (ValueError, TypeError):  # an address or a word that is none of ours
        raise EntryProblem("a field of the entry has a value it cannot have") from None


def _entry(columns: Columns, fields: _Fields) -> Entry:
    session = _table(fields["session"], frozenset(_SESSION) - {"delegate"})
    return Entry(
        id=columns.id,
        session=Session(**{name: _one(value, str) for name, value in session.items()}, delegate=columns.delegate),
        envelope=_envelope(columns.id, fields),
        accepted_at=columns.accepted_at,
        size=columns.size,
        batches=tuple(_each(fields["batches"], _batch)),
        kind=Kind(fields["kind"]),
        state=State(columns.state),
        due_at=columns.due_at,
        reason=Reason(fields["reason"]),
        last=_one(fields["last"], str),
        details={name: _one(value, str) for name, value in _one(fields["details"], dict).items()},
        version=columns.version,
        **{name: _one(fields[name], int) for name in _COUNTERS},
    )


def _envelope(name: str, fields: _Fields) -> Envelope:
    reverse_path = _one(fields["mail_from"], str)
    mail_from = NullPath.NULL if reverse_path == "<>" else parse_address(reverse_path, maybe_on_a_host=True)
    recipients = _each(fields["recipients"], lambda one: parse_address(_one(one, str), maybe_on_a_host=True))
    return Envelope(mail_from, tuple(recipients), name)


def _batch(value: object) -> Batch:
    fields = _table(value, frozenset(_BATCH))
    recipients = _each(fields["recipients"], lambda one: _one(one, str))
    return Batch(tuple(recipients), _text_or_none(fields["ses_id"]), _text_or_none(fields["refused"]))


def _table(value: object, keys: frozenset[str]) -> _Fields:
    table = _one(value, dict)
    if table.keys() != keys:
        raise EntryProblem("a part of the entry has other fields than this version of ses-relay writes")
    return table


def _each(value: object, read: Callable[[object], _T]) -> list[_T]:
    return [read(one) for one in _one(value, list)]


def _text_or_none(value: object) -> str | None:
    return None if value is None else _one(value, str)


def _one(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise EntryProblem("a field of the entry is of another type than this version of ses-relay writes")
    return value
