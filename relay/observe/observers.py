"""Several observers as one. Watching must never change what is watched."""

import logging
from collections.abc import Sequence

from relay.observe.events import Event, Observer

_log = logging.getLogger(__name__)


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
        self._known: set[tuple[int, type[Exception]]] = set()

    def __call__(self, event: Event) -> None:
        for place, observer in enumerate(self._observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001  mail goes on whatever a metric or a log line does
                self._report(place, event, error)

    def _report(self, place: int, event: Event, error: Exception) -> None:
        if (place, type(error)) in self._known:
            return
        self._known.add((place, type(error)))
        name = type(self._observers[place]).__name__
        _log.error("observer %s failed at %s", name, type(event).__name__, exc_info=error)
