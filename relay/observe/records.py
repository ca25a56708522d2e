"""
The decision record: everything that is kept of one message. Log lines, and whatever judges yesterday's mail again, read
this one form (docs/reference/decision-record.md; decision-record.schema.json beside this file).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard

from relay.judgement.verdicts import Mode, Role, Verdict
from relay.observe.labels import REPAIRS
from relay.observe.record_texts import CommonRows
from relay.observe.remembered import Remembered
from relay.observe.stamps import rounded, stamp
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session

SCHEMA_VERSION: Final = 3
#: Characters of one text, items of one list: bounds of the schema, far above what an honest message needs.
LONGEST_TEXT: Final = 4096
LONGEST_LIST: Final = 1000
MOST_ROLES: Final = 8
#: Tuples of roles that are not read again; one more, and all are forgotten.
MOST_READ: Final = 256
#: Seconds: a year. Anything longer, or no number at all, is a mistake of the clock.
LONGEST_SPAN: Final = 31_622_400.0
APIS: Final = frozenset({"ses:SendRawEmail", "ses:SendEmail"})
_ROLES: Final = frozenset(role.value for role in Role)
_VERDICTS: Final = frozenset(verdict.value for verdict in Verdict)
_MODES: Final = frozenset(mode.value for mode in Mode)
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)
_LISTS: Final = frozenset({list, tuple})
_TIMING = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)


class Recorder:
    """
    :func:`make_record` as the street door calls it, with what the door does not know: the time and the principals.

    ``clock`` tells seconds since the epoch; ``principal_of`` maps the name of a delegate, or ``-``, to what it is to
    AWS, or None.
    """

    def __init__(self, *, clock: Callable[[], float], principal_of: Callable[[str], str | None]) -> None:
        self._clock = clock
        self._principal_of = principal_of

    def __call__(
        self,
        *,
        session: Session,
        envelope: Envelope | None,
        ending: Ending,
        size: int | None,
        seconds: float,
        message_id: str,
    ) -> dict[str, Any]:
        """Return the record; ``envelope`` is None when MAIL named no reverse-path that could be read."""
        return make_record(
            id=message_id,
            time=self._clock(),
            session=session,
            principal=self._principal_of(session.delegate),
            reverse_path=None if envelope is None else str(envelope.reverse_path),
            recipients=[] if envelope is None else list(map(str, envelope.forward_paths)),
            ending=ending,
            size=size,
            seconds=seconds,
        )


def make_record(  # noqa: PLR0913  the record's own fields, given by name
    *,
    id: str,  # noqa: A002  the record's own word
    time: float,
    session: Session,
    principal: str | None,
    reverse_path: str | None,
    recipients: Sequence[str],
    ending: Ending,
    size: int | None,
    seconds: float,
) -> dict[str, Any]:
    """
    Put together the record of one message, as far as it came; JSON-ready and valid under the schema.

    Args:
        id: Of the decision: in the reply, in the Received field and here. Not empty.
        time: When the message ended, in seconds since the epoch.
        session: Its ``delegate`` is ``-`` before AUTH.
        principal: The ARN, account or service that the delegate is to AWS.
        reverse_path: The address of MAIL, ``<>`` for the null reverse-path, None when MAIL had no readable one.
        recipients: The accepted addresses of RCPT.
        ending: Its ``facts`` fill the fields that only the later steps of the walk know. What is no field of the
            record, or not of its type, is left out: a record is never the reason why mail fails.
        size: Octets of DATA, None when none came.
        seconds: From MAIL to the reply that ended the message.
    """
    facts = ending.facts
    record = {
        "schema": SCHEMA_VERSION,
        "id": id,
        "time": stamp(time),
        "session": session.id,
        "listener": _known[session.listener],
        "client": _known[session.client],
        "delegate": _known[session.delegate],
        "principal": _word(principal),
        "reverse_path": _word(reverse_path),
        "recipients": list(map(_cut, recipients[:LONGEST_LIST])),
        **_NO_FACTS,
        "outcome": ending.outcome._value_,  # as value, in a tenth of the time
        "reason": ending.reason._value_,
        "reply": _reply(ending.reply),
        "bytes": None if size is None else max(0, size),
        "timings": _timings(facts.get("timings"), seconds),
    }
    for name, value in facts.items():
        if value is not None and name in _FACTS:
            record[name] = _FACTS[name](value)
    return record


# Nearly all that is looked at is None, a short text of ASCII, a list or a dict: these are told first. The checks for
# the abstract types alone would take a third of the time of a record.


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT and text.isascii():
        return text
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no JSON to most readers
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "..."


_known: Final = Remembered(_cut)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return _cut(value) if isinstance(value, str) else None


def _word(value: object) -> str | None:
    return _known[value] if type(value) is str else _text(value)


def _texts(value: object) -> list[str]:
    if not value or not _is_list(value):
        return []
    return [_cut(item) for item in value[:LONGEST_LIST] if isinstance(item, str)]


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return type(value) in _LISTS or (isinstance(value, Sequence) and not isinstance(value, str))


def _is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return type(value) is dict or isinstance(value, Mapping)


def _one_of(words: frozenset[str]) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in words else None


def _reply(reply: Reply) -> dict[str, Any]:
    return {"code": reply.code, "status": reply.status or None, "text": _cut(reply.text)}


def _unenforced(value: object) -> dict[str, Any] | None:
    if value is None or not _is_mapping(value):
        return None
    code, status, text = value.get("code"), _text(value.get("status")), _text(value.get("text"))
    if isinstance(code, bool) or not isinstance(code, int) or not 400 <= code < 600 or text is None:
        return None
    return {"code": code, "status": status if status and _STATUS.fullmatch(status) else None, "text": text}


def _seconds(value: object) -> float | None:
    if type(value) is float and 0.0 < value < LONGEST_SPAN:
        return rounded(value, 1e6)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value < LONGEST_SPAN:
        return None
    return round(float(max(0, value)), 6)


def _timings(value: object, total: float) -> dict[str, float | None]:
    known: dict[str, float | None] = {"judgement": None, "ses": None}
    if _is_mapping(value):
        for name, spent in value.items():
            if name in known or _is_timing(name):
                known[name] = _seconds(spent)
    known["total"] = _seconds(total) or 0.0
    return known


def _is_timing(name: object) -> bool:
    return isinstance(name, str) and _TIMING.fullmatch(name) is not None


def _roles(value: object) -> list[dict[str, Any]]:
    if not value or not _is_list(value):
        return []
    return _READ.of(value) if type(value) is tuple else _roles_of(value)


def _roles_of(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [_role(row) for row in rows[:MOST_ROLES] if _is_mapping(row) and _is_role(row)]


class _Read:
    """Rows of roles that were read before: the walk makes one tuple for all messages of a remembered judgement."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[tuple[Any, ...], CommonRows]] = {}

    def of(self, rows: tuple[Any, ...]) -> CommonRows:
        """Return what is read of *rows*, the same list for the same tuple; nobody changes it."""
        known = self._read.get(id(rows))
        if known is not None:
            return known[1]
        if len(self._read) >= MOST_READ:
            self._read.clear()
        read = CommonRows(_roles_of(rows))
        self._read[id(rows)] = rows, read  # kept with its list: its number stays its own
        return read


_READ: Final = _Read()


def _is_role(row: Mapping[str, Any]) -> bool:
    return row.get("role") in _ROLES and row.get("verdict") in _VERDICTS and isinstance(row.get("address"), str)


def _role(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "role": row["role"],
        "address": _cut(row["address"]),
        "identity": _text(row.get("identity")),
        "chosen": _text(row.get("chosen")) or "",
        "named": _named(row.get("named")),
        "agreeing": _texts(row.get("agreeing")),
        "digests": _texts(row.get("digests")),
        "verdict": row["verdict"],
        "deciding": _texts(row.get("deciding")),
        "why": _text(row.get("why")),
    }


def _named(value: object) -> dict[str, str] | None:
    if value is None or not _is_mapping(value):
        return None
    by, arn = _text(value.get("by")), _text(value.get("arn"))
    return None if by is None or arn is None else {"by": by, "arn": arn}


#: Fields that come from ``Ending.facts``, each with its reading: anything that is not of its type becomes null.
_FACTS: Final[Mapping[str, Callable[[object], Any]]] = {
    "roles": _roles,
    "display_name": _text,
    "display_name_raw": _text,
    "rule": _text,
    "repairs": lambda value: [kind for kind in dict.fromkeys(_texts(value)) if kind in REPAIRS] if value else [],
    "api": _one_of(APIS),
    "region": _word,
    "account": _word,
    "mode": _one_of(_MODES),
    "unenforced": _unenforced,
    "ses_id": _text,
    "ses_error": _text,
    "queue_id": _text,
    "traceparent": _text,
}
#: What is told where nothing is known; its lists are nobody's to change.
_NO_FACTS: Final = {name: read(None) for name, read in _FACTS.items()}
