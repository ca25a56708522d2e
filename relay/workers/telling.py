"""Events of a worker as messages of the wire, and back: what happens at each message without pickle, the rest with."""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from relay.observe.events import (
    AuthTried,
    Event,
    Incident,
    Judged,
    JudgementTimed,
    LoopLagged,
    MessageEnded,
    MessageReceived,
    Replied,
    SesCalled,
    SessionClosed,
    SessionOpened,
)
from relay.observe.plain import Reported
from relay.observe.record_texts import CommonRows
from relay.observe.records import MOST_READ
from relay.words.endings import Outcome, Reason
from relay.workers.wire import Message, pickled, unpickled

#: Of words and numbers only; a message says which by its place here.
_PLAIN: Final[tuple[type, ...]] = (
    Replied,
    MessageReceived,
    Judged,
    JudgementTimed,
    SesCalled,
    SessionOpened,
    SessionClosed,
    AuthTried,
    LoopLagged,
)
#: They say the same again and again.
_REPEATED: Final = frozenset(map(_PLAIN.index, (MessageReceived, Judged)))
_ENDED, _INCIDENT, _OTHER = 100, 101, 102
_OUTCOMES: Final = {each.value: each for each in Outcome}
_REASONS: Final = {each.value: each for each in Reason}
#: Repeated events that are remembered; more, and all are forgotten.
_MOST: Final = 4096


def _plain_writer(number: int, kind: type) -> Callable[[Any], Message]:
    names = [each.name for each in fields(kind)]
    read = attrgetter(*names)
    if len(names) == 1:
        return lambda event: (number, read(event))
    return lambda event: (number, *read(event))


def _ended(event: MessageEnded) -> Message:
    record, roles = event.record, event.record.get("roles")
    if type(roles) is CommonRows:  # marshal takes no list that is more than one, and their JSON is there already
        record = {**record, "roles": roles.text}
    return (
        _ENDED,
        event.delegate,
        event.outcome.value,
        event.reason.value,
        event.recipients,
        event.size,
        event.seconds,
        record,
    )


def _incident(event: Incident) -> Message:
    """Of an exception its name and trace travel: it may hold what no other process can make."""
    reported = Reported.of(event.error)
    return (_INCIDENT, event.id, event.session, type(reported).__name__, reported.trace)


_WRITERS: Final[dict[type, Callable[[Any], Message]]] = {
    **{kind: _plain_writer(number, kind) for number, kind in enumerate(_PLAIN)},
    MessageEnded: _ended,
    Incident: _incident,
}


def written(event: Event) -> Message:
    """Return *event* as a message, which begins with a number."""
    write = _WRITERS.get(type(event))
    return (_OTHER, pickled(event)) if write is None else write(event)


class Reader:
    """Makes events of what :func:`written` made of them."""

    def __init__(self) -> None:
        self._known: dict[Message, Event] = {}
        self._rows: dict[str, CommonRows] = {}

    def read(self, message: Message) -> Event:
        """Return the event that *message* tells of."""
        number = message[0]
        if number in _REPEATED:
            return self._known.get(message) or self._remember(message)
        if number < len(_PLAIN):
            event: Event = _PLAIN[number](*message[1:])
            return event
        if number == _ENDED:
            _, delegate, outcome, reason, recipients, size, seconds, record = message
            if type(roles := record.get("roles")) is str:
                record["roles"] = self._rows.get(roles) or self._remember_rows(roles)
            return MessageEnded(delegate, _OUTCOMES[outcome], _REASONS[reason], recipients, size, seconds, record)
        if number == _INCIDENT:
            _, id_, session, name, trace = message
            return Incident(id_, session, Reported.named(name, trace))
        other: Event = unpickled(message[1])
        return other

    def _remember(self, message: Message) -> Event:
        if len(self._known) >= _MOST:
            self._known.clear()
        event: Event = _PLAIN[message[0]](*message[1:])
        self._known[message] = event
        return event

    def _remember_rows(self, text: str) -> CommonRows:
        if len(self._rows) >= MOST_READ:
            self._rows.clear()
        rows = self._rows[text] = CommonRows.read(text)
        return rows
