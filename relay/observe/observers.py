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
    failures = _Failures(observers)

    def tell(event: Event) -> None:  # a message is a dozen events: a function is called in half the time of an object
        for place, ear in ears[type(event)]:
            try:
                ear(event)
            except Exception as error:  # noqa: BLE001  mail goes on whatever a metric or a log line does
                failures.report(place, event, error)

    return tell


class _Failures:
    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._known: set[tuple[int, type[Exception]]] = set()

    def report(self, place: int, event: Event, error: Exception) -> None:
        if (place, type(error)) in self._known:
            return
        self._known.add((place, type(error)))
        name = type(self._observers[place]).__name__
        _log.error("observer %s failed at %s", name, type(event).__name__, exc_info=error)


class _Ears(dict[type, tuple[tuple[int, Ear], ...]]):
    """Who is told of a kind of events, by place among the observers: asked once."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        super().__init__()
        self._observers = observers

    def __missing__(self, kind: type) -> tuple[tuple[int, Ear], ...]:
        asked = ((place, _ear_of(observer, kind)) for place, observer in enumerate(self._observers))
        ears = self[kind] = tuple((place, ear) for place, ear in asked if ear is not None)
        return ears


def _ear_of(observer: Observer, kind: type) -> Ear | None:
    return observer.ear(kind) if isinstance(observer, Choosy) else observer
