"""Several observers as one. Watching must never change what is watched."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from relay.observe.events import Event, Observer

_log = logging.getLogger(__name__)

#: What is called with events of one kind.
Ear: TypeAlias = Callable[[Any], None]


@runtime_checkable
class Choosy(Protocol):
    """An observer that cares for some kinds of events only. Called with an event of another kind it does nothing."""

    def ear(self, kind: type) -> Ear | None:
        """Return what is to be told of events of *kind*, for good; None where nothing is."""


def fan_out(*observers: Observer) -> Observer:
    """
    Return an observer that tells each of *observers* in turn.

    An exception of one reaches neither the caller nor the others; it is logged once for each observer and kind of
    exception, since the next thousand would say the same.
    """
    ears = _Ears(observers)
    failures = _Failures(ears)

    def tell(event: Event) -> None:  # a message is a dozen events: a function is called in half the time of an object
        for ear in ears[type(event)]:
            try:
                ear(event)
            except Exception as error:  # noqa: BLE001  mail goes on whatever a metric or a log line does
                failures.report(ear, event, error)

    return tell


class _Ears(dict[type, tuple[Ear, ...]]):
    """Who is told of a kind of events: asked once."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        super().__init__()
        self._observers = observers
        self._whose: dict[int, Observer] = {}

    def __missing__(self, kind: type) -> tuple[Ear, ...]:
        asked = [(observer, _ear_of(observer, kind)) for observer in self._observers]
        found = [(observer, ear) for observer, ear in asked if ear is not None]
        self._whose |= {id(ear): observer for observer, ear in found}  # they stay: their numbers stay their own
        ears = self[kind] = tuple(ear for _, ear in found)
        return ears

    def whose(self, ear: Ear) -> Observer:
        """Return the observer that hears by it."""
        return self._whose[id(ear)]


class _Failures:
    def __init__(self, ears: _Ears) -> None:
        self._ears = ears
        self._known: set[tuple[int, type[Exception]]] = set()

    def report(self, ear: Ear, event: Event, error: Exception) -> None:
        observer = self._ears.whose(ear)
        if (id(observer), type(error)) in self._known:
            return
        self._known.add((id(observer), type(error)))
        _log.error("observer %s failed at %s", type(observer).__name__, type(event).__name__, exc_info=error)


def _ear_of(observer: Observer, kind: type) -> Ear | None:
    return observer.ear(kind) if isinstance(observer, Choosy) else observer
