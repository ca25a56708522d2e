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
    return _Fan(observers)


class _Fan:
    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._ears = _Ears(observers)
        self._known: set[tuple[int, type[Exception]]] = set()

    def __call__(self, event: Event) -> None:
        for place, tell in self._ears[type(event)]:
            try:
                tell(event)
            except Exception as error:  # noqa: BLE001  mail goes on whatever a metric or a log line does
                self._report(place, event, error)

    def _report(self, place: int, event: Event, error: Exception) -> None:
        if (place, type(error)) in self._known:
            return
        self._known.add((place, type(error)))
        name = type(self._observers[place]).__name__
        _log.error("observer %s failed at %s", name, type(event).__name__, exc_info=error)


class _Ears(dict[type, tuple[tuple[int, Ear], ...]]):
    """Who is told of a kind of events, by place among the observers: asked once, since a message is a dozen events."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        super().__init__()
        self._observers = observers

    def __missing__(self, kind: type) -> tuple[tuple[int, Ear], ...]:
        asked = ((place, _ear_of(observer, kind)) for place, observer in enumerate(self._observers))
        ears = self[kind] = tuple((place, ear) for place, ear in asked if ear is not None)
        return ears


def _ear_of(observer: Observer, kind: type) -> Ear | None:
    return observer.ear(kind) if isinstance(observer, Choosy) else observer
