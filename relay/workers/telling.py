"""
Events of a worker as messages of the wire, and back: what happens at each message without pickle, the rest with.

What is said again and again is said once and then by its number. Both ends number alike: in the order of what was said
first, and from the beginning again after so many.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter, itemgetter
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
from relay.observe.record_texts import FIELDS, CommonRows, WrittenRecord, text_of
from relay.words.endings import Outcome, Reason
from relay.workers.sums import Sums
from relay.workers.wire import Message, Wire, pickled, unpickled

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
_REPEATED: Final = (MessageReceived, Judged)
_LEARNED: Final = frozenset(map(_PLAIN.index, _REPEATED))
_REPLIED: Final = _PLAIN.index(Replied)
_ENDED, _INCIDENT, _OTHER, _AGAIN = 100, 101, 102, 103
_OUTCOMES: Final = {each.value: each for each in Outcome}
_REASONS: Final = {each.value: each for each in Reason}
#: What is looked at of each record, and differs.
_own: Final = itemgetter("id", "time", "ses_id", "unenforced")
#: Numbers that are given; one more, and both ends forget all.
MOST: Final = 512


def _plain_writer(number: int, kind: type) -> Callable[[Any], Message]:
    names = [each.name for each in fields(kind)]
    read = attrgetter(*names)
    if len(names) == 1:
        return lambda event: (number, read(event))
    return lambda event: (number, *read(event))


def _incident(event: Incident) -> Message:
    """Of an exception its name and trace travel: it may hold what no other process can make."""
    reported = Reported.of(event.error)
    return (_INCIDENT, event.id, event.session, type(reported).__name__, reported.trace)


def _other(event: Event) -> Message:
    return (_OTHER, pickled(event))


_WRITERS: Final[dict[type, Callable[[Any], Message]]] = {
    **{kind: _plain_writer(number, kind) for number, kind in enumerate(_PLAIN)},
    Incident: _incident,
}


class Teller:
    """A worker's observer: tells its supervisor. The end of a message is on its way before its client hears of it."""

    def __init__(self, wire: Wire, sums: Sums) -> None:
        self._wire = wire
        self._sums = sums
        self._numbers: dict[Message, int] = {}

    def __call__(self, event: Event) -> None:
        """Tell *event*."""
        self.ear(type(event))(event)

    def ear(self, kind: type) -> Callable[[Any], None]:
        """Return what tells events of *kind*."""
        if kind is Replied:
            return self._replied
        if kind is MessageEnded:
            return self._ended
        mention, write = self._wire.mention, _WRITERS.get(kind, _other)
        if kind in _REPEATED:
            return lambda event: self._repeated(write(event))
        return lambda event: mention(write(event))

    def _replied(self, event: Replied) -> None:
        self._sums.add((_REPLIED, event.listener, event.command, event.code), event.times)

    def _repeated(self, message: Message) -> None:
        number = self._number(message)
        self._wire.mention(message if number is None else (_AGAIN, number))

    def _ended(self, event: MessageEnded) -> None:
        """Tell the record as its JSON: who reads it there has to write it out anyway, and hardly looks at the rest."""
        record = event.record
        if len(record) == len(FIELDS):
            self._wire.mention(self._ending(event, record))
        else:  # of a message whose record could not be written
            self._wire.mention(_other(event))
        self._wire.hurry()

    def _ending(self, event: MessageEnded, record: Mapping[str, Any]) -> Message:
        rows = record["roles"] if type(record["roles"]) is CommonRows else CommonRows(record["roles"])
        alike = (event.delegate, record["outcome"], record["reason"], record["listener"], rows.text)
        number = self._number(alike)
        amounts = (event.recipients, event.size, event.seconds)
        return (_ENDED, alike if number is None else number, *amounts, *_own(record), text_of(record))

    def _number(self, words: Message) -> int | None:
        """Return the number of *words*, which gets them one when they are said first; None that time."""
        number = self._numbers.get(words)
        if number is None:
            if len(self._numbers) >= MOST:
                self._numbers.clear()
            self._numbers[words] = len(self._numbers)
        return number


class Reader:
    """Makes events of what a :class:`Teller` told, all of it and in its order."""

    def __init__(self) -> None:
        self._known: list[Any] = []

    def read(self, message: Message) -> Event:
        """Return the event that *message* tells of."""
        number = message[0]
        event: Event
        if number == _AGAIN:
            event = self._known[message[1]]
        elif number < len(_PLAIN):
            event = _PLAIN[number](*message[1:])
            if number in _LEARNED:
                self._learn(event)
        elif number == _ENDED:
            event = self._ended(message)
        elif number == _INCIDENT:
            _, id_, session, name, trace = message
            event = Incident(id_, session, Reported.named(name, trace))
        else:
            event = unpickled(message[1])
        return event

    def _ended(self, message: Message) -> MessageEnded:
        _, alike, recipients, size, seconds, id_, time, ses_id, unenforced, text = message
        known = self._known[alike] if type(alike) is int else self._learn(_alike(*alike))
        delegate, outcome, reason, common = known
        at_hand = {**common, "id": id_, "time": time, "ses_id": ses_id, "unenforced": unenforced}
        return MessageEnded(delegate, outcome, reason, recipients, size, seconds, WrittenRecord(text, at_hand))

    def _learn(self, what: Any) -> Any:
        """Give *what* the number that its teller gives it."""
        if len(self._known) >= MOST:
            self._known.clear()
        self._known.append(what)
        return what


def _alike(delegate: str, outcome: str, reason: str, listener: str, rows: str) -> Message:
    """Return what many endings have in common: whose, how and why, and these fields of their records."""
    words = {"delegate": delegate, "outcome": outcome, "reason": reason, "listener": listener}
    return delegate, _OUTCOMES[outcome], _REASONS[reason], {**words, "roles": CommonRows.read(rows)}
