"""
Events of a worker as messages of the wire, and back: what happens at each message without pickle, the rest with.

What is said again and again is said once and then by its number. Both ends number alike: in the order of what was said
first, and from the beginning again after so many.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from itertools import chain
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
#: They say the same again and again; the last thing they say is how often.
_REPEATED: Final = (MessageReceived, Judged)
_REPLIED: Final = _PLAIN.index(Replied)
_ENDED, _INCIDENT, _OTHER, _AGAIN = 100, 101, 102, 103
_OUTCOMES: Final = {each.value: each for each in Outcome}
_REASONS: Final = {each.value: each for each in Reason}
#: What is looked at of each record, and is the same in many; and what differs.
_shared: Final = itemgetter("roles", "outcome", "reason", "listener")
_own: Final = itemgetter("id", "time", "ses_id", "unenforced")
_numbers_of: Final = itemgetter(1)
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
        self._same: dict[int, int] = {}
        self._held: list[Event] = []  # so that nothing else gets their ids
        self._again: list[int] = []
        self._beside: list[Message] = []  # what waits on the wire beside them

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
            return partial(self._repeated, write)
        return lambda event: mention(write(event))

    def _replied(self, event: Replied) -> None:
        self._sums.add((_REPLIED, event.listener, event.command, event.code), event.times)

    def _repeated(self, write: Callable[[Any], Message], event: Event) -> None:
        """Tell a number. Nearly all are of events that are remembered where they happen: the very same as before."""
        number = self._same.get(id(event))
        if number is None:
            message = write(event)
            number = self._number(message)
            if number is None:
                self._wire.mention(message)
                return
            self._hold(event, number)
        if self._beside is self._wire.waiting:
            self._again.append(number)
        else:
            self._again = [number]
            self._wire.mention((_AGAIN, self._again))
            self._beside = self._wire.waiting

    def _hold(self, event: Event, number: int) -> None:
        if len(self._held) >= MOST:
            self._forget()
        self._held.append(event)
        self._same[id(event)] = number

    def _forget(self) -> None:
        self._same.clear()
        self._held.clear()

    def _ended(self, event: MessageEnded) -> None:
        """Tell the record as its JSON: who reads it there has to write it out anyway, and hardly looks at the rest."""
        record = event.record
        if len(record) == len(FIELDS):
            self._wire.mention(self._ending(event, record))
        else:  # of a message whose record could not be written
            self._wire.mention(_other(event))
        self._wire.hurry()

    def _ending(self, event: MessageEnded, record: Mapping[str, Any]) -> Message:
        roles, *words = _shared(record)
        rows = roles if type(roles) is CommonRows else CommonRows(roles)
        alike = (event.delegate, *words, rows.text)
        number = self._number(alike)
        amounts = (event.recipients, event.size, event.seconds)
        return (_ENDED, alike if number is None else number, *amounts, *_own(record), text_of(record))

    def _number(self, words: Message) -> int | None:
        """Return the number of *words*, which gets them one when they are said first; None that time."""
        number = self._numbers.get(words)
        if number is None:
            if len(self._numbers) >= MOST:
                self._numbers.clear()
                self._forget()
                self._beside = []  # numbers that wait are the old ones
            self._numbers[words] = len(self._numbers)
        return number


class Reader:
    """
    Makes events of what a :class:`Teller` told, all of it. What was said again is counted: it is :meth:`repeated`, each
    once with how often.

    ``reads``: what reads a message, by its first value; None comes of one that is counted.
    """

    def __init__(self) -> None:
        self._known: list[Any] = []
        self._again: list[Message] = []
        self._repeated: list[Event] = []
        self.reads: Final[Mapping[int, Callable[[Message], Event | None]]] = {
            **{number: _plain_reader(kind) for number, kind in enumerate(_PLAIN)},
            **{_PLAIN.index(kind): self._first_of(kind) for kind in _REPEATED},
            _AGAIN: self._again.append,
            _ENDED: self._ended,
            _INCIDENT: _read_incident,
            _OTHER: _read_other,
        }

    def repeated(self) -> list[Event]:
        """Return what was said again since the last time."""
        self._count()
        repeated, self._repeated = self._repeated, []
        return repeated

    def _count(self) -> None:
        for number, often in Counter(chain.from_iterable(map(_numbers_of, self._again))).items():
            kind, (*words, times) = self._known[number]
            self._repeated.append(kind(*words, times * often))
        self._again.clear()

    def _first_of(self, kind: type) -> Callable[[Message], Event]:
        def read(message: Message) -> Event:
            _, *values = message
            self._learn((kind, values))
            event: Event = kind(*values)
            return event

        return read

    def _ended(self, message: Message) -> MessageEnded:
        _, alike, recipients, size, seconds, id_, time, ses_id, unenforced, text = message
        known = self._known[alike] if type(alike) is int else self._learn(_alike(*alike))
        delegate, outcome, reason, common = known
        at_hand = {**common, "id": id_, "time": time, "ses_id": ses_id, "unenforced": unenforced}
        return MessageEnded(delegate, outcome, reason, recipients, size, seconds, WrittenRecord(text, at_hand))

    def _learn(self, what: Any) -> Any:
        """Give *what* the number that its teller gives it."""
        if len(self._known) >= MOST:
            self._count()
            self._known.clear()
        self._known.append(what)
        return what


def _plain_reader(kind: type) -> Callable[[Message], Event]:
    return lambda message: kind(*message[1:])


def _read_incident(message: Message) -> Incident:
    _, id_, session, name, trace = message
    return Incident(id_, session, Reported.named(name, trace))


def _read_other(message: Message) -> Event:
    event: Event = unpickled(message[1])
    return event


def _alike(delegate: str, outcome: str, reason: str, listener: str, rows: str) -> Message:
    """Return what many endings have in common: whose, how and why, and these fields of their records."""
    words = {"delegate": delegate, "outcome": outcome, "reason": reason, "listener": listener}
    return delegate, _OUTCOMES[outcome], _REASONS[reason], {**words, "roles": CommonRows.read(rows)}
